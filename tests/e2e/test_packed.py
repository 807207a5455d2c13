"""A packed run by the commands: each answers as it did before, and says what is wrong where a file is damaged."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.support.cli import Done, Sandbox
from tests.support.journals import Journal
from tracekit.agent.system import Files
from tracekit.store.packing import pack
from tracekit.store.runs import RunFolder, RunStore
from tracekit.wire import lines
from tracekit.wire.ids import new_ulid

SUITE = """
def test_green():
    print("all is well\\n" * 2000)

def test_red():
    print("before the fall")
    assert 1 == 2, "not yet"
"""
LOOKS = {
    "runs": ["runs"],
    "show": ["show", "last"],
    "show-json": ["show", "last", "--json"],
    "show-red": ["show", "last", "test_red"],
    "show-green": ["show", "last", "test_green"],
    "replay": ["replay", "last", "--headless"],
    "replay-json": ["replay", "last", "--json"],
    "verify": ["verify", "last"],
    "verify-json": ["verify", "last", "--json"],
    "history": ["history", "test_red"],
    "events": ["events", "last"],
    "events-filter": ["events", "last", "--count"],
    "compare": ["compare", "last", "last"],
    "recover": ["recover", "last"],
    "junit": ["export", "last", "--junit", "-"],
    "ctrf": ["export", "last", "--ctrf", "-"],
    "journal": ["export", "last", "--json", "-"],
}
DAY_NS = 86_400 * 10**9


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def answers(sandbox: Sandbox) -> dict[str, Done]:
    return {name: sandbox.run(*words) for name, words in LOOKS.items()}


def test_packed_run__every_command__then_as_before(sandbox: Sandbox, tmp_path: Path) -> None:
    root = sandbox.project({"test_it.py": SUITE})
    run = sandbox.run("run", root, "--json").run_id()
    place = sandbox.state / "runs" / run / "local"
    assert sandbox.run("export", "last", "--bundle", str(tmp_path / "before")).code == 0
    before = answers(sandbox)
    assert pack(place, Files(), smallest=0) > 0
    assert answers(sandbox) == before
    assert sandbox.run("gc", "--rebuild").out.startswith("read 1 run again")
    for name in ("runs", "show-json", "history"):
        assert sandbox.run(*LOOKS[name]) == before[name]
    assert sandbox.run("export", "last", "--bundle", str(tmp_path / "after")).code == 0
    assert (tmp_path / "after").read_bytes() == (tmp_path / "before").read_bytes()
    assert sandbox.run("import", str(tmp_path / "before")).code == 0
    by_path = sandbox.run("replay", str(place / "journal.ndjson.zst"), "--json")
    assert by_path.out == before["replay-json"].out
    there = {path.name for path in place.iterdir()}
    assert there >= {"journal.ndjson.zst", "output.bin.zst"}
    assert not there & {"journal.ndjson", "output.bin"}
    again = sandbox.run("rerun", run, "--failed", "--json")
    assert again.code == 1
    assert again.verdicts() == {"pytest:test_it.py::test_red": "failed"}
    assert sandbox.run("pin", run).code == 0
    assert sandbox.run("delete", run, "--pinned").code == 0
    assert not place.exists()


@pytest.mark.parametrize("name", ["journal.ndjson.zst", "output.bin.zst"])
def test_packed_run__cut_short__then_file_and_next_action_are_named_and_nothing_is_removed(
    sandbox: Sandbox, name: str
) -> None:
    run = sandbox.run("run", sandbox.project({"test_it.py": SUITE}), "--json").run_id()
    place = sandbox.state / "runs" / run / "local"
    pack(place, Files(), smallest=0)
    file = place / name
    file.write_bytes(file.read_bytes()[:-20])
    for words in (
        ["verify"],
        ["show", "last", "test_green"],
        ["replay", "--json"],
        ["export", "--junit", "-"],
    ):
        told = sandbox.run(*words)
        assert told.code != 0, words
        assert str(file) in told.err
        assert "the packed file is damaged: it is cut short" in told.err
    assert "tracekit verify" in sandbox.run("show", "last", "test_green").err
    before = {path.name: path.read_bytes() for path in place.glob("*.zst")}
    assert sandbox.run("gc", "--rebuild").code == 0
    assert {path.name: path.read_bytes() for path in place.glob("*.zst")} == before


def stored(sandbox: Sandbox, days: int) -> RunFolder:
    """A run of some days ago."""
    ago = time.time_ns() - days * DAY_NS
    journal = Journal(run=new_ulid(ago // 10**6, b"\1" * 10))
    journal.start()
    scenario = journal.found("t.py", "test_it")
    journal.begin(scenario)
    journal.prints("all is well\n" * 1000, scenario)
    journal.end(scenario, "passed")
    journal.line("run.ended", reason="finished", verdicts={"passed": 1})
    folder = RunStore(sandbox.state).create(journal.run, {"run": journal.run, "root": "/srv", "plan": {}})
    folder.box_dir.mkdir()
    (folder.box_dir / "output.bin").write_bytes(bytes(journal.output))
    folder.journal.write_bytes(b"".join(map(lines.encode, journal.lines)))
    for path in folder.box_dir.iterdir():
        os.utime(path, ns=(ago, ago))
    return folder


def test_gc__runs_older_than_a_day__then_packed_and_said_and_nothing_the_next_time(sandbox: Sandbox) -> None:
    old = [stored(sandbox, days) for days in (3, 2)]
    foretold = sandbox.run("gc", "--dry-run")
    assert "would pack 2 runs, 23 KiB plain\n" in foretold.out
    assert all((folder.box_dir / "output.bin").is_file() for folder in old)
    done = sandbox.run("gc", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out.splitlines()[-1])
    assert (told["packed"], told["removed"]) == (2, 0)
    assert told["saved"] > 20_000
    assert all((folder.box_dir / "output.bin.zst").is_file() for folder in old)
    assert json.loads(sandbox.run("gc", "--json").out.splitlines()[-1])["packed"] == 0
    assert sandbox.run("verify", old[0].run_id).code == 0


BESIDE = """
import os, time

def test_it():
    while not os.path.exists(os.environ["PACKED_BESIDE"]):
        time.sleep(0.01)
"""


def test_run__old_runs_are_plain__then_packed_while_it_goes_on(sandbox: Sandbox) -> None:
    old = stored(sandbox, 2)
    assert sandbox.run("runs").code == 0
    sandbox.environ["PACKED_BESIDE"] = str(old.box_dir / "output.bin.zst")
    done = sandbox.run("run", sandbox.project({"test_it.py": BESIDE}), "--json")
    assert done.code == 0
    assert not (old.box_dir / "output.bin").exists()
    assert (sandbox.state / "runs" / done.run_id() / "local" / "journal.ndjson").is_file()
