"""Logging in as people do: locked keys, second factors, jump hosts, crowded servers; and what each failure says."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from tests.support import ssh_server, sshd
from tests.support.links import greeted, refusal
from tests.support.until import until
from tracekit.link.cutting import Cutting
from tracekit.link.hostkeys import HostKeys
from tracekit.link.login import Address, Question, Trust
from tracekit.link.ssh import SshLink
from tracekit.wire.problems import ProblemError

QUIET = "SetEnv TRACEKIT_AGENT_IDLE=1\n"
CROWD = 12


class Person:
    """Gives prepared answers by the kind of the question."""

    def __init__(self, **answers: str) -> None:
        self.answers = {kind.replace("_", "-"): answer for kind, answer in answers.items()}
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> str | None:
        self.asked.append(question)
        return self.answers.get(question.kind)


def link_to(
    box: sshd.Box, folder: Path, person: Person | None = None, *, config: str = "", host: str = "127.0.0.1"
) -> SshLink:
    file = folder / "config"
    file.write_text(f"{config}\nHost *\nIdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n")
    own = folder / "known"
    if not own.exists():
        own.write_text(box.known_host)
    user, port = (box.user, box.port) if host == "127.0.0.1" else (None, None)
    address = Address(host, user, port)
    return SshLink(address, folder / "cache", Trust(HostKeys(own)), asker=person, config=[file])


def code_of(link: SshLink) -> str:
    found = refusal(link)
    return found.code if found else ""


@contextmanager
def locked(box: sshd.Box, phrase: str) -> Iterator[None]:
    """The person's key has a passphrase for a while."""
    command = ["ssh-keygen", "-q", "-p", "-f", str(box.client_home / ".ssh" / "id_ed25519")]
    subprocess.run([*command, "-N", phrase, "-P", ""], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*command, "-N", "", "-P", phrase], check=True, capture_output=True)


@pytest.fixture(scope="module")
def openssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Box]:
    with sshd.box(tmp_path_factory.mktemp("openssh"), settings=QUIET) as box:
        yield box


def test_connection__ours_and_the_server_s_first_choice__then_the_library_gets_whole_packets(
    openssh: sshd.Box, tmp_path: Path
) -> None:
    async def over() -> object:
        async with link_to(openssh, tmp_path).connected() as connection:
            # The library has no word for it: that it is still called so is what this is for.
            transport = connection._transport
            assert transport is not None
            return transport.get_protocol()

    assert isinstance(anyio.run(over), Cutting)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Box]:
    with ssh_server.box(tmp_path_factory.mktemp("other")) as box:
        yield box


@pytest.fixture(params=["openssh", "other"])
def served(request: pytest.FixtureRequest) -> sshd.Box:
    found: sshd.Box = request.getfixturevalue(request.param)
    return found


def test_locked_key__passphrase_is_given__then_in_and_asked_once(served: sshd.Box, tmp_path: Path) -> None:
    person = Person(passphrase="open sesame")
    with locked(served, "open sesame"):
        assert refusal(link_to(served, tmp_path, person)) is None
    assert [question.kind for question in person.asked] == ["passphrase"]
    assert "id_ed25519" in person.asked[0].text
    kept = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(b"open sesame" in data for data in kept)


def test_locked_key__passphrase_is_wrong__then_said_so(served: sshd.Box, tmp_path: Path) -> None:
    with locked(served, "open sesame"):
        assert code_of(link_to(served, tmp_path, Person(passphrase="guess"))) == "ssh.wrong_passphrase"


def test_locked_key__passphrase_is_right_and_the_key_is_not_let_in__then_it_is_not_called_wrong(
    openssh: sshd.Box, tmp_path: Path
) -> None:
    person = Person(passphrase="open sesame")
    link = link_to(openssh, tmp_path, person)
    stranger = tmp_path / "stranger"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", str(stranger)], check=True
    )
    (tmp_path / "config").write_text(f"IdentityFile {stranger}\nIdentityAgent none\n")
    assert code_of(link) == "ssh.denied"


