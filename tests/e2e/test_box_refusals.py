"""Boxes that cannot be reached or have no room: each is said in words, with what to do, and ends with its code."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.support.pairs import Pair
from tests.support.unavailable import unavailable

NOISY = """
import pytest

@pytest.mark.parametrize("number", range(30))
def test_noisy(number):
    print("x" * 100_000)
    assert number != 7
"""


def named(folder: Path, host: str) -> tuple[Sandbox, Path]:
    sandbox = Sandbox(folder / "home")
    table = f'[suite.it]\n[env.box7]\nhost = "{host}"\nuser = "ci"\n'
    return sandbox, sandbox.project({"test_it.py": "def test_one(): pass\n", "tracekit.toml": table})


def test_run__there_is_no_such_host__then_said_with_where_to_correct_it(tmp_path: Path) -> None:
    sandbox, root = named(tmp_path, "nowhere.invalid")
    done = sandbox.run("run", root, "--env", "box7")
    assert (done.code, "no such host" in done.err, "correct `host`" in done.err) == (5, True, True), done.err


@pytest.mark.parametrize(
    ("program", "said"),
    [("/nowhere/connect %h", "cannot be started"), ('sh -c "exit 3"', "ended before the login was done")],
)
def test_check__program_that_is_to_connect_does_not__then_said_which_and_what_to_do(
    tmp_path: Path, program: str, said: str
) -> None:
    sandbox, root = named(tmp_path, "box7.lab")
    config = Path(sandbox.environ["HOME"]) / ".ssh" / "config"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"Host box7.lab\n  ProxyCommand {program}\n")
    done = sandbox.run("box", "check", "box7", cwd=root)
    assert (done.code, done.err) == (5, "")
    assert f"the ProxyCommand of this host {said}" in done.out
    assert program.partition(" ")[0] in done.out


def test_check__nobody_has_the_address__then_said_that_it_is_unreachable(tmp_path: Path) -> None:
    with sshd.network(9) as network:
        subprocess.run([*network.inside, "ip", "address", "flush", "dev", f"{network.name}p"], check=True)
        sandbox, root = named(tmp_path, network.address)
        done = sandbox.run("box", "check", "box7", cwd=root)
    assert done.code == 5
    assert re.search("connection failed|does not answer in time", done.out), done.out
    assert "→ " in done.out


def test_check__machine_takes_the_connection_and_is_silent__then_said_that_it_does_not_answer(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sandbox, root = named(tmp_path, "127.0.0.1")
        toml = root / "tracekit.toml"
        toml.write_text(f"{toml.read_text()}port = {silent.getsockname()[1]}\n")
        done = sandbox.run("box", "check", "box7", cwd=root)
    assert (done.code, "does not answer in time" in done.out) == (5, True), done.out
    assert "check that it is up and reachable" in done.out


@contextlib.contextmanager
def small(box: sshd.Box, place: Path, size: str) -> Iterator[None]:
    """A file system of so much below the home of the box's user."""
    place.mkdir()
    uid = box.home.stat().st_uid
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={uid}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        unavailable("only root mounts file systems, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with sshd.box(tmp_path / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=1") as box:
        made = Pair(box, tmp_path / "home", *sshd.lend_pytest(box))
        made.trust()
        yield made


def test_run__box_has_no_room_anywhere__then_said_and_nothing_has_begun(pair: Pair) -> None:
    pair.project(NOISY)
    cache = pair.box.home / ".cache"
    with small(pair.box, cache, "4k"):
        with contextlib.suppress(OSError):
            (cache / "full").write_bytes(bytes(1 << 16))
        # What is left are folders that somebody else made under its name.
        for shared in ("/var/tmp", "/tmp", "/dev/shm"):
            (Path(shared) / f"tracekit-{pair.box.home.stat().st_uid}").mkdir(mode=0o700)
        done = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert done.code == 5, done.err
    assert "no directory on the box takes the agent" in done.err
    assert "free space in the home directory there" in done.err
    assert not [*(pair.sandbox.state / "runs").glob("*")]


def test_run__disk_of_the_box_fills_up__then_same_verdicts_and_the_loss_is_told(pair: Pair) -> None:
    pair.project(NOISY)
    with small(pair.box, pair.box.home / ".local", "1m"):
        done = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert done.code == 1, done.err
    assert "29 passed, 1 failed" in done.out, done.out
    assert "could not be recorded" in done.out


def test_run__disk_of_the_box_is_full_before__then_said_with_what_to_do(pair: Pair) -> None:
    pair.project(NOISY)
    place = pair.box.home / ".local"
    with small(pair.box, place, "64k"):
        state = place / "state" / "tracekit" / "box"
        state.mkdir(parents=True)
        sshd.give(pair.box, place)
        state.chmod(0o700)
        with contextlib.suppress(OSError):
            (place / "full").write_bytes(bytes(1 << 20))
        done = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert done.code in {2, 5}, done.out
    assert "free space" in done.err, done.err
