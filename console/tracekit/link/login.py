"""One login on one machine: which of its keys is trusted, and what only a person knows.

It records and refuses a host key that is not trusted, so that the refusal can be classified. An answer of a person is
used once and kept nowhere; where nobody is there to ask, what was wanted is remembered, for the words of the problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import asyncssh

from tracekit.link.hostkeys import DEFAULT_PORT, HostKeys, Standing, changed, fingerprint, refusal, revoked
from tracekit.wire.problems import Problem, ProblemError

_NO_COMMON = (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)
_ALGORITHMS = (
    "ssh-ed25519",
    "ssh-ed448",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-256",
    "rsa-sha2-512",
)
# A person who mistypes gets as many tries as with ssh.
TRIES = 3


@dataclass(frozen=True)
class Question:
    """Something only a person knows: shown once, answered once, kept nowhere."""

    kind: str  # passphrase, password, interactive, host-key
    where: str
    text: str
    echo: bool = False
    fingerprint: str = ""


def _opens(file: str, passphrase: str) -> bool:
    """Whether a key file is opened by this."""
    try:
        asyncssh.read_private_key(file, passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, OSError, ValueError):
        return False
    return True


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


class Login(asyncssh.SSHClient):
    """The callbacks of one connection."""

    def __init__(self, address: Address, trust: Trust, asker: Asker | None, alias: str = "") -> None:
        self.address = address
        #: What a person was needed for, and nobody was there.
        self.missed: list[str] = []
        self.wrong_passphrase = ""
        self._trust = trust
        self._asker = asker
        self._key: asyncssh.SSHKey | None = None
        self._authority: asyncssh.SSHKey | None = None
        self._alias = alias
        self._place = (address.host, "", address.port or DEFAULT_PORT)
        self._passwords = 0
        self._rounds: dict[tuple[str, ...], int] = {}

    # -- the machine's key

    def known(self, host: str, address: str, port: int | None) -> tuple[Any, ...]:
        """What the library is told of this host: everything we know, or nothing but what is pinned."""
        # As with ssh: who gives a machine's key a name of its own means that name alone, at whatever address and port.
        alias = self._alias
        self._place = (alias, "", DEFAULT_PORT) if alias else (host, address, port or DEFAULT_PORT)
        known = self._trust.keys.known(*self._place)
        if self.address.fingerprint:
            return [], [], known.revoked  # only the pinned key, whatever else the files hold
        return known.trusted, known.authorities, known.revoked

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether a key that no file names may be used all the same; recorded in any case."""
        self._key = key
        shown = fingerprint(key)
        if self.address.fingerprint:
            return shown == self.address.fingerprint and self._standing() is not Standing.REVOKED
        return self._here(shown) in self._trust.once and self._standing() is Standing.UNKNOWN

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """An authority that no file names is never trusted; recorded, because its host has a plain key, too."""
        self._authority = key
        return False

    def other_keys(self, fault: Exception) -> str | list[str]:
        """Which host key algorithms to try instead, or none: a person is told of the key, not of algorithms.

        Only keys of the kinds that we know are asked for at first. A machine that has none of them ends the talk, each
        server in its own words.
        """
        known = self._trust.keys.known(*self._place)
        expected = known.trusted or known.authorities
        if isinstance(fault, _NO_COMMON) and self._key is None and self._authority is None and expected:
            first = [name.decode("ascii") for key in known.trusted for name in key.sig_algorithms]
            return list(dict.fromkeys([*first, *_ALGORITHMS]))
        pinned = bool(self.address.fingerprint)
        return "-*-cert-*" if self._authority is not None and (pinned or not known.authorities) else ""

    def _here(self, shown: str) -> str:
        """A key of this very place: what is accepted of one machine is nothing to any other."""
        host, _, port = self._place
        return f"[{host}]:{port} {shown}"

    def _standing(self) -> Standing:
        if self._key is None:
            return Standing.CHANGED if self._authority is not None else Standing.REVOKED
        return self._trust.keys.standing(*self._place, self._key)

    async def accepted(self) -> bool:
        """Whether an unknown key may be trusted now: by a person who saw it, or by `accept_new`."""
        trust, key = self._trust, self._key
        if key is None or self.address.fingerprint or self._standing() is not Standing.UNKNOWN:
            return False
        host, _, port = self._place
        shown = fingerprint(key)
        if trust.accept_new:
            answer: str | None = "save"
        elif self._asker is not None:
            question = Question("host-key", str(self.address), f"{host} shows {shown}", True, shown)
            answer = await self._asker.ask(question)
        else:
            return False
        if answer == "save":
            try:
                trust.keys.save(host, port, key)
            except OSError as fault:
                what = f"the key cannot be kept: {fault.strerror or fault}"
                where = str(trust.keys.own)
                raise ProblemError(Problem("ssh.known_hosts", what, where, "make it writable")) from fault
        if answer in {"save", "once"}:
            trust.once.add(self._here(shown))
            return True
        return False

    def refused(self, fault: Exception) -> Problem:
        """Why the machine's key was refused."""
        pinned = self.address.fingerprint
        why = str(fault)
        if self._key is None and self._authority is None and "revoked" not in why:
            # A certificate of a trusted authority that does not hold: expired, or another machine's.
            action = "have the machine's host certificate renewed for this name"
            return Problem("ssh.host_certificate", f"its host certificate: {why}", str(self.address), action)
        standing = Standing.REVOKED if "revoked" in why else self._standing()
        known = self._trust.keys.known(*self._place)
        shown_before = dict.fromkeys(fingerprint(key) for key in known.trusted)
        expected = [pinned] if pinned else list(shown_before)
        shown = fingerprint(self._key) if self._key is not None else ""
        if self._key is None and self._authority is not None:
            shown = f"signed by {fingerprint(self._authority)}"
        where = str(self.address)
        if standing is Standing.CHANGED and not pinned:
            lines = self._trust.keys.before(*self._place)
            return changed(where, shown, expected, self._trust.keys, lines)
        if standing is Standing.REVOKED:
            if not shown:
                # Nobody was asked about it: it is one of those that are withdrawn for this machine.
                shown = " or ".join(dict.fromkeys(fingerprint(key) for key in known.revoked))
            return revoked(where, shown, self._trust.keys.revoking(*self._place))
        return refusal(where, shown, expected, pinned=bool(pinned))

    # -- logging in

    async def passphrase(self, file: str) -> str | None:
        """The passphrase of a key file that the machine would take."""
        if self._asker is None:
            self.missed.append(f"the passphrase of {file}")
            return None
        answer = await self._asker.ask(Question("passphrase", str(self.address), f"passphrase of {file}"))
        # What it opens is no fault of the passphrase, whatever the machine says of the key.
        if answer is not None and not await anyio.to_thread.run_sync(_opens, file, answer):
            self.wrong_passphrase = file
        return answer

    async def password_auth_requested(self) -> str | None:
        """A password, where the machine takes one."""
        if self._asker is None:
            self.missed.append("a password")
            return None
        self._passwords += 1
        if self._passwords > TRIES:
            return None
        return await self._asker.ask(Question("password", str(self.address), "password"))

    def kbdint_auth_requested(self) -> str | None:
        """Whether the machine's own questions can be answered."""
        if self._asker is None:
            self.missed.append("answers to its questions (a password, or a second factor)")
            return None
        return ""

    async def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        """The machine's own questions, one after another; None gives up, as after a few wrong answers to the same."""
        asked = tuple(prompt for prompt, _ in prompts)
        self._rounds[asked] = self._rounds.get(asked, 0) + 1
        if prompts and self._rounds[asked] > TRIES:
            return None
        answers = []
        for prompt, echo in prompts:
            text = "\n".join(part for part in (name, instructions, prompt) if part)
            question = Question("interactive", str(self.address), text, echo)
            answer = await self._asker.ask(question) if self._asker is not None else None
            if answer is None:
                return None
            answers.append(answer)
        return answers
