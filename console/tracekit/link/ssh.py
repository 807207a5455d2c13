"""The link to an agent on another machine: one SSH connection, one channel, the same protocol over it.

The person's own SSH configuration is honoured; a host key that is not trusted ends the attempt with its problem; a
password or passphrase is asked for through `Asker` and never kept. What was started on the box outlives this link.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import anyio
import asyncssh

from tracekit.link.bootstrap import Arrival, command
from tracekit.link.hostkeys import DEFAULT_PORT, HostKeys, Standing, fingerprint, refusal
from tracekit.link.zipped import agent_zip
from tracekit.wire.problems import Problem, ProblemError

# A default sshd drops unauthenticated connections beyond ten; more at once than this have been seen to fail.
HANDSHAKES = 4
HOPS = 8
_READ = 1 << 18
# A login shell that sleeps in its start-up files is slow, not dead.
_ARRIVAL = 60.0
_SETTINGS: dict[str, Any] = {
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
_WINDOW = 2**24
_PACKET = 2**17


@dataclass(frozen=True)
class Question:
    """Something only a person knows: shown once, answered once, kept nowhere."""

    kind: str  # passphrase, password, interactive, host-key
    where: str
    text: str
    echo: bool = False
    fingerprint: str = ""


class Asker(Protocol):
    """Who can ask a person."""

    async def ask(self, question: Question) -> str | None:
        """The answer, or None when there is none to be had."""
        ...


@dataclass(frozen=True)
class Address:
    """A machine as ssh is told of it; what is None comes from the person's configuration."""

    host: str
    user: str | None = None
    port: int | None = None
    fingerprint: str | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host}" + (f":{self.port}" if self.port else "")


@dataclass
class Trust:
    """How host keys are judged for one link."""

    keys: HostKeys
    accept_new: bool = False
    #: Accepted by a person for as long as this console lives.
    once: set[str] = field(default_factory=set)


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

    async def open(self) -> SshPipes:
        """Connect, bring the agent there where it is missing, and start a bridge; raises ProblemError."""
        archive = agent_zip(self._cache)
        connections: list[asyncssh.SSHClientConnection] = []
        try:
            connection = await self._connect(self.address, connections, 0)
            process = await self._bridge(connection, archive)
            pipes = SshPipes(process, connections)
            with anyio.fail_after(_ARRIVAL):
                await pipes.arrive(Arrival(archive, str(self.address)))
        except BaseException as fault:
            for made in reversed(connections):
                made.abort()
            if isinstance(fault, TimeoutError):
                raise ProblemError(self._timeout()) from fault
            raise
        return pipes

    # -- connecting

    async def _connect(
        self, address: Address, made: list[asyncssh.SSHClientConnection], depth: int
    ) -> asyncssh.SSHClientConnection:
        """One machine, over the hops that its configuration names."""
        jump = self._jump(address)
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
        client = _Client(self, address)
        options = self._options(address, tunnel)
        limiter = self._limits.setdefault(address.host, anyio.CapacityLimiter(HANDSHAKES))
        for last in (False, True):
            try:
                async with limiter:
                    connection, _ = await asyncssh.create_connection(
                        lambda: client, address.host, **options, known_hosts=client.known
                    )
            except (asyncssh.Error, OSError, ValueError) as fault:
                if not last and await client.accepted():
                    continue
                raise ProblemError(self._problem(address, client, fault)) from fault
            made.append(connection)
            return connection
        raise AssertionError

    def _options(self, address: Address, tunnel: asyncssh.SSHClientConnection | None) -> dict[str, Any]:
        options = {**_SETTINGS, "config": self._config, "tunnel": tunnel}
        if address.user is not None:
            options["username"] = address.user
        if address.port is not None:
            options["port"] = address.port
        if self._asker is not None:
            asker = self._asker

            async def passphrase(file: str) -> str | None:
                return await asker.ask(Question("passphrase", str(address), f"passphrase of {file}"))

            options["passphrase"] = passphrase
        return options

    def _jump(self, address: Address) -> str:
        if not self._config:
            return ""
        options = asyncssh.SSHClientConnectionOptions(
            host=address.host, config=self._config, known_hosts=((), (), ())
        )
        found = options.config.get("ProxyJump")
        return found if isinstance(found, str) and found.lower() != "none" else ""

    async def _bridge(
        self, connection: asyncssh.SSHClientConnection, archive: Path
    ) -> asyncssh.SSHClientProcess[bytes]:
        try:
            return await connection.create_process(
                command(archive),
                encoding=None,
                stderr=asyncssh.DEVNULL,
                window=_WINDOW,
                max_pktsize=_PACKET,
            )
        except (asyncssh.Error, OSError) as fault:
            what = f"the box lets us in and refuses a session: {fault}"
            action = "MaxSessions of its sshd may be too small, or its account may not run commands"
            raise ProblemError(Problem("ssh.no_session", what, str(self.address), action)) from fault

    # -- what is asked of a person

    async def ask(self, question: Question) -> str | None:
        """An answer of the person, where there is one to ask."""
        return await self._asker.ask(question) if self._asker is not None else None

    @property
    def can_ask(self) -> bool:
        return self._asker is not None

    @property
    def trust(self) -> Trust:
        return self._trust

    # -- what went wrong

    def _problem(self, address: Address, client: _Client, fault: Exception) -> Problem:
        where = str(address)
        if isinstance(fault, asyncssh.HostKeyNotVerifiable):
            return client.refused(fault)
        if isinstance(fault, asyncssh.PermissionDenied):
            what = f"the box does not let {address.user or 'this user'} in: {fault.reason}"
            action = f"`ssh {address.host}` must work from this terminal; keys come from the agent and ~/.ssh/config"
            return Problem("ssh.denied", what, where, action)
        if isinstance(fault, socket.gaierror):
            what = f"no such host: {fault.strerror}"
            return Problem("ssh.no_host", what, where, "correct `host` of the environment, or ~/.ssh/config")
        if isinstance(fault, ConnectionRefusedError):
            return Problem(
                "ssh.refused", "nobody listens there", where, "start sshd there, or correct `port`"
            )
        if isinstance(fault, (TimeoutError, asyncio.TimeoutError)):
            return self._timeout()
        if isinstance(fault, asyncssh.KeyExchangeFailed):
            action = "the two sides have no algorithm in common: see HostKeyAlgorithms and Ciphers of both"
            return Problem("ssh.no_common", str(fault), where, action)
        what = (
            f"the connection failed: {getattr(fault, 'strerror', None) or str(fault) or type(fault).__name__}"
        )
        return Problem("ssh.unreachable", what, where, f"`ssh -v {address.host}` shows more")

    def _timeout(self) -> Problem:
        return Problem(
            "ssh.timeout",
            "the box does not answer in time",
            str(self.address),
            "check that it is up and reachable from here",
        )


