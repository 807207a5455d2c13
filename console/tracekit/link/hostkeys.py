"""Which host keys are trusted, and what a key that is not means: unknown, changed or revoked.

Strict, always. The SSH library raises one error for an unknown and a changed key, so the key is recorded, refused, and
told apart here. Reads the person's own files and writes only ours.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tracekit.link.oldkeys import Held, forgetting, held, withdrawing
from tracekit.wire.problems import Problem, ProblemError

DEFAULT_PORT = 22
_PACKED = b"SSHKRL\n"


class Standing(enum.Enum):
    """What a host key is to us."""

    TRUSTED = "trusted"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"


Keys = list[asyncssh.SSHKey]


@dataclass(frozen=True)
class Known:
    """What the files say of one host."""

    trusted: Keys
    authorities: Keys
    revoked: Keys
    #: Whether what is trusted stands under this very port, so that another key means a change.
    here: bool = True


class HostKeys:
    """The known hosts of a person: their own files, read, and ours, to which accepted keys are added."""

    def __init__(self, own: Path, files: Sequence[Path] = (), revoked: Path | None = None) -> None:
        self.own = own
        self._files = (own, *files)
        self._revoked = Revoked(revoked)

    def configured(self, files: Sequence[Path] | None, revoked: Path | None) -> HostKeys:
        """The same, with the files that the configuration of ssh names instead of its usual ones."""
        return HostKeys(self.own, self._files[1:] if files is None else files, revoked)

    def known(self, host: str, address: str, port: int) -> Known:
        """Everything the files hold about a host; revoked keys under its plain name count on every port."""
        here, plain = _Entries(), _Entries()
        for file in self._files:
            entries = _read(file)
            plain.take(entries, host, address)
            for name in _by_port(host, address, port):
                here.take(entries, name, "")
        revoked = [*here.revoked, *plain.revoked]
        for key in (*here.trusted, *here.authorities, *plain.trusted, *plain.authorities):
            if key not in revoked and self._revoked.holds(key):
                revoked.append(key)
        # As with ssh: what stands under the plain name serves a port of which nothing is said.
        chosen = here if here.trusted or here.authorities else plain
        return Known(
            [key for key in chosen.trusted if key not in revoked],
            [key for key in chosen.authorities if key not in revoked],
            revoked,
            here=port == DEFAULT_PORT or chosen is here,
        )

    def standing(self, host: str, address: str, port: int, key: asyncssh.SSHKey) -> Standing:
        """What `key` is for this host."""
        known = self.known(host, address, port)
        if key in known.revoked or self._revoked.holds(key):
            return Standing.REVOKED
        if key in known.trusted:
            return Standing.TRUSTED
        changed = (known.trusted and known.here) or known.authorities
        return Standing.CHANGED if changed else Standing.UNKNOWN

    def before(self, host: str, address: str, port: int) -> list[Held]:
        """The lines by which another key than these was expected of a host."""
        found = held(self._files, _by_port(host, address, port))
        return found or held(self._files, [name for name in dict.fromkeys((host, address)) if name])

    def revoking(self, host: str, address: str, port: int) -> list[Held]:
        """The lines that revoke a key of a host: under its plain name on every port."""
        names = [*_by_port(host, address, port), *dict.fromkeys((host, address))]
        return held(self._files, [name for name in names if name], revoked=True)

    def save(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Trust a key from now on; raises OSError."""
        name = host if port == DEFAULT_PORT else f"[{host}]:{port}"
        public = key.export_public_key("openssh").decode("ascii").split()
        self.own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.own, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="ascii") as file:
            file.write(f"{name} {public[0]} {public[1]}\n")


def _by_port(host: str, address: str, port: int) -> list[str]:
    """What a host is called in these files on a port that is not the usual one."""
    names = dict.fromkeys((host, address)) if port != DEFAULT_PORT else ()
    return [f"[{name}]:{port}" for name in names if name]


