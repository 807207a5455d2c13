"""Everything dies in the middle of a run: `recover` makes a whole recording of what is on the disk."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.cli import Sandbox, processes_with
from tests.support.until import until

SUITE = """
import os, pathlib, time
HERE = pathlib.Path(__file__).parent

def test_first():
    print("first says", os.environ.get("API_TOKEN"))

def test_second():
    print("second says", os.environ.get("API_TOKEN"), flush=True)
    (HERE / "there").write_text("")
    time.sleep(600)

def test_third(): ...
"""
SECRET = "PASS-correct-horse-battery"


def kill_everything(sandbox: Sandbox) -> None:
    """Every process that the sandbox's commands left, until none is born any more."""

    def gone() -> bool:
        found = [pid for pid in processes_with(f"HOME={sandbox.home}") if pid != os.getpid()]
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not found

    until(gone)


def died(sandbox: Sandbox) -> Path:
    """A run in whose middle everything died; gives its directory."""
    root = sandbox.project({"test_it.py": SUITE})
    live = sandbox.start("run", root, "--json")
    until((root / "there").exists)
    # What was printed last must be on its way, whoever reads it.
    (run,) = (sandbox.state / "runs").iterdir()
    refused = sandbox.run("recover", run)
    assert refused.code == 2
    assert "live" in refused.err
    kill_everything(sandbox)
    live.communicate()
    return run


def test_recover__everything_died__then_whole_shown_and_told_in_counts(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home")
    run = died(sandbox)
    assert "not ended" in sandbox.run("verify", run.name).out
    done = sandbox.run("recover", run, "--json")
    assert done.code == 0, done.err
    (told,) = done.lines()
    assert (told["run"], told["whole"], told["ended"], told["not_run"]) == (run.name, False, 1, 1)
    assert told["verdicts"] == {"cancelled": 1, "passed": 1}
    assert sandbox.run("verify", run.name).code == 0
    shown = sandbox.run("show", run.name, "test_second").out
    assert "second says None" in shown
    assert "everything that ran it died" in shown
    again = sandbox.run("recover", run.name)
    assert (again.code, again.out.splitlines()[0]) == (0, f"nothing to recover: {run.name} has its end")
    (row,) = sandbox.run("runs", "--json").lines()
    assert (row["reason"], row["live"]) == ("agent-died", False)


def test_verify__copy_in_a_folder_of_another_name__then_the_run_that_it_is(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    assert sandbox.run("run", root).code == 0
    (run,) = (sandbox.state / "runs").iterdir()
    copy = tmp_path / "evidence"
    shutil.copytree(run, copy)
    done = sandbox.run("verify", copy)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"run {run.name} is whole")


def test_recover__secrets_gone_with_the_shell__then_asked_for_and_never_written(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home", {"API_TOKEN": SECRET})
    run = died(sandbox)
    copy = tmp_path / "copy" / run.name
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("words"))  # a socket is no file
    known = dict(sandbox.environ)
    del sandbox.environ["API_TOKEN"]
    refused = sandbox.run("recover", copy)
    assert refused.code == 2
    assert "API_TOKEN" in refused.err
    assert "--no-secrets" in refused.err
    assert sandbox.run("recover", copy, "--no-secrets").code == 0
    assert sandbox.run("recover", run, env=known).code == 0
    for place in (copy, run):
        assert sandbox.run("verify", place).code == 0
        assert not any(SECRET.encode() in file.read_bytes() for file in place.rglob("*") if file.is_file())
    assert "second says «redacted:API_TOKEN»" in sandbox.run("show", run.name, "test_second").out


@pytest.mark.parametrize("words", [["recover", "."], ["recover", "missing"], ["recover"]])
def test_recover__no_run__then_usage(tmp_path: Path, words: list[str]) -> None:
    assert Sandbox(tmp_path / "home").run(*words).code == 2