def test_configuration__names_known_hosts_and_revoked_keys__then_both_count(
    served: sshd.Box, tmp_path: Path
) -> None:
    (tmp_path / "known").write_text("")
    (tmp_path / "theirs").write_text(served.known_host)
    named = f"UserKnownHostsFile {tmp_path}/theirs"
    assert code_of(link_to(served, tmp_path)) == "ssh.host_key_unknown"
    assert code_of(link_to(served, tmp_path, config=named)) == ""
    (tmp_path / "revoked").write_text(served.known_host.split(" ", 1)[1])
    named += f"\nRevokedHostKeys {tmp_path}/revoked"
    assert code_of(link_to(served, tmp_path, config=named)) == "ssh.host_key_revoked"


def test_configuration__gives_the_key_a_name_of_its_own__then_that_name_alone_counts(
    served: sshd.Box, tmp_path: Path
) -> None:
    known, alias = tmp_path / "known", "HostKeyAlias the-lab-machine"
    known.write_text(served.known_host)  # under its address
    assert code_of(link_to(served, tmp_path)) == ""
    assert code_of(link_to(served, tmp_path, config=alias)) == "ssh.host_key_unknown"
    known.write_text("the-lab-machine " + served.known_host.split(" ", 1)[1])
    assert code_of(link_to(served, tmp_path, config=alias)) == ""
    assert code_of(link_to(served, tmp_path)) == "ssh.host_key_unknown"


def test_locked_key__nobody_to_ask__then_names_the_key_and_what_to_do(
    served: sshd.Box, tmp_path: Path
) -> None:
    with locked(served, "open sesame"):
        found = refusal(link_to(served, tmp_path))
    assert found is not None
    assert (found.code, "id_ed25519" in found.what, "ssh-add" in found.action) == (
        "ssh.needs_a_person",
        True,
        True,
    )


def test_key__is_not_the_machines__then_denied(served: sshd.Box, tmp_path: Path) -> None:
    link = link_to(served, tmp_path)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "else")], check=True)
    (tmp_path / "config").write_text(f"IdentityFile {tmp_path}/else\nIdentityAgent none\n")
    assert code_of(link) == "ssh.denied"


def test_certificate__of_an_authority_that_the_machine_trusts__then_in(tmp_path: Path) -> None:
    authority, key = tmp_path / "authority", tmp_path / "key"
    for file in (authority, key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)

    def settings(host_key: Path) -> str:
        trusted = host_key.with_name("trusted")
        trusted.write_text(authority.with_suffix(".pub").read_text())
        return f"{QUIET}TrustedUserCAKeys {trusted}\n"

    with sshd.box(tmp_path / "box", settings=settings) as box:
        link = link_to(box, tmp_path)
        (tmp_path / "config").write_text(f"IdentityFile {key}\nIdentityAgent none\n")
        assert code_of(link) == "ssh.denied"
        command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "person", "-n", box.user]
        subprocess.run([*command, str(key.with_suffix(".pub"))], check=True)
        assert code_of(link) == ""


def test_second_factor__is_answered__then_in(tmp_path: Path) -> None:
    with ssh_server.box(tmp_path / "box", keys=False, asks=True) as box:
        person = Person(interactive=ssh_server.ANSWER)
        assert refusal(link_to(box, tmp_path, person)) is None
        assert ssh_server.QUESTION.strip() in person.asked[0].text
        assert not person.asked[0].echo
        assert code_of(link_to(box, tmp_path, Person(interactive="0"))) == "ssh.denied"
        assert code_of(link_to(box, tmp_path, Person())) == "ssh.denied"
        assert code_of(link_to(box, tmp_path)) == "ssh.needs_a_person"


def test_password__is_asked_for__then_in_or_denied_after_three(tmp_path: Path) -> None:
    with ssh_server.box(tmp_path / "box", keys=False, password="plumage") as box:
        assert refusal(link_to(box, tmp_path, Person(password="plumage"))) is None
        wrong = Person(password="feather")
        assert code_of(link_to(box, tmp_path, wrong)) == "ssh.denied"
        assert len(wrong.asked) <= 3
        assert code_of(link_to(box, tmp_path)) == "ssh.needs_a_person"


