"""What is read and believed before any server has said a word: the configuration of ssh, and keys accepted before."""

from __future__ import annotations

from pathlib import Path

import anyio
import asyncssh
import pytest

from tracekit.link.hostkeys import HostKeys
from tracekit.link.login import Address, Login, Trust
from tracekit.link.ssh import SshLink
from tracekit.wire.problems import Problem, ProblemError

# Nobody listens on this port of the loopback.
CLOSED = Address("127.0.0.1", None, 1)


def told(tmp_path: Path, text: str) -> Problem:
    """The problem of a connection with this configuration."""
    config = tmp_path / "config"
    config.write_text(text)
    link = SshLink(CLOSED, tmp_path / "cache", Trust(HostKeys(tmp_path / "known")), config=[config])

    async def connect() -> None:
        async with link.connected():
            raise AssertionError("somebody listens there")

    with pytest.raises(ProblemError) as caught:
        anyio.run(connect)
    return caught.value.first


@pytest.mark.parametrize("text", ["Host *\n  Port abc\n", 'Host *\n  User "open\n'])
def test_config__that_is_none__then_its_file_and_line_and_what_to_do(tmp_path: Path, text: str) -> None:
    problem = told(tmp_path, text)
    assert problem.code == "ssh.config"
    assert f"{tmp_path}/config line 2" in problem.what
    assert "ssh -G" in problem.action


def test_config__names_a_key_that_is_not_there__then_passed_over_as_ssh_does(tmp_path: Path) -> None:
    assert told(tmp_path, f"Host *\n  IdentityFile {tmp_path}/no-such-key\n").code == "ssh.refused"


def test_host_key__accepted_of_one_machine__then_nothing_to_another(tmp_path: Path) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
    trust = Trust(HostKeys(tmp_path / "known"))

    def believes(host: str, address: str, port: int) -> bool:
        login = Login(Address(host, None, port), trust, None)
        login.known(host, address, port)
        trust.accept_new = host == "box-a"
        believed = login.validate_host_public_key(host, address, port, key)
        return believed or anyio.run(login.accepted)

    assert believes("box-a", "10.0.0.1", 22)
    assert not believes("box-b", "10.0.0.2", 22)
    assert not believes("box-a.lab", "10.0.0.1", 2222)