class Revoked:
    """Keys that no machine may show, by `RevokedHostKeys`: lines of public keys, or what ssh-keygen packs."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def holds(self, key: asyncssh.SSHKey) -> bool:
        """Whether a key is among them; raises ProblemError where that cannot be known, as ssh does."""
        if self._file is None:
            return False
        try:
            data = self._file.read_bytes()
            if data.startswith(_PACKED):
                return self._packed(key)
        except OSError as fault:
            what = f"the revoked keys cannot be read: {fault.strerror or fault}"
            action = "correct RevokedHostKeys in the configuration of ssh, or have ssh-keygen installed"
            raise ProblemError(Problem("ssh.host_revoked", what, str(self._file), action)) from fault
        shown = key.export_public_key("openssh").split()[1]
        return any(shown in line.split() for line in data.splitlines() if not line.lstrip().startswith(b"#"))

    def _packed(self, key: asyncssh.SSHKey) -> bool:
        """What only ssh-keygen can read; it ends with another code than 0 for a key that is revoked."""
        with tempfile.NamedTemporaryFile(suffix=".pub") as file:
            file.write(key.export_public_key("openssh"))
            file.flush()
            asked = ["ssh-keygen", "-Q", "-f", str(self._file), file.name]
            done = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode != 0


class _Entries:
    """The keys that files hold under one name."""

    def __init__(self) -> None:
        self.trusted: Keys = []
        self.authorities: Keys = []
        self.revoked: Keys = []

    def take(self, entries: asyncssh.SSHKnownHosts, host: str, address: str) -> None:
        found = entries.match(host, address, None)
        self.trusted += found[0]
        self.authorities += found[1]
        self.revoked += found[2]


def _read(file: Path) -> asyncssh.SSHKnownHosts:
    """What a file says; a line that is none is passed over, as ssh does it, and no file says nothing."""
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except OSError:
        return asyncssh.import_known_hosts("")
    try:
        return asyncssh.import_known_hosts(text)
    except ValueError:
        good = []
        for line in text.splitlines():
            try:
                asyncssh.import_known_hosts(line)
            except ValueError:
                continue
            good.append(line)
        return asyncssh.import_known_hosts("\n".join(good))


def fingerprint(key: asyncssh.SSHKey) -> str:
    """The fingerprint as ssh shows it."""
    digest = hashlib.sha256(key.public_data).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def refusal(where: str, shown: str, expected: Sequence[str], *, pinned: bool) -> Problem:
    """Why a host key was refused, and what to do; `shown` is the fingerprint the host gave."""
    if pinned:
        what = f"the host key is {shown}, and the profile pins {expected[0]}"
        action = "make sure that this is the right machine; then correct `fingerprint` of the environment"
        return Problem("ssh.host_key_pinned", what, where, action)
    return Problem(
        "ssh.host_key_unknown",
        f"the host key {shown} is not known",
        where,
        "compare it with the machine's own, then accept it in the console, give --accept-new, "
        "or pin it as `fingerprint` of the environment",
    )


def revoked(where: str, shown: str, lines: Sequence[Held]) -> Problem:
    """The problem of a key that was withdrawn, and where that is said."""
    what = f"the host key {shown or 'of this machine'} is revoked"
    said = withdrawing(lines, os.environ.get("HOME", ""))
    action = "ask whoever revoked it; it is never accepted" + (
        f" while it is revoked by {said}" if said else ""
    )
    return Problem("ssh.host_key_revoked", what, where, action)


def changed(
    where: str, shown: str, expected: Sequence[str], keys: HostKeys, lines: Sequence[Held]
) -> Problem:
    """The problem of a key that is another than before: where the old one stands, and how the new one is trusted."""
    before = ", ".join(expected) or "signed by a known authority"
    what = f"the host key has changed: it is {shown}, and was {before}"
    action = (
        "somebody may listen in: compare it with the machine's own key, which `ssh-keygen -lf` shows there. "
        f"Only if it is right, forget the old one: {forgetting(lines, keys.own, os.environ.get('HOME', ''))}; "
        "then the new one is asked about, or taken with --accept-new"
    )
    return Problem("ssh.host_key_changed", what, where, action)
