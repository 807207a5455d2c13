"""Every way in which a host key can stand, each against OpenSSH's server and another author's."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ssh_server, sshd
from tests.support.links import refusal
from tracekit.link.hostkeys import HostKeys
from tracekit.link.login import Address, Question, Trust
from tracekit.link.ssh import SshLink
from tracekit.wire.problems import Problem

SERVERS = ("openssh", "asyncssh")


@dataclass
class Person:
    """Answers every question alike, and remembers what was asked."""

    answer: str | None
    asked: list[Question]

    async def ask(self, question: Question) -> str | None:
        self.asked.append(question)
        return self.answer


class Place:
    """A server, and the files of a person who wants in."""

    def __init__(self, box: sshd.Box, folder: Path, authority: str) -> None:
        self.box = box
        self.authority = authority
        self.folder = folder
        self.own, self.theirs = folder / "own", folder / "theirs"
        self.config = folder / "config"
        self.config.write_text(f"IdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n")
        self.person = Person(None, [])

    @property
    def key(self) -> str:
        return " ".join(self.box.host_key.with_suffix(".pub").read_text().split()[:2])

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key)

    def here(self, key: str, marker: str = "") -> str:
        return f"{marker}[127.0.0.1]:{self.box.port} {key}\n"

    def knows(self, text: str) -> None:
        self.theirs.write_text(text)

    def open(
        self, *, accept_new: bool = False, answer: str | None = "", pinned: str | None = None
    ) -> Problem | None:
        """Connect as far as the agent's first word; gives why not."""
        trust = Trust(HostKeys(self.own, [self.theirs]), accept_new=accept_new)
        self.person = Person(answer, [])
        link = SshLink(
            Address("127.0.0.1", self.box.user, self.box.port, pinned),
            self.folder / "cache",
            trust,
            asker=None if answer == "" else self.person,
            config=[self.config],
        )

        return refusal(link)

    def code(self, **options: object) -> str:
        found = self.open(**options)  # type: ignore[arg-type]
        return found.code if found else ""


def fingerprint(key: str) -> str:
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def new_key(file: Path, kind: str = "ed25519") -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(file)], check=True)
    return " ".join(file.with_suffix(".pub").read_text().split()[:2])


@contextlib.contextmanager
def serving(
    kind: str, folder: Path, authority: Path | None = None, name: str = "127.0.0.1"
) -> Iterator[sshd.Box]:
    if kind == "asyncssh":
        with ssh_server.box(folder, certificate=authority) as box:
            yield box
        return

    def settings(host_key: Path) -> str:
        told = f"SetEnv TRACEKIT_AGENT_IDLE=1\nSetEnv HOME={host_key.parents[1]}\n" if os.geteuid() else ""
        told = told or "SetEnv TRACEKIT_AGENT_IDLE=1\n"
        if authority is None:
            return told
        return f"{told}HostCertificate {ssh_server.sign_host(authority, host_key, name)}\n"

    with sshd.box(folder, settings=settings) as box:
        yield box


@pytest.fixture(scope="module", params=SERVERS)
def plain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Box]:
    with serving(request.param, tmp_path_factory.mktemp("plain")) as box:
        yield box


@pytest.fixture(scope="module", params=SERVERS)
def signed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[sshd.Box, str]]:
    folder = tmp_path_factory.mktemp("signed")
    authority = folder / "authority"
    key = new_key(authority)
    with serving(request.param, folder / "box", authority) as box:
        yield box, key


@pytest.fixture
def place(plain: sshd.Box, tmp_path: Path) -> Place:
    return Place(plain, tmp_path, "")


@pytest.fixture
def certified(signed: tuple[sshd.Box, str], tmp_path: Path) -> Place:
    return Place(signed[0], tmp_path, signed[1])


def hashed(place: Place) -> str:
    salt = b"saltsaltsaltsaltsalt"
    digest = hmac.new(salt, f"[127.0.0.1]:{place.box.port}".encode(), "sha1").digest()
    name = "|1|" + "|".join(base64.b64encode(part).decode() for part in (salt, digest))
    return f"{name} {place.key}\n"


