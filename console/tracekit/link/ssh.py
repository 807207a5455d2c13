"""The link to an agent on another machine: one SSH connection, one channel, the same protocol over it.

The person's own SSH configuration is honoured; a host key that is not trusted ends the attempt with its problem; a
password or passphrase is asked for through `Asker` and never kept. What was started on the box outlives this link.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import asyncssh

from tracekit.link.bootstrap import Arrival, command
from tracekit.link.channel import Channel, SshPipes
from tracekit.link.cutting import cut
from tracekit.link.login import Address, Asker, Login, Question, Trust
from tracekit.link.refusals import no_session, problem_of, proxy_problem, timeout, unreadable_config
from tracekit.link.sshconfig import Configured, read
from tracekit.link.zipped import carried
from tracekit.wire.problems import ProblemError

__all__ = ["Address", "Asker", "Question", "SshLink", "Trust"]

# What it warns of are connections that have ended, which is told in words of ours: on a screen it would be in the way.
logging.getLogger("asyncio").setLevel(logging.ERROR)
# A default sshd drops unauthenticated connections beyond ten; more at once than this have been seen to fail.
HANDSHAKES = 4
HOPS = 8
# A login shell that sleeps in its start-up files is slow, not dead.
_ARRIVAL = 60.0
# As much as any shell takes as a part of its command.
_BREATH = 6 << 10
#: As measured: twice the defaults' rate on loopback, six times it where a round trip takes 100 ms.
MEASURED: dict[str, Any] = {
    "compression_algs": ["none"],
    "encryption_algs": [
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "chacha20-poly1305@openssh.com",
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
    ],
    "keepalive_interval": 5,
    "keepalive_count_max": 3,
    "connect_timeout": 10,
    "login_timeout": 20,
    "agent_forwarding": False,
    "x11_forwarding": False,
}
# A person reads, looks for a device and types; sshd itself waits for two minutes.
_PERSON = 110
WINDOW = 2**24
PACKET = 2**17


class SshLink:
    """Opens bridges to the agent of one box."""

    def __init__(
        self,
        address: Address,
        cache: Path,
        trust: Trust,
        *,
        asker: Asker | None = None,
        config: Sequence[Path] = (),
        limits: dict[str, anyio.CapacityLimiter] | None = None,
    ) -> None:
        self.address = address
        self._cache = cache
        self._trust = trust
        self._asker = asker
        self._config = [str(path) for path in config if path.is_file()]
        self._limits = limits if limits is not None else {}
        self._said: dict[Address, Configured] = {}

    async def open(self, early: bytes = b"") -> SshPipes:
        """Connect, bring the agent there where it is missing, and start a bridge; raises ProblemError."""
        brought = carried(self._cache)
        connections: list[asyncssh.SSHClientConnection] = []
        # What a person has corrected meanwhile counts.
        self._said.clear()
        try:
            connection = await self._connect(self.address, connections, 0)
            with anyio.fail_after(_ARRIVAL):
                # What can be said in one breath with the command costs no time on a long line.
                spoken = len(early) <= _BREATH
                channel = await self._bridge(connection, command(brought, early if spoken else b""))
                pipes = SshPipes(channel, connections)
                await pipes.arrive(Arrival(brought, str(self.address)))
                if not spoken:
                    with contextlib.suppress(anyio.BrokenResourceError):
                        await pipes.send(early)
        except BaseException as fault:
            for made in reversed(connections):
                made.abort()
            if isinstance(fault, TimeoutError):
                raise ProblemError(timeout(self.address)) from fault
            raise
        return pipes

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """A connection without an agent, closed at the end; raises ProblemError."""
        self._said.clear()
        connections: list[asyncssh.SSHClientConnection] = []
        try:
            yield await self._connect(self.address, connections, 0)
        finally:
            for made in reversed(connections):
                made.abort()

    # -- connecting

    async def _connect(
        self, address: Address, made: list[asyncssh.SSHClientConnection], depth: int
    ) -> asyncssh.SSHClientConnection:
        """One machine, over the hops that its configuration names."""
        jump = self._configured(address).jump
        tunnel: asyncssh.SSHClientConnection | None = None
        if jump and depth < HOPS:
            for spec in jump.split(","):
                hop = _hop(spec)
                # Only the first hop may stand behind hops of its own.
                tunnel = await (
                    self._one(hop, tunnel, made) if tunnel else self._connect(hop, made, depth + 1)
                )
        return await self._one(address, tunnel, made)

    async def _one(
        self,
        address: Address,
        tunnel: asyncssh.SSHClientConnection | None,
        made: list[asyncssh.SSHClientConnection],
    ) -> asyncssh.SSHClientConnection:
        said = self._configured(address)
        trust = self._trust
        if said.known is not None or said.revoked is not None:
            trust = replace(trust, keys=trust.keys.configured(said.known, said.revoked))
        client = Login(address, trust, self._asker, said.alias)
        options = self._options(client, tunnel, said.keys)
        limiter = self._limits.setdefault(address.host, anyio.CapacityLimiter(HANDSHAKES))
        keys: str | list[str] = ""
        accepted = False
        while True:
            chosen = {**options, "server_host_key_algs": keys} if keys else options
            try:
                async with limiter:
                    connection, _ = await asyncssh.create_connection(
                        lambda: client, address.host, **chosen, known_hosts=client.known
                    )
            except (asyncssh.Error, OSError, ValueError) as fault:
                other = client.other_keys(fault)
                if other and not keys:
                    keys = other
                    continue
                if not accepted and isinstance(fault, asyncssh.HostKeyNotVerifiable):
                    accepted = await client.accepted()
                    if accepted:
                        continue
                problem = proxy_problem(address, said.proxy, fault) or problem_of(address, client, fault)
                raise ProblemError(problem) from fault
            made.append(connection)
            cut(connection)
            return connection

    def _options(
        self, client: Login, tunnel: asyncssh.SSHClientConnection | None, keys: tuple[str, ...] | None
    ) -> dict[str, Any]:
        options = {**MEASURED, "config": self._config, "tunnel": tunnel, "passphrase": client.passphrase}
        files = list(keys or ())
        there = [name for name in files if Path(name).expanduser().exists()]
        if there != files:
            # A key that is not there is passed over, as ssh does; encrypted ones wait for their passphrase.
            options |= {"client_keys": there, "ignore_encrypted": True}
        if self._asker is not None:
            options["login_timeout"] = _PERSON
        if client.address.user is not None:
            options["username"] = client.address.user
        if client.address.port is not None:
            options["port"] = client.address.port
        return options

    def _configured(self, address: Address) -> Configured:
        """What the configuration of ssh says of a host, read once; raises ProblemError."""
        if address not in self._said:
            try:
                self._said[address] = read(self._config, address.host, address.user, address.port)
            except (ValueError, OSError, asyncssh.Error) as fault:
                raise ProblemError(unreadable_config(address, self._config, fault)) from fault
        return self._said[address]

    async def _bridge(self, connection: asyncssh.SSHClientConnection, line: str) -> Channel:
        try:
            channel = Channel()
            await connection.create_session(
                lambda: channel,
                line,
                encoding=None,
                window=WINDOW,
                max_pktsize=PACKET,
            )
        except (asyncssh.Error, OSError) as fault:
            raise ProblemError(no_session(self.address, fault)) from fault
        return channel


def _hop(spec: str) -> Address:
    """One hop of a ProxyJump list: `[user@]host[:port]` or an ssh URI."""
    spec = spec.strip().removeprefix("ssh://").rstrip("/")
    user, at, place = spec.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit() or (place.count(":") > 1 and not place.startswith("[")):
        host, port = place, ""
    return Address(host.strip("[]"), user if at else None, int(port) if port else None)
