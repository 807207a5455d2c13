"""What test processes of a box recorded comes here with its run, while it goes on; without a library it is said why."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.pairs import Pair
from tests.support.unavailable import unavailable
from tests.support.until import until

LOGS = """
import logging, pathlib, time

GATE = pathlib.Path(__file__).with_name("gate")

def test_logs():
    number = 0
    while not GATE.exists():
        number += 1
        logging.warning("line %s", number)
        time.sleep(0.01)
    GATE.with_name("count").write_text(str(number))

def test_raises():
    try:
        1 / 0
    except ZeroDivisionError:
        pass
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with sshd.box(tmp_path / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=1") as box:
        made = Pair(box, tmp_path / re.sub(r"\W", "", tmp_path.name), *sshd.lend_pytest(box))
        made.project(LOGS)
        made.trust()
        yield made


def begun(pair: Pair) -> tuple[subprocess.Popen[bytes], Path]:
    """A run that is under way, and its copy here."""
    process = pair.sandbox.start("run", pair.here, "--env", "box7", "--json")
    runs = pair.sandbox.state / "runs"
    until(lambda: any(runs.glob("*/box7/journal.ndjson")))
    return process, next(runs.glob("*/box7"))


def rows(pair: Pair, run: str, text: str = "") -> list[dict[str, object]]:
    done = pair.sandbox.run("events", run, text, "--json")
    return [json.loads(line) for line in done.out.splitlines()]


def test_events__run_of_a_box_whose_line_is_cut__then_rows_come_while_it_goes_on_and_none_is_missing(
    pair: Pair,
) -> None:
    process, copy = begun(pair)
    segment = copy / "trace" / "seg-000000.tks"
    for _ in range(3):
        before = segment.stat().st_size if segment.exists() else 0
        until(lambda before=before: segment.exists() and segment.stat().st_size > before)  # type: ignore[misc]
        # What came before the last cut is still being written while nobody is connected yet.
        until(lambda: sshd.cut(pair.box))
    assert rows(pair, copy.parent.name, "kind=log")
    (pair.there / "gate").touch()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    logged = [row["text"] for row in rows(pair, copy.parent.name, "kind=log")]
    count = int((pair.there / "count").read_text())
    assert logged == [f"line {number}" for number in range(1, count + 1)]
    (end,) = [json.loads(line) for line in out.splitlines() if b'"e":"trace.ended"' in line]
    assert (end["complete"], end["records"]) == (True, len(rows(pair, copy.parent.name)) - lanes(pair, copy))
    assert pair.sandbox.run("verify", copy.parent.name).code == 0


def lanes(pair: Pair, copy: Path) -> int:
    """Rows that say how a lane ended are the drain's own."""
    return len(rows(pair, copy.parent.name, "kind=lane.end"))


def test_events__same_tests_here_and_on_a_box__then_rows_of_the_same_kinds(pair: Pair) -> None:
    for place in (pair.here, pair.there):
        (place / "gate").touch()
    there = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    here = pair.sandbox.run("run", pair.here, "--json")
    assert (there.code, here.code) == (0, 0), there.err
    told = [Counter(row["kind"] for row in rows(pair, done.run_id())) for done in (there, here)]
    assert told[0] == told[1]
    assert told[0]["scenario.end"] == 2


def test_run__home_of_the_box_may_hold_no_code__then_traced_all_the_same(pair: Pair) -> None:
    (pair.there / "gate").touch()
    with noexec(pair.box.home / ".cache"):
        sshd.give(pair.box, pair.box.home / ".cache")
        done = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
        until(lambda: not agents(pair))
    assert done.code == 0, done.err
    assert done.of("trace.ended")[0]["records"] > 0, done.of("box.facts")


def test_run__library_cannot_be_loaded_there__then_verdicts_as_ever_and_the_journal_says_why(
    pair: Pair,
) -> None:
    (pair.there / "gate").touch()
    first = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    until(lambda: not agents(pair))
    removed = [*(pair.box.home / ".cache").rglob("*.so")]
    assert removed
    for library in removed:
        library.write_bytes(b"no library at all")
    second = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    assert first.verdicts() == second.verdicts()
    missing = {each["what"]: each["why"] for each in second.of("box.facts")[0]["unavailable"]}
    assert missing["tracer"].startswith("the box library cannot be loaded")
    said = pair.sandbox.run("events", second.run_id())
    assert "the box library cannot be loaded" in said.err
    # One that is gone comes again.
    until(lambda: not agents(pair))
    for library in removed:
        library.unlink()
    third = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    assert third.of("trace.ended")[0]["records"] > 0


def agents(pair: Pair) -> list[int]:
    """Daemons, supervisors and wardens of the box's user."""
    found = []
    for pid in sshd.processes_of(pwd.getpwnam(pair.box.user).pw_uid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith("tracekit-"):
                found.append(pid)
    return found


@contextlib.contextmanager
def noexec(place: Path) -> Iterator[None]:
    """A file system of which nothing is run."""
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,size=64m,mode=700", "tracekit-test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        unavailable("only root mounts file systems, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
