"""The hard ways: readers that stop, full disks, links that break at the wrong moment, damage, secrets in odd places."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.test_spine import MIXED, SLOW, children_of
from tests.support.cli import PATIENCE, Sandbox, processes_with
from tests.support.until import until


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A user with nothing but a home."""
    return Sandbox(tmp_path / "home")


def test_reader_that_stops_reading__then_ctrl_c_still_cancels(sandbox: Sandbox) -> None:
    text = """
import time
def test_floods():
    while True:
        print("x" * 4000, flush=True)
        time.sleep(0.001)
"""
    root = sandbox.project({"test_flood.py": text})
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    run = str(json.loads(process.stdout.readline())["run"])
    output = sandbox.state / "runs" / run / "local" / "output.bin"
    until(lambda: output.stat().st_size > 1 << 20)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 130
    process.communicate()
    shown = {row["id"]: row["verdict"] for row in sandbox.run("show", run, "--json").lines()}
    assert shown == {"pytest:test_flood.py::test_floods": "cancelled"}


def test_standard_output_on_a_full_device__then_the_runs_own_exit_code(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    with Path("/dev/full").open("wb") as full:
        process = sandbox.start("run", root, stdout=full)
        err = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 1
    assert "standard output" in err
    with Path("/dev/full").open("wb") as full:
        process = sandbox.start("runs", stdout=full)
        err = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 2
    assert "standard output" in err


def test_secret_in_args__then_not_in_any_file_and_back_at_the_rerun(sandbox: Sandbox) -> None:
    sandbox.environ["APP_TOKEN"] = "t0ken-in-arguments"
    root = sandbox.project({"test_a.py": "def test_a(): assert 0\ndef test_b(): ...\n"})
    first = sandbox.run("run", root, "--json", "--", "-k", "not t0ken-in-arguments")
    assert first.code == 1, first.err
    for path in (sandbox.home / "state").rglob("*"):
        if path.is_file():
            assert b"t0ken-in-arguments" not in path.read_bytes(), path
    assert sandbox.run("rerun", first.run_id()).code == 1
    del sandbox.environ["APP_TOKEN"]
    missing = sandbox.run("rerun", first.run_id())
    assert missing.code == 2
    assert "APP_TOKEN" in missing.err


def test_ctrl_c_while_starting__then_nothing_is_left_running(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    folder = sandbox.state / "runs"
    tokens: set[str] = set()
    for _ in range(6):
        process = sandbox.start("run", root, "--json")
        until(partial(_begun, folder, tokens))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert [pid for token in tokens for pid in processes_with(f"TRACEKIT_RUN_TOKEN={token}")] == []


def _begun(folder: Path, known: set[str]) -> bool:
    """Whether a run has its folder that had none before; its token is kept, since the folder may go again."""
    for file in folder.glob("*/run.json"):
        try:
            token = str(json.loads(file.read_text())["nonce"])
        except OSError:
            continue
        if token not in known:
            known.add(token)
            return True
    return False


def test_bridge_killed_near_the_end__then_still_the_runs_own_exit_code(sandbox: Sandbox) -> None:
    root = sandbox.project(
        {"test_a.py": "import time\ndef test_a():\n    time.sleep(1)\ndef test_b(): ...\n"}
    )
    process = sandbox.start("run", root)
    until(lambda: list((sandbox.state / "runs").glob("*/local/journal.ndjson")))
    (journal,) = (sandbox.state / "runs").glob("*/local/journal.ndjson")
    until(lambda: b"test_b" in journal.read_bytes().partition(b"attempt.started")[2])
    for bridge in children_of(process.pid):
        os.kill(bridge, signal.SIGKILL)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, (out, err)


def test_rerun_of_an_unknown_scenario__then_4_and_no_run(sandbox: Sandbox) -> None:
    run = sandbox.run("run", sandbox.project(MIXED), "--json").run_id()
    done = sandbox.run("rerun", run, "-s", "pytest:test_shop.py::test_reed")
    assert done.code == 4
    assert "test_red" in done.err
    assert len(list((sandbox.state / "runs").iterdir())) == 1


def test_path_with_names__then_only_that_test(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    done = sandbox.run("run", f"{root}/test_shop.py::test_green", "--json")
    assert set(done.verdicts()) == {"pytest:test_shop.py::test_green"}, done.err


def test_damaged_journal__then_2_and_the_damage_is_told(sandbox: Sandbox) -> None:
    run = sandbox.run("run", sandbox.project(MIXED), "--json").run_id()
    journal = sandbox.state / "runs" / run / "local" / "journal.ndjson"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:5], b"garbage\n", *lines[6:]]))
    for words in (("show", run), ("replay", run, "--headless"), ("rerun", run)):
        assert sandbox.run(*words).code == 2, words
    assert "tracekit verify" in sandbox.run("show", run).out
    journal.write_bytes(b"")
    assert sandbox.run("show", run).code == 2


def test_cancel_one_scenario__then_only_that_one_and_the_rest_goes_on(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    run = sandbox.run("run", root, "--detach").out.strip()
    journal = sandbox.state / "runs" / run / "local" / "journal.ndjson"
    until(lambda: journal.exists() and b"now waiting" in (journal.parent / "output.bin").read_bytes())
    assert sandbox.run("cancel", run, "pytest:test_slow.py::test_nobody").code == 4
    assert sandbox.run("cancel", run, "pytest:test_slow.py::test_first").code == 2
    done = sandbox.run("cancel", run, "test_waits")
    assert done.code == 0, done.err
    until(lambda: b'"e":"run.ended"' in journal.read_bytes())
    shown = {
        row["id"].rpartition("::")[2]: row["verdict"] for row in sandbox.run("show", run, "--json").lines()
    }
    assert shown == {"test_first": "passed", "test_waits": "cancelled", "test_last": "passed"}


FAULTY = """
import sys
from tracekit.engine.keeping import Keeper

def fails(*_):
    raise LookupError("a fault of ours")

Keeper.beside_a_run = fails
from tracekit.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_run__a_fault_in_the_engine__then_told_with_3_and_the_run_goes_on_and_can_be_followed(
    sandbox: Sandbox, option: list[str]
) -> None:
    root = sandbox.project(SLOW)
    told = sandbox.run(command=[sys.executable, "-c", FAULTY, "run", str(root), *option])
    assert told.code == 3, told
    assert "LookupError: a fault of ours" in told.err
    assert "this is a fault of tracekit itself" in told.err
    (folder,) = (sandbox.state / "runs").iterdir()
    (root / "gate").touch()
    done = sandbox.run("attach", folder.name, "--json")
    assert (done.code, [*done.verdicts().values()]) == (0, ["passed"] * 3), done.err


def test_run__standard_input_is_closed__then_as_ever(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    ours = [sys.executable, "-m", "tracekit.cli.main"]
    for words in (["run", str(root)], ["rerun", "--all"]):
        done = sandbox.run(command=["sh", "-c", 'exec "$@" <&-', "sh", *ours, *words])
        assert (done.code, "1 passed" in done.out) == (0, True), done


def test_cancel__thousands_have_not_begun__then_they_are_counted_and_not_listed(sandbox: Sandbox) -> None:
    root = sandbox.project(
        {
            "test_many.py": "import time, pytest\n"
            "def test_first(): open('begun', 'w').close(); time.sleep(60)\n"
            "@pytest.mark.parametrize('n', range(2000))\ndef test_n(n): ...\n"
        }
    )
    process = sandbox.start("run", root, cwd=root)
    until((root / "begun").exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert b"2000 not run" in out
    assert out.count(b"\n") < 40, out[-2000:]
