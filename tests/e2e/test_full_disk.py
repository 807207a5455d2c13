"""A disk that is really full: a small file system under the state directory. Verdicts stand, the loss is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Sandbox
from tests.support.small_disks import NoMountError, mounted, resize
from tests.support.unavailable import unavailable
from tests.torture import p8_disks

NOISY = """
import pytest

@pytest.mark.parametrize("number", range(30))
def test_noisy(number):
    print("x" * 100_000)
    assert number != 7
"""


MANY = """
import pytest

@pytest.mark.parametrize("number", range(501))
def test_many(number):
    assert number != 500
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Sandbox]:
    """A user whose state directory holds one mebibyte."""
    sandbox = Sandbox(tmp_path / "home")
    state = sandbox.home / "state"
    try:
        with mounted(state, "1m"):
            yield sandbox
    except NoMountError:
        unavailable("mounting a small file system needs root")


def test_run__disk_fills_up__then_same_verdicts_and_exit_code_and_the_loss_is_told(
    small_disk: Sandbox,
) -> None:
    root = small_disk.project({"test_noisy.py": NOISY})
    done = small_disk.run("run", root)
    assert done.code == 1, done.out + done.err
    assert "29 passed, 1 failed" in done.out
    assert "could not be recorded; its verdicts stand: 1 failed, 29 passed" in done.out


def test_run__disk_is_full_while_it_goes_on__then_it_is_told_before_its_end(small_disk: Sandbox) -> None:
    go = small_disk.home / "go"
    waits = f"""
def test_zz_waits():
    import pathlib, time
    end = time.monotonic() + 60
    while not pathlib.Path({str(go)!r}).exists():
        assert time.monotonic() < end, "nobody was told"
        time.sleep(0.01)
"""
    root = small_disk.project({"test_noisy.py": NOISY + waits})
    told: list[str] = []
    with small_disk.start("run", root) as begun:
        assert begun.stdout is not None
        for line in map(bytes.decode, begun.stdout):
            told.append(line)
            if "parts of this run are not recorded: No space left on device (free space" in line:
                go.touch()
    assert go.exists(), told
    assert any("30 passed, 1 failed" in line for line in told), told


@pytest.mark.parametrize("size", ["300k", "500k", "700k"])
def test_run__disk_takes_not_even_all_verdicts__then_never_green_although_the_last_test_failed(
    small_disk: Sandbox, size: str
) -> None:
    # What is set aside for verdicts is a part of what was free: here it is enough for some of them.
    state = small_disk.home / "state"
    resize(state, size)
    root = small_disk.project({"test_many.py": MANY})
    report = small_disk.home / "report.xml"
    done = small_disk.run("run", root, "--junit", report)
    assert done.code == 1, done.out + done.err
    assert 'failures="0" errors="0"' not in report.read_text().splitlines()[1]
    assert "could not be recorded" in done.out
    # Nothing crashed, and what is not known is said to be so; where there is room for all verdicts they are right.
    assert "crashed" not in done.out
    assert "500 passed, 1 failed" in done.out or "could not be written down" in done.out, done.out


@pytest.mark.parametrize(("size", "project"), [("1m", NOISY), ("500k", MANY)])
def test_strict_recording__all_green_and_disk_fills_up__then_6_and_what_is_missing(
    small_disk: Sandbox, size: str, project: str
) -> None:
    resize(small_disk.home / "state", size)
    green = project.replace("!= 7", "!= -1").replace("!= 500", "!= -1")
    done = small_disk.run("run", small_disk.project({"test_it.py": green}), "--strict-recording")
    assert done.code == 6, done.out + done.err
    assert "exit 6, because of --strict-recording: " in done.err


def test_strict_recording__a_test_fails_and_disk_fills_up__then_1_and_the_loss_is_told(
    small_disk: Sandbox,
) -> None:
    done = small_disk.run("run", small_disk.project({"test_it.py": NOISY}), "--strict-recording")
    assert done.code == 1, done.out + done.err
    assert "the recording is incomplete, too: " in done.err


@pytest.mark.parametrize("trace", ["off", "calls"])
def test_strict_recording__there_is_room__then_as_ever(tmp_path: Path, trace: str) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_it.py": MANY.replace("!= 500", "!= -1")})
    done = sandbox.run("run", root, "--strict-recording", "--trace", trace)
    assert (done.code, done.err) == (0, "")
    empty = sandbox.run("run", sandbox.project({"conftest.py": ""}, "empty"), "--strict-recording")
    assert empty.code == 4, empty.out + empty.err


@pytest.mark.parametrize("flag", ["--detach", "--watch"])
def test_strict_recording__nobody_sees_the_end__then_refused(tmp_path: Path, flag: str) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_it.py": MANY})
    done = sandbox.run("run", root, "--strict-recording", flag)
    assert done.code == 2
    assert f"which {flag} is not" in done.err


@pytest.mark.parametrize("kind", list(p8_disks.KINDS))
def test_run__half_of_it_finds_no_room__then_all_that_is_told_is_so_and_the_same_once_there_is_room(
    small_disk: Sandbox, kind: str
) -> None:
    resize(small_disk.home / "state", "500k")
    assert p8_disks.breaches(small_disk, kind) == []


@pytest.mark.parametrize(("last", "green"), [("!= -1", True), ("!= 500", False)])
def test_reports__of_runs_that_are_whole__then_a_green_one_is_told_from_a_red_one(
    tmp_path: Path, last: str, green: bool
) -> None:
    # What a run on a full disk is held to is worth something only where it can be broken.
    sandbox = Sandbox(tmp_path / "home")
    sandbox.run("run", sandbox.project({"test_many.py": MANY.replace("!= 500", last)}), "-s", "*[500]")
    for option, is_green in p8_disks.GREENS.items():
        file = sandbox.home / f"report{option}"
        assert sandbox.run("export", "last", option, file).code == 0
        assert is_green(file.read_text()) is green


def test_run__disk_is_full_before__then_2_and_what_to_do(small_disk: Sandbox) -> None:
    root = small_disk.project({"test_noisy.py": NOISY})
    filler = small_disk.home / "state" / "filler"
    with filler.open("wb") as file:
        try:
            while True:
                os.write(file.fileno(), b"x" * 4096)
        except OSError:
            pass
    done = small_disk.run("run", root)
    assert done.code == 2, done.out + done.err
    assert "space" in done.err
    filler.unlink()
    assert small_disk.run("run", root, "-s", "*7]").code == 1