def test_jump__two_hosts_by_the_persons_configuration__then_through_both(
    openssh: sshd.Box, other: sshd.Box, tmp_path: Path
) -> None:
    with sshd.box(tmp_path / "hop", settings=QUIET) as hop:
        key = f"{openssh.client_home}/.ssh/id_ed25519"
        config = (
            f"Host target\nHostName 127.0.0.1\nPort {other.port}\nUser tester\nProxyJump first,second\n"
            f"IdentityFile {other.client_home}/.ssh/id_ed25519\n"
            f"Host first\nHostName 127.0.0.1\nPort {openssh.port}\nUser {openssh.user}\nIdentityFile {key}\n"
            f"Host second\nHostName 127.0.0.1\nPort {hop.port}\nUser {hop.user}\n"
            f"IdentityFile {hop.client_home}/.ssh/id_ed25519\n"
        )
        link = link_to(openssh, tmp_path, config=config, host="target")
        (tmp_path / "known").write_text(openssh.known_host + hop.known_host + other.known_host)
        assert refusal(link) is None
        # Each host's own key counts, in front of and behind the others.
        (tmp_path / "known").write_text(openssh.known_host + other.known_host)
        found = refusal(link)
        assert found is not None
        assert (found.code, found.where) == ("ssh.host_key_unknown", "second")


def test_jump__host_forwards_nothing__then_says_which_way_is_closed(other: sshd.Box, tmp_path: Path) -> None:
    with sshd.box(tmp_path / "hop", settings=f"{QUIET}AllowTcpForwarding no\n") as hop:
        config = (
            f"Host target\nHostName 127.0.0.1\nPort {other.port}\nProxyJump hop\n"
            f"Host hop\nHostName 127.0.0.1\nPort {hop.port}\nUser {hop.user}\n"
        )
        link = link_to(hop, tmp_path, config=config, host="target")
        assert code_of(link) == "ssh.no_way"


def test_crowd__more_links_at_once_than_the_server_takes__then_all_get_in(tmp_path: Path) -> None:
    with sshd.box(tmp_path / "box", settings=f"{QUIET}MaxStartups 5:100:5\n") as box:
        limits: dict[str, anyio.CapacityLimiter] = {}
        heard: list[str] = []

        async def greet(number: int) -> None:
            link = link_to(box, tmp_path)
            link._limits = limits
            heard.append(await greeted(link, f"c{number}"))

        async def all_at_once() -> None:
            async with anyio.create_task_group() as tasks:
                for number in range(CROWD):
                    tasks.start_soon(greet, number)

        anyio.run(all_at_once)
        assert heard == ["hello"] * CROWD


def test_max_startups__is_reached_by_others__then_hung_up_and_why(tmp_path: Path) -> None:
    def knock() -> list[socket.socket]:
        """The one place that there is, once the server has forgotten who knocked before."""
        found = socket.create_connection(("127.0.0.1", box.port))
        if found.recv(4) == b"SSH-":
            return [found]
        found.close()
        return []

    with sshd.box(tmp_path / "box", settings="MaxStartups 1:100:1\n") as box, until(knock)[0]:
        found = refusal(link_to(box, tmp_path))
        assert found is not None
        assert (found.code, "MaxStartups" in found.action) == ("ssh.hung_up", True)


def test_max_sessions__allows_none__then_says_so(tmp_path: Path) -> None:
    with sshd.box(tmp_path / "box", settings="MaxSessions 0\n") as box:
        found = refusal(link_to(box, tmp_path))
        assert found is not None
        assert (found.code, "MaxSessions" in found.action) == ("ssh.no_session", True)


def test_port__speaks_another_protocol__then_hung_up(openssh: sshd.Box, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        link = link_to(openssh, tmp_path, config=f"Host web\nHostName 127.0.0.1\nPort {port}\n", host="web")

        async def answer() -> None:
            await anyio.to_thread.run_sync(talk)

        def talk() -> None:
            peer, _ = server.accept()
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 2000)
            peer.close()

        async def both() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer)
                with pytest.raises(ProblemError) as fault:
                    await link.open()
                assert fault.value.first.code == "ssh.hung_up"

        anyio.run(both)
