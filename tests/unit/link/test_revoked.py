"""What the configuration of ssh says of trust: other files of known hosts, and keys that no machine may show."""

from __future__ import annotations

import subprocess
from pathlib import Path

import asyncssh
import pytest

from tracekit.link.hostkeys import HostKeys, Standing
from tracekit.link.login import Address, Login, Trust
from tracekit.link.sshconfig import read
from tracekit.wire.problems import ProblemError

HOST = ("box7", "", 22)


def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def line(found: asyncssh.SSHKey) -> str:
    return found.export_public_key("openssh").decode().strip()


@pytest.mark.parametrize("packed", [False, True])
def test_revoked_host_keys__known_and_revoked__then_revoked(tmp_path: Path, packed: bool) -> None:
    good, bad = key(), key()
    file = tmp_path / "revoked"
    file.write_text(f"# a list\n{line(bad)} a comment\n")
    if packed:
        made = tmp_path / "packed"
        subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(made), str(file)], check=True)
        file = made
    own = tmp_path / "own"
    own.write_text(f"box7 {line(good)}\nbox7 {line(bad)}\n")
    keys = HostKeys(own).configured(None, file)
    assert [keys.standing(*HOST, each) for each in (good, bad)] == [Standing.TRUSTED, Standing.REVOKED]
    assert keys.known(*HOST).trusted == [good]


def test_revoked_host_keys__file_cannot_be_read__then_no_key_is_trusted(tmp_path: Path) -> None:
    keys = HostKeys(tmp_path / "own").configured(None, tmp_path / "not there")
    with pytest.raises(ProblemError) as refused:
        keys.standing(*HOST, key())
    assert (refused.value.first.code, "RevokedHostKeys" in refused.value.first.action) == (
        "ssh.host_revoked",
        True,
    )


def test_read__files_for_one_host__then_they_are_said_of_it_alone(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host box7\n  UserKnownHostsFile {tmp_path}/a {tmp_path}/b\n  RevokedHostKeys {tmp_path}/%h.revoked\n"
        "  ProxyJump hop\nHost *\n  ProxyJump none\n  IdentityFile ~/.ssh/key\n"
    )
    said = read([str(config)], "box7", None, None)
    assert said.known == (tmp_path / "a", tmp_path / "b")
    assert (said.revoked, said.jump) == (tmp_path / "box7.revoked", "hop")
    other = read([str(config)], "box8", "me", 2222)
    assert (other.known, other.revoked, other.jump, len(other.keys or ())) == (None, None, "", 1)
    assert read([], "box7", None, None).keys is None


def test_refused__a_revoked_key_that_nobody_was_asked_about__then_its_fingerprint_is_told(
    tmp_path: Path,
) -> None:
    bad, other = key(), key()
    own = tmp_path / "own"
    for revoked in ([bad], [bad, other]):
        own.write_text("".join(f"@revoked box7 {line(each)}\n" for each in revoked))
        login = Login(Address("box7"), Trust(HostKeys(own)), None)
        problem = login.refused(ValueError("Host key is revoked"))
        shown = " or ".join(each.get_fingerprint() for each in revoked)
        assert (problem.code, problem.what) == ("ssh.host_key_revoked", f"the host key {shown} is revoked")
