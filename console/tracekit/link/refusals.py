"""What a failed connection means: each fault of the SSH library or the network as a problem with its next action.

Pure: an exception and what the login recorded in, a problem out.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import asyncssh

from tracekit.link.login import Address, Login
from tracekit.wire.problems import Problem


def proxy_problem(address: Address, proxy: str, fault: Exception) -> Problem | None:
    """The problem of the program that a connection was to go through, where it is that one's."""
    where = str(address)
    if proxy and isinstance(fault, (FileNotFoundError, PermissionError)):
        what = f"the ProxyCommand of this host cannot be started: {fault.strerror}: {proxy}"
        action = "install that program, or correct ProxyCommand in ~/.ssh/config"
        return Problem("ssh.no_proxy", what, where, action)
    if proxy and isinstance(fault, (asyncssh.ConnectionLost, BrokenPipeError, ConnectionResetError)):
        what = f"the ProxyCommand of this host ended before the login was done: {proxy}"
        action = "run it by hand, as `ssh -v` shows it: it must carry bytes to the box's sshd"
        return Problem("ssh.proxy_ended", what, where, action)
    return None


def problem_of(address: Address, login: Login, fault: Exception) -> Problem:
    """The problem of a connection that did not come to be."""
    where = str(address)
    if isinstance(fault, asyncssh.HostKeyNotVerifiable):
        return login.refused(fault)
    if isinstance(fault, asyncssh.PermissionDenied):
        return _denied(address, login, fault.reason)
    if isinstance(fault, asyncssh.KeyImportError):
        return _locked(where, login, str(fault))
    if isinstance(fault, socket.gaierror):
        what = f"no such host: {fault.strerror}"
        return Problem("ssh.no_host", what, where, "correct `host` of the environment, or ~/.ssh/config")
    if isinstance(fault, ConnectionRefusedError):
        return Problem("ssh.refused", "nobody listens there", where, "start sshd there, or correct `port`")
    if isinstance(fault, (TimeoutError, asyncio.TimeoutError)):
        return timeout(address)
    if isinstance(fault, asyncssh.KeyExchangeFailed):
        action = "the two sides have no algorithm in common: see HostKeyAlgorithms and Ciphers of both"
        return Problem("ssh.no_common", str(fault), where, action)
    if isinstance(fault, (asyncssh.ConnectionLost, asyncssh.ProtocolError, ConnectionResetError)):
        what = f"it hung up before the login was done: {fault}"
        action = (
            "too many logins at once (MaxStartups), or this address is not let in: see the log of its sshd"
        )
        return Problem("ssh.hung_up", what, where, action)
    if isinstance(fault, asyncssh.ChannelOpenError):
        what = f"the way there is closed: {fault.reason}"
        action = "the jump host must reach it and allow forwarding (AllowTcpForwarding)"
        return Problem("ssh.no_way", what, where, action)
    said = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
    return Problem(
        "ssh.unreachable", f"the connection failed: {said}", where, f"`ssh -v {address.host}` shows more"
    )


def unreadable_config(address: Address, files: Sequence[str], fault: Exception) -> Problem:
    """The problem of a configuration of ssh that is none."""
    said = getattr(fault, "strerror", None) or str(fault)
    action = f"correct it: `ssh -G {address.host}` names the line"
    return Problem("ssh.config", f"the configuration of ssh cannot be read: {said}", ", ".join(files), action)


def timeout(address: Address) -> Problem:
    """The problem of a machine that says nothing."""
    return Problem(
        "ssh.timeout",
        "the box does not answer in time",
        str(address),
        "check that it is up and reachable from here",
    )


def no_session(address: Address, fault: Exception) -> Problem:
    """The problem of a machine that lets us in and runs nothing."""
    what = f"the box lets us in and refuses a session: {fault}"
    action = "MaxSessions of its sshd may be too small, or its account may not run commands"
    return Problem("ssh.no_session", what, str(address), action)


def _denied(address: Address, login: Login, reason: str) -> Problem:
    where = str(address)
    if login.missed:
        wanted = " and ".join(dict.fromkeys(login.missed))
        what = f"the login needs {wanted}, and nobody is here to ask"
        action = "use a key that needs no question (ssh-add), or log in from a terminal: `tracekit box check`"
        return Problem("ssh.needs_a_person", what, where, action)
    if login.wrong_passphrase:
        return _locked(where, login, reason)
    what = f"the box does not let {address.user or 'this user'} in: {reason}"
    by_hand = " ".join(("ssh", *(("-p", str(address.port)) if address.port else ()), _who(address)))
    action = f"`{by_hand}` must work from this terminal; keys come from the agent and ~/.ssh/config"
    return Problem("ssh.denied", what, where, action)


def _who(address: Address) -> str:
    return f"{address.user}@{address.host}" if address.user else address.host


def _locked(where: str, login: Login, reason: str) -> Problem:
    if login.missed:
        what = f"the login needs {login.missed[0]}, and nobody is here to ask"
        action = "unlock the key with ssh-add, or log in from a terminal: `tracekit box check`"
        return Problem("ssh.needs_a_person", what, where, action)
    if login.wrong_passphrase:
        what = f"the passphrase of {login.wrong_passphrase} is not the right one"
        return Problem("ssh.wrong_passphrase", what, where, "try again, or unlock the key with ssh-add")
    what = f"a key cannot be used: {reason}"
    return Problem("ssh.bad_key", what, where, "see IdentityFile in ~/.ssh/config")