@pytest.mark.parametrize(
    "lines",
    [
        lambda place: place.here(place.key),
        lambda place: f"127.0.0.1 {place.key}\n",
        hashed,
        lambda place: f"# a comment\nno key at all\n\xff\xfe\n{place.here(place.key)}",
    ],
    ids=["by port", "by plain name", "hashed", "among broken lines"],
)
def test_host_key__is_known__then_trusted_without_a_question(
    place: Place, lines: Callable[[Place], str]
) -> None:
    place.knows(lines(place))
    assert place.open(answer="save") is None
    assert not place.person.asked
    assert not place.own.exists()


def test_host_key__nobody_knows_it__then_refused_with_its_fingerprint(place: Place) -> None:
    found = place.open()
    assert found is not None
    assert (found.code, place.fingerprint in found.what) == ("ssh.host_key_unknown", True)
    assert not place.own.exists()


def test_host_key__accept_new__then_kept_in_our_own_file_and_strict_from_then_on(
    place: Place, tmp_path: Path
) -> None:
    assert place.open(accept_new=True) is None
    assert place.own.read_text() == place.here(place.key)
    assert place.own.stat().st_mode & 0o777 == 0o600
    assert place.open() is None
    assert not place.theirs.exists()
    place.own.write_text(place.here(new_key(tmp_path / "other")))
    assert place.code(accept_new=True) == "ssh.host_key_changed"


@pytest.mark.parametrize(("answer", "kept"), [("once", False), ("save", True)])
def test_host_key__person_accepts_it__then_once_or_for_good(place: Place, answer: str, kept: bool) -> None:
    assert place.open(answer=answer) is None
    assert [(each.kind, each.fingerprint) for each in place.person.asked] == [("host-key", place.fingerprint)]
    assert place.own.exists() is kept


def test_host_key__person_declines__then_refused_and_nothing_is_kept(place: Place) -> None:
    assert place.code(answer=None) == "ssh.host_key_unknown"
    assert not place.own.exists()


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_host_key__another_one_is_known__then_changed_whatever_anybody_says(
    place: Place, tmp_path: Path, kind: str
) -> None:
    other = new_key(tmp_path / "other", kind)
    place.knows(place.here(other))
    found = place.open(accept_new=True, answer="save")
    assert found is not None
    assert found.code == "ssh.host_key_changed"
    assert place.fingerprint in found.what
    assert fingerprint(other) in found.what
    assert not place.person.asked
    assert not place.own.exists()


def test_host_key__changed_in_both_files__then_the_commands_that_are_named_make_it_unknown(
    place: Place, tmp_path: Path
) -> None:
    other = new_key(tmp_path / "other")
    place.knows(f"# mine\nelse.where {other}\n{place.here(other)}")
    place.own.write_text(place.here(other))
    found = place.open()
    assert found is not None
    assert found.code == "ssh.host_key_changed"
    commands = [part for part in found.action.split("`") if part.startswith("ssh-keygen -R ")]
    ours, theirs = (found.action.index(f"-f {file}`") for file in (place.own, place.theirs))
    assert found.action[ours:].partition("(")[2].startswith("tracekit's own file)")
    assert found.action[theirs:].partition("(")[2].startswith("ssh's file")
    subprocess.run(["sh", "-c", commands[0]], check=True, capture_output=True)
    assert place.code(accept_new=True) == "ssh.host_key_changed"
    subprocess.run(["sh", "-c", commands[1]], check=True, capture_output=True)
    assert place.theirs.read_text() == f"# mine\nelse.where {other}\n"
    assert place.code() == "ssh.host_key_unknown"
    assert place.open(accept_new=True) is None


