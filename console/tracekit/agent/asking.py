"""Asks services of this machine whether they are well: a connection, an address that is read, a command that is run.

It may wait and it starts programs, so it is done in a process of its own and never in the daemon. Everything it hears
is somebody else's text, cut to a line; nothing it starts outlives it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from tracekit.agent.redact import Redactor

if TYPE_CHECKING:
    import subprocess

#: How long one service may take.
PATIENCE = 5.0
#: Of one question.
MOST = 256
_NONE: Mapping[str, str] = {}
_KINDS = ("tcp", "http", "command")
_SAID, _HEARD, _CUT = 200, 4096, "\N{HORIZONTAL ELLIPSIS}"
# How often a command that says nothing is looked at, and how much is read that it said before its end.
_LOOK, _LEFT = 0.05, 1 << 16


def checks_of(found: object) -> Optional[list[dict[str, Any]]]:
    """What a console asks, checked; None for what is no list of questions."""
    if not isinstance(found, list) or len(found) > MOST:
        return None
    return found if all(map(_is_check, found)) else None


def _is_check(found: object) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        return False
    kinds = [kind for kind in _KINDS if kind in found]
    if len(kinds) != 1:
        return False
    value = found[kinds[0]]
    if not isinstance(found.get("at", ""), str):
        return False
    if kinds[0] != "command":
        return isinstance(value, str)
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def ask(
    checks: list[dict[str, Any]], patience: float = PATIENCE, *, secrets: Mapping[str, str] = _NONE
) -> list[dict[str, Any]]:
    """Ask all of them at once; what each said, without `secrets`, in their order, empty for one that is well."""
    said = dict.fromkeys(range(len(checks)), f"does not answer within {patience:g} s")

    def one(at: int) -> None:
        try:
            said[at] = _ask(checks[at], _own(checks[at], patience))
        except (OSError, ValueError) as fault:
            said[at] = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__

    threads = [threading.Thread(target=one, args=(at,), daemon=True) for at in range(len(checks))]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience + 1
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    told, redactor = dict(said), Redactor(secrets)
    return [
        {"name": check["name"], "said": _short(redactor.text(told[at]))} for at, check in enumerate(checks)
    ]


def _own(check: dict[str, Any], patience: float) -> float:
    """How long this one may take: no longer than it may take to be well at all."""
    within = check.get("within")
    return min(patience, float(within)) if isinstance(within, (int, float)) and within > 0 else patience


def _short(said: str) -> str:
    """Cut to a line, between two words: a part of a secret is nothing that can be taken out later."""
    return said if len(said) <= _SAID else f"{said[: _SAID + 1].rpartition(' ')[0]} {_CUT}"


def _ask(check: dict[str, Any], patience: float) -> str:
    if "tcp" in check:
        return _connects(check["tcp"], patience)
    if "http" in check:
        return _reads(check["http"], patience)
    return _runs(check["command"], check.get("at") or "", patience)


def _connects(place: str, patience: float) -> str:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), patience).close()
    except socket.timeout:
        return f"{place} does not answer within {patience:g} s"
    except OSError as fault:
        return f"{place} takes no connection: {fault.strerror or fault}"
    return ""


def _reads(address: str, patience: float) -> str:
    import http.client
    from urllib.parse import quote, urlsplit

    try:
        parts = urlsplit(address)
        # A Python that was built without TLS has no such class.
        kind: Any = getattr(
            http.client, "HTTPSConnection" if parts.scheme == "https" else "HTTPConnection", None
        )
        if kind is None:
            return f"{address} cannot be asked: the Python there was built without TLS"
        connection = kind(parts.hostname or "", parts.port, timeout=patience)
    except (ValueError, http.client.HTTPException) as fault:
        return f"{address} is no address: {fault}"
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # As a browser does with letters that HTTP has not.
        connection.request("GET", quote(target, safe="%/?:@!$&'()*+,;=~"))
        status = connection.getresponse().status
    except socket.timeout:
        return f"{address} does not answer within {patience:g} s"
    except OSError as fault:
        return _unsecured(address, fault) or f"{address} takes no connection: {fault.strerror or fault}"
    except http.client.HTTPException as fault:
        return f"{address} does not speak HTTP: {type(fault).__name__}"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"{address} answers with {status}"


def _unsecured(address: str, fault: OSError) -> str:
    """Why a connection that was taken could not be made safe; empty for any other fault."""
    try:
        import ssl
    except ImportError:
        return ""
    if isinstance(fault, ssl.SSLCertVerificationError):
        return f"{address} has a certificate that is not trusted there: {fault.verify_message}"
    if isinstance(fault, ssl.SSLError):
        why = (fault.reason or "it says no more").replace("_", " ").lower()
        return f"{address} takes a connection, and does not speak TLS as it should: {why}"
    return ""


def _runs(words: list[str], place: str, patience: float) -> str:
    import subprocess

    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=os.path.expanduser(place or "~"),
            start_new_session=True,
        )
    except OSError as fault:
        if place and not os.path.isdir(os.path.expanduser(place)):
            return f"the project is not at {place}, where {words[0]} is to be started"
        return f"{words[0]} cannot be started: {fault.strerror or fault}"
    deadline = time.monotonic() + patience
    with process.stdout:  # type: ignore[union-attr]
        heard = _heard(process, deadline)
        try:
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = None
        # What it started and left behind, too. Only then is its pipe closed: it would end of that.
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    if code is None:
        process.wait()
        return f"{words[0]} does not end within {patience:g} s"
    if code == 0:
        return ""
    lines = heard.decode("utf-8", "replace").strip().splitlines()
    ends = f"{words[0]} ends with {code}" if code > 0 else f"{words[0]} is killed by signal {-code}"
    return f"{ends}: {lines[-1].strip()}" if lines else ends


def _heard(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """The last of what a command says; nobody keeps what a command without end says.

    It is over when the command is: what it leaves behind may hold its output open for as long as it likes.
    """
    stream: Any = process.stdout
    heard, rest, cut = b"", _LEFT, False
    while rest > 0:
        left = deadline - time.monotonic()
        ended = process.poll() is not None
        if select.select([stream], [], [], 0.0 if ended else max(0.0, min(left, _LOOK)))[0]:
            data = os.read(stream.fileno(), _HEARD)
            if not data:
                break
            cut = cut or len(heard) + len(data) > _HEARD
            heard = (heard + data)[-_HEARD:]
            rest -= len(data) if ended else 0
        elif ended:
            break
        if left <= 0:
            break
    # What is left of a word may be a part of a secret.
    return b"".join([f"{_CUT} ".encode(), *heard.split(None, 1)[1:]]) if cut else heard
