"""Which host keys are trusted, and what a key that is not means: unknown, changed or revoked.

Strict, always. The SSH library raises one error for an unknown and a changed key, so the key is recorded, refused, and
told apart here. Reads the person's own files and writes only ours.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tracekit.wire.problems import Problem

DEFAULT_PORT = 22


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


class HostKeys:
    """The known hosts of a person: their own files, read, and ours, to which accepted keys are added."""

    def __init__(self, own: Path, files: Sequence[Path] = ()) -> None:
        self.own = own
        self._files = (own, *files)

    def known(self, host: str, address: str, port: int) -> Known:
        """Everything the files hold about a host; revoked keys under its plain name count on every port."""
        trusted: Keys = []
        authorities: Keys = []
        revoked: Keys = []
        for file in self._files:
            try:
                entries = asyncssh.read_known_hosts(str(file))
            except OSError:
                continue
            found = entries.match(host, address, port)
            trusted += found[0]
            authorities += found[1]
            revoked += found[2]
            if port != DEFAULT_PORT:
                revoked += entries.match(host, address, None)[2]
        return Known([key for key in trusted if key not in revoked], authorities, revoked)

    def standing(self, host: str, address: str, port: int, key: asyncssh.SSHKey) -> Standing:
        """What `key` is for this host."""
        known = self.known(host, address, port)
        if key in known.revoked:
            return Standing.REVOKED
        if key in known.trusted:
            return Standing.TRUSTED
        return Standing.CHANGED if known.trusted or known.authorities else Standing.UNKNOWN

    def save(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Trust a key from now on; raises OSError."""
        name = host if port == DEFAULT_PORT else f"[{host}]:{port}"
        public = key.export_public_key("openssh").decode("ascii").split()
        self.own.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.own, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="ascii") as file:
            file.write(f"{name} {public[0]} {public[1]}\n")


def fingerprint(key: asyncssh.SSHKey) -> str:
    """The fingerprint as ssh shows it."""
    digest = hashlib.sha256(key.public_data).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def refusal(standing: Standing, where: str, shown: str, expected: Sequence[str], *, pinned: bool) -> Problem:
    """Why a host key was refused, and what to do; `shown` is the fingerprint the host gave."""
    if pinned:
        what = f"the host key is {shown}, and the profile pins {expected[0]}"
        action = "make sure that this is the right machine; then correct `fingerprint` of the environment"
        return Problem("ssh.host_key_pinned", what, where, action)
    if standing is Standing.REVOKED:
        what = f"the host key {shown or 'of this machine'} is revoked"
        return Problem("ssh.host_key_revoked", what, where, "ask whoever revoked it; it is never accepted")
    if standing is Standing.CHANGED:
        before = ", ".join(expected) or "signed by a known authority"
        what = f"the host key has changed: it is {shown}, and was {before}"
        action = (
            "somebody may listen in: check with whoever runs the machine, then remove the old key from "
            "known_hosts (`ssh-keygen -R`) by hand"
        )
        return Problem("ssh.host_key_changed", what, where, action)
    return Problem(
        "ssh.host_key_unknown",
        f"the host key {shown} is not known",
        where,
        "compare it with the machine's own, then accept it in the console, give --accept-new, "
        "or pin it as `fingerprint` of the environment",
    )