@pytest.mark.parametrize("name", ["[127.0.0.*]:{port}", "@cert-authority [127.0.0.1]:{port}"])
def test_host_key__changed_and_its_line_means_other_machines__then_the_line_is_named_instead_of_a_command(
    place: Place, tmp_path: Path, name: str
) -> None:
    other = new_key(tmp_path / "other")
    place.knows(f"# mine\n{name.format(port=place.box.port)} {other}\n")
    found = place.open()
    assert found is not None
    assert found.code == "ssh.host_key_changed"
    assert f"take line 2 out of `{place.theirs}` by hand" in found.action
    assert "ssh-keygen -R" not in found.action


def test_host_key__another_one_is_known_for_the_standard_port__then_only_unknown(
    place: Place, tmp_path: Path
) -> None:
    place.knows(f"127.0.0.1 {new_key(tmp_path / 'other')}\n")
    assert place.code() == "ssh.host_key_unknown"
    assert place.code(accept_new=True) == ""


@pytest.mark.parametrize(
    "lines",
    [
        lambda place: place.here(place.key, "@revoked "),
        lambda place: f"@revoked 127.0.0.1 {place.key}\n",
        lambda place: f"@revoked * {place.key}\n",
        lambda place: place.here(place.key) + f"@revoked 127.0.0.1 {place.key}\n",
        lambda place: place.here(place.key) + place.here(place.key, "@revoked "),
    ],
    ids=["by port", "by plain name", "everywhere", "by plain name, known by port", "known and revoked"],
)
def test_host_key__is_revoked__then_never_accepted(place: Place, lines: Callable[[Place], str]) -> None:
    place.knows(lines(place))
    found = place.open()
    number = next(n for n, line in enumerate(lines(place).splitlines(), 1) if line.startswith("@revoked"))
    assert found is not None
    assert f"line {number} of `{place.theirs}`" in found.action
    assert place.code(accept_new=True, answer="save") == "ssh.host_key_revoked"
    assert place.code(pinned=place.fingerprint) == "ssh.host_key_revoked"
    assert not place.person.asked
    assert not place.own.exists()


def test_host_key__is_pinned__then_the_only_one_that_is_accepted(place: Place, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other")
    place.knows(place.here(other))
    assert place.open(pinned=place.fingerprint) is None
    place.knows(place.here(place.key))
    found = place.open(pinned=fingerprint(other), accept_new=True, answer="save")
    assert found is not None
    assert found.code == "ssh.host_key_pinned"
    assert place.fingerprint in found.what
    assert fingerprint(other) in found.what
    assert not place.person.asked


def test_host_certificate__of_a_known_authority__then_trusted(certified: Place) -> None:
    certified.knows(certified.here(certified.authority, "@cert-authority "))
    assert certified.open() is None


def test_host_certificate__of_an_unknown_authority__then_its_plain_key_is_judged(certified: Place) -> None:
    found = certified.open()
    assert found is not None
    assert (found.code, certified.fingerprint in found.what) == ("ssh.host_key_unknown", True)
    assert certified.code(pinned=certified.fingerprint) == ""
    certified.knows(certified.here(certified.key))
    assert certified.open() is None


def test_host_certificate__of_another_authority_than_the_known_one__then_changed(
    certified: Place, tmp_path: Path
) -> None:
    certified.knows(certified.here(new_key(tmp_path / "other"), "@cert-authority "))
    assert certified.code(accept_new=True, answer="save") == "ssh.host_key_changed"
    assert not certified.person.asked


def test_host_certificate__authority_is_revoked__then_never_accepted(certified: Place) -> None:
    known = certified.here(certified.authority, "@cert-authority ")
    certified.knows(known + certified.here(certified.authority, "@revoked "))
    assert certified.code(accept_new=True, answer="save") == "ssh.host_key_revoked"


def test_host_certificate__for_another_name__then_said_so(tmp_path: Path) -> None:
    authority = tmp_path / "authority"
    key = new_key(authority)
    with serving("openssh", tmp_path / "box", authority, "another.example") as box:
        place = Place(box, tmp_path, key)
        place.knows(place.here(key, "@cert-authority "))
        assert place.code(accept_new=True) == "ssh.host_certificate"