class _Client(asyncssh.SSHClient):
    """The callbacks of one connection: records and refuses a key that is not trusted."""

    def __init__(self, link: SshLink, address: Address) -> None:
        self._link = link
        self._address = address
        self._key: asyncssh.SSHKey | None = None
        self._place = (address.host, "", address.port or DEFAULT_PORT)
        self._passwords = 0

    def known(self, host: str, address: str, port: int | None) -> tuple[Any, ...]:
        self._place = (host, address, port or DEFAULT_PORT)
        if self._address.fingerprint:
            return [], [], []  # only the pinned key, whatever the files hold
        known = self._link.trust.keys.known(*self._place)
        return known.trusted, known.authorities, known.revoked

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self._key = key
        shown = fingerprint(key)
        if self._address.fingerprint:
            return shown == self._address.fingerprint
        return shown in self._link.trust.once and self._standing() is Standing.UNKNOWN

    def _standing(self) -> Standing:
        if self._key is None:
            return Standing.REVOKED
        return self._link.trust.keys.standing(*self._place, self._key)

    async def accepted(self) -> bool:
        """Whether an unknown key may be trusted now: by a person who saw it, or by `accept_new`."""
        trust, key = self._link.trust, self._key
        if key is None or self._address.fingerprint or self._standing() is not Standing.UNKNOWN:
            return False
        host, _, port = self._place
        shown = fingerprint(key)
        if trust.accept_new:
            answer: str | None = "save"
        else:
            question = Question("host-key", str(self._address), f"{host} shows {shown}", True, shown)
            answer = await self._link.ask(question)
        if answer == "save":
            try:
                trust.keys.save(host, port, key)
            except OSError as fault:
                what = f"the key cannot be kept: {fault.strerror or fault}"
                where = str(trust.keys.own)
                raise ProblemError(Problem("ssh.known_hosts", what, where, "make it writable")) from fault
        if answer in {"save", "once"}:
            trust.once.add(shown)
            return True
        return False

    def refused(self, fault: Exception) -> Problem:
        pinned = self._address.fingerprint
        standing = Standing.REVOKED if "revoked" in str(fault) else self._standing()
        known = self._link.trust.keys.known(*self._place)
        shown_before = dict.fromkeys(fingerprint(key) for key in known.trusted)
        expected = [pinned] if pinned else list(shown_before)
        shown = fingerprint(self._key) if self._key is not None else ""
        return refusal(standing, str(self._address), shown, expected, pinned=bool(pinned))

    # -- logging in

    async def password_auth_requested(self) -> str | None:
        self._passwords += 1
        if self._passwords > 3:
            return None
        return await self._link.ask(Question("password", str(self._address), "password"))

    def kbdint_auth_requested(self) -> str | None:
        return "" if self._link.can_ask else None

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        answers = []
        for prompt, echo in prompts:
            text = "\n".join(part for part in (name, instructions, prompt) if part)
            answer = await self._link.ask(Question("interactive", str(self._address), text, echo))
            if answer is None:
                return None
            answers.append(answer)
        return answers


class SshPipes:
    """The pipes of a bridge on a box."""

    def __init__(
        self, process: asyncssh.SSHClientProcess[bytes], connections: list[asyncssh.SSHClientConnection]
    ) -> None:
        self._process = process
        self._connections = connections
        self._held = b""

    async def arrive(self, arrival: Arrival) -> None:
        """Bring the agent up to its first word; raises ProblemError."""
        while not arrival.ready:
            reply = arrival.feed(await self.receive(_READ))
            if reply:
                await self.send(reply)
        self._held = arrival.heard

    async def receive(self, size: int) -> bytes:
        if self._held:
            data, self._held = self._held, b""
            return data
        try:
            return await self._process.stdout.read(size)
        except (asyncssh.Error, OSError):
            return b""

    async def send(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as fault:
            raise anyio.BrokenResourceError from fault

    async def close(self) -> None:
        with contextlib.suppress(asyncssh.Error, OSError):
            self._process.close()
        for connection in reversed(self._connections):
            connection.close()
            with anyio.move_on_after(2), contextlib.suppress(asyncssh.Error, OSError):
                await connection.wait_closed()


def _hop(spec: str) -> Address:
    """One hop of a ProxyJump list: `[user@]host[:port]` or an ssh URI."""
    spec = spec.strip().removeprefix("ssh://").rstrip("/")
    user, at, place = spec.rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdigit() or (place.count(":") > 1 and not place.startswith("[")):
        host, port = place, ""
    return Address(host.strip("[]"), user if at else None, int(port) if port else None)
