"""The whole path as a user walks it: discover, run, drill, rerun, replay, attach, cancel; and what goes wrong."""

from __future__ import annotations

import json
import os
import signal
import stat
import sys
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Sandbox, processes_with
from tests.support.until import until

MIXED = {
    "test_shop.py": """
import pytest

def test_green():
    print("hello from green")

def test_red():
    assert {"total": 3} == {"total": 4}

@pytest.mark.parametrize("count", [1, 2])
def test_many(count):
    assert count < 2, "too many"

@pytest.mark.skip(reason="not today")
def test_skipped(): ...
"""
}
SLOW = {
    "test_slow.py": """
import pathlib, time

def test_first():
    print("first is done", flush=True)

def test_waits():
    print("now waiting", flush=True)
    gate = pathlib.Path(__file__).with_name("gate")
    while not gate.exists():
        time.sleep(0.02)

def test_last():
    pass
"""
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A user with nothing but a home."""
    return Sandbox(tmp_path / "home")


def test_list__then_every_scenario_with_place_and_schema(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    done = sandbox.run("list", root, "--json")
    assert done.code == 0, done.err
    rows = done.lines()
    assert [row["id"] for row in rows] == [
        "pytest:test_shop.py::test_green",
        "pytest:test_shop.py::test_red",
        "pytest:test_shop.py::test_many[1]",
        "pytest:test_shop.py::test_many[2]",
        "pytest:test_shop.py::test_skipped",
    ]
    assert {row["schema"] for row in rows} == {"tracekit.scenario/1"}
    assert rows[0]["line"] == 4
    assert sandbox.run("list", root, "--json").out == done.out
    (root / "test_more.py").write_text("def test_new(): ...\n")
    assert "test_more.py::test_new" in sandbox.run("list", root).out


def test_run__mixed__then_verdicts_groups_and_exit_code(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    done = sandbox.run("run", root)
    assert done.code == 1, done.err
    assert "AssertionError" in done.out
    assert "test_shop.py:8" in done.out
    assert "2 passed, 2 failed, 1 skipped" in done.out
    assert "tracekit rerun" in done.out


def test_run_json__then_it_is_the_recorded_journal_with_output_inline(sandbox: Sandbox) -> None:
    done = sandbox.run("run", sandbox.project(MIXED), "--json")
    assert done.code == 1, done.err
    run = done.run_id()
    recorded = (sandbox.state / "runs" / run / "local" / "journal.ndjson").read_text().splitlines()
    assert [json.loads(line)["n"] for line in recorded] == [line["n"] for line in done.lines()]
    texts = [line["text"] for line in done.of("output") if line.get("scenario", "").endswith("test_green")]
    assert "".join(texts) == "hello from green\n"
    assert done.of("run.ended")[0]["verdicts"]["failed"] == 2
    assert sandbox.run("verify", run).code == 0
    assert sandbox.run("replay", run, "--json").lines() == done.lines()


def test_rerun_failed__then_child_with_only_the_red_ones_and_the_same_flags(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    first = sandbox.run("run", root, "--json", "--", "-p", "no:cacheprovider").run_id()
    second = sandbox.run("rerun", first, "--json")
    assert second.code == 1
    assert set(second.verdicts()) == {"pytest:test_shop.py::test_red", "pytest:test_shop.py::test_many[2]"}
    started = second.of("run.started")[0]
    assert started["parent"] == first
    assert "no:cacheprovider" in " ".join(second.of("phase.started")[0]["command"])
    (root / "test_shop.py").write_text(
        MIXED["test_shop.py"].replace('"total": 4', '"total": 3').replace("< 2", "< 9")
    )
    third = sandbox.run("rerun", second.run_id(), "--failed", "--json")
    assert (third.code, set(third.verdicts().values())) == (0, {"passed"})
    done = sandbox.run("rerun", third.run_id(), "--outstanding")
    assert done.code == 4, done.out
    rows = {row["run"]: row["parent"] for row in sandbox.run("runs", "--json").lines()}
    assert rows == {first: None, second.run_id(): first, third.run_id(): second.run_id()}


def test_run_selected__then_only_what_matches(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    done = sandbox.run("run", root, "-s", "*test_many*", "--json")
    assert set(done.verdicts()) == {"pytest:test_shop.py::test_many[1]", "pytest:test_shop.py::test_many[2]"}
    assert sandbox.run("run", root, "-s", "nothing-like-it").code == 4
    assert sandbox.run("run", root, "-s", "status:(").code == 2


def test_show__one_scenario__then_steps_failure_and_output(sandbox: Sandbox) -> None:
    run = sandbox.run("run", sandbox.project(MIXED), "--json").run_id()
    shown = sandbox.run("show", run, "test_red")
    assert shown.code == 0, shown.err
    assert "call" in shown.out
    assert "AssertionError" in shown.out
    fact = sandbox.run("show", run, "test_green", "--json").lines()[0]
    assert fact["verdict"] == "passed"
    assert fact["attempts"][0]["output"] == "hello from green\n"


def test_live__a_line_before_the_test_ends__then_in_the_journal_already(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    for raw in process.stdout:
        line = json.loads(raw)
        if line["e"] == "output" and "now waiting" in line.get("text", ""):
            assert line["scenario"] == "pytest:test_slow.py::test_waits"
            assert line["attribution"] == "exact"
            break
    (root / "gate").touch()
    rest = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    assert b'"e":"run.ended"' in rest


def _waiting(sandbox: Sandbox, root: Path) -> str:
    """Start a run, wait until it waits, and give its id."""
    done = sandbox.run("run", root, "--detach")
    assert done.code == 0, done.err
    run = done.out.strip()
    journal = sandbox.state / "runs" / run / "local" / "journal.ndjson"
    until(lambda: b"test_waits" in journal.read_bytes() if journal.exists() else False)
    return run


def test_detach_and_attach__then_the_same_journal_and_verdict(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    run = _waiting(sandbox, root)
    process = sandbox.start("attach", run, "--json")
    (root / "gate").touch()
    out = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    journal = (sandbox.state / "runs" / run / "local" / "journal.ndjson").read_text().splitlines()
    assert len(out.splitlines()) == len(journal)


def test_console_killed__then_the_run_goes_on_and_nothing_is_missing(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    run = str(json.loads(process.stdout.readline())["run"])
    journal = sandbox.state / "runs" / run / "local" / "journal.ndjson"
    until(lambda: b"test_waits" in journal.read_bytes())
    process.kill()
    process.communicate()
    (root / "gate").touch()
    done = sandbox.run("attach", run, "--json")
    assert done.code == 0, done.err
    assert set(done.verdicts().values()) == {"passed"}
    assert len(done.verdicts()) == 3
    assert sandbox.run("verify", run).code == 0


def test_bridge_killed__then_the_console_comes_back_and_nothing_is_missing(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    first = process.stdout.readline()
    run = str(json.loads(first)["run"])
    for _ in range(3):
        bridges = until(lambda: children_of(process.pid))
        os.kill(bridges[0], signal.SIGKILL)
        until(lambda: set(children_of(process.pid)).isdisjoint(bridges))  # noqa: B023 - asked at once
    (root / "gate").touch()
    rest = process.stdout.read()
    assert process.wait(timeout=PATIENCE) == 0
    process.communicate()
    journal = (sandbox.state / "runs" / run / "local" / "journal.ndjson").read_bytes()
    assert len((first + rest).splitlines()) == len(journal.splitlines())
    noted = "".join(file.read_text() for file in (sandbox.state / "runs" / run).glob("console-*.ndjson"))
    assert "box.lost" in noted
    assert "box.resumed" in noted


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c__then_run_cancelled_and_nothing_left(
    sandbox: Sandbox, number: signal.Signals, code: int
) -> None:
    root = sandbox.project(SLOW)
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    run = str(json.loads(process.stdout.readline())["run"])
    journal = sandbox.state / "runs" / run / "local" / "journal.ndjson"
    until(lambda: b"test_waits" in journal.read_bytes())
    process.send_signal(number)
    out = process.stdout.read()
    process.communicate()
    assert process.returncode == code
    assert json.loads(out.splitlines()[-1])["e"] in {"run.ended", "ingested"}
    assert b'"reason":"cancelled"' in out
    token = json.loads((sandbox.state / "runs" / run / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []


def test_hangup__then_the_console_leaves_and_the_run_goes_on(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    run = str(json.loads(process.stdout.readline())["run"])
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 129
    (root / "gate").touch()
    assert sandbox.run("attach", run).code == 0


def test_cancel_command__then_zero_processes_and_the_reason_recorded(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    run = _waiting(sandbox, root)
    assert sandbox.run("cancel", run).code == 0
    token = json.loads((sandbox.state / "runs" / run / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []
    shown = {row["id"]: row["verdict"] for row in sandbox.run("show", run, "--json").lines()}
    assert shown["pytest:test_slow.py::test_first"] == "passed"
    assert shown["pytest:test_slow.py::test_waits"] == "cancelled"


def test_doctor__then_everything_answers(sandbox: Sandbox) -> None:
    done = sandbox.run("doctor", sandbox.project(MIXED), "--json")
    assert done.code == 0, done.out
    assert {row["check"] for row in done.lines()} >= {"tracekit", "native", "state", "agent", "suite ."}


def test_demo__then_the_planted_fault_is_found_with_its_place(sandbox: Sandbox) -> None:
    done = sandbox.run("demo", "--headless")
    assert done.code == 1, done.err
    assert ".py:" in done.out


def test_tui__without_a_terminal__then_2_and_the_headless_command(sandbox: Sandbox) -> None:
    process = sandbox.start(
        command=[sys.executable, "-c", "from tracekit.cli.main import tui; raise SystemExit(tui())"]
    )
    err = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 2
    assert "tracekit run" in err


def test_no_tests__then_4(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_none.py": "x = 1\n"})
    assert sandbox.run("run", root).code == 4
    assert sandbox.run("list", root).code == 4


def test_nothing_that_looks_like_tests__then_4_and_what_was_looked_for(sandbox: Sandbox) -> None:
    (sandbox.home / "empty").mkdir()
    done = sandbox.run("run", sandbox.home / "empty")
    assert done.code == 4
    assert "pytest.ini" in done.err


def test_import_error__then_1_with_the_cause_and_not_a_red_test(sandbox: Sandbox) -> None:
    root = sandbox.project(
        {"test_bad.py": "import no_such_module_here\n", "test_good.py": "def test_a(): ...\n"}
    )
    done = sandbox.run("run", root)
    assert done.code == 1
    assert "no_such_module_here" in done.out
    assert "test_bad.py" in done.out


def test_conftest_raises__then_1_with_stderr_and_a_remedy(sandbox: Sandbox) -> None:
    broken = "raise RuntimeError('from conftest')\n"
    root = sandbox.project({"conftest.py": broken, "test_a.py": "def test_a(): ...\n"})
    done = sandbox.run("run", root)
    assert done.code == 1
    assert "from conftest" in done.out
    assert "→" in done.out


def test_plugin_breaks_before_ours__then_failed_to_start_with_a_remedy(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_a.py": "def test_a(): ...\n"})
    done = sandbox.run("run", root, "--json", "--", "-p", "no_such_plugin_at_all")
    assert done.code == 1
    (failed,) = done.of("runner.failed_to_start")
    assert "no_such_plugin_at_all" in failed["stderr"]
    assert failed["remedy"]
    assert done.verdicts() == {}


def test_missing_interpreter__then_2_naming_it(sandbox: Sandbox) -> None:
    root = sandbox.project(
        {
            "test_a.py": "def test_a(): ...\n",
            "tracekit.toml": '[suite.x]\nrunner = "pytest"\npython = "no/such/python"\n',
        }
    )
    done = sandbox.run("run", root)
    assert done.code == 2, done.out + done.err
    assert "no/such/python" in done.out + done.err


def test_profile_with_five_mistakes__then_2_and_all_five(sandbox: Sandbox) -> None:
    text = """\
[suite.api]
runnr = "pytest"
timeout = "soon"
paths = "tests"
stall = -3
needs = ["nobody"]
"""
    root = sandbox.project({"test_a.py": "def test_a(): ...\n", "tracekit.toml": text})
    done = sandbox.run("run", root)
    assert done.code == 2
    for number in range(2, 7):
        assert f"tracekit.toml:{number}:" in done.err


def test_unwritable_state__then_2_with_next_action(sandbox: Sandbox) -> None:
    (sandbox.home / "state").write_text("a file")
    done = sandbox.run("run", sandbox.project(MIXED))
    assert done.code == 2
    assert "XDG_STATE_HOME" in done.err


def test_corrupt_run__then_2_and_verify_says_1(sandbox: Sandbox) -> None:
    run = sandbox.run("run", sandbox.project(MIXED), "--json").run_id()
    folder = sandbox.state / "runs" / run
    (folder / "run.json").write_bytes(b"\0\0\0")
    assert sandbox.run("show", run).code == 2
    assert sandbox.run("rerun", run).code == 2
    done = sandbox.run("verify", run)
    assert done.code == 1
    assert "run.json" in done.err


def test_suite_deletes_its_own_working_directory__then_verdicts_stand(sandbox: Sandbox) -> None:
    text = """
import os, shutil
def test_deletes(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    os.chdir(here)
    shutil.rmtree(here)
def test_after():
    print("still here")
def test_root():
    shutil.rmtree(os.path.dirname(__file__))
"""
    root = sandbox.project({"test_rm.py": text})
    done = sandbox.run("run", root, "--json")
    assert set(done.verdicts().values()) == {"passed"}, done.out
    assert len(done.verdicts()) == 3
    assert not root.exists()


def test_read_only_project__then_runs_all_the_same(sandbox: Sandbox) -> None:
    root = sandbox.project(MIXED)
    for path in (root, *root.iterdir()):
        path.chmod(path.stat().st_mode & ~stat.S_IWUSR)
    try:
        assert sandbox.run("run", root, "--json").code == 1
    finally:
        for path in (root, *root.iterdir()):
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_standard_output_closed__then_the_run_goes_on(sandbox: Sandbox) -> None:
    root = sandbox.project(SLOW)
    process = sandbox.start("run", root, "--json")
    assert process.stdout is not None
    run = str(json.loads(process.stdout.readline())["run"])
    process.stdout.close()
    assert process.wait(timeout=PATIENCE) == 128 + signal.SIGPIPE
    assert process.stderr is not None
    process.stderr.close()
    (root / "gate").touch()
    assert sandbox.run("attach", run).code == 0


def test_secret_in_environment_and_output__then_redacted_everywhere(sandbox: Sandbox) -> None:
    canary = "c4n4ry-5ecret-value"
    sandbox.environ["DEPLOY_TOKEN"] = canary
    text = """
import os
def test_leak():
    print(os.environ["DEPLOY_TOKEN"])
    assert os.environ["DEPLOY_TOKEN"] == "x"
"""
    done = sandbox.run("run", sandbox.project({"test_leak.py": text}), "--json")
    assert done.code == 1
    assert canary not in done.out
    for path in (sandbox.home / "state").rglob("*"):
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path
    assert "redacted:DEPLOY_TOKEN" in done.out


def test_nothing_left_behind__after_a_run__then_no_spool_and_no_process(sandbox: Sandbox) -> None:
    run = sandbox.run("run", sandbox.project(MIXED), "--json").run_id()
    folder = sandbox.state / "runs" / run
    assert not (folder / "local" / "spool").exists()
    token = json.loads((folder / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []
    assert sorted(path.name for path in (folder / "local").iterdir()) >= ["journal.ndjson"]


def test_secret_of_a_profile__then_in_the_test_and_in_no_file(sandbox: Sandbox) -> None:
    canary = "pr0file-c4nary-value"
    sandbox.environ["SOMEWHERE"] = canary
    profile = '[suite.api]\nrunner = "pytest"\n[suite.api.env]\nDB_PASS = { secret = true, from = "env:SOMEWHERE" }\n'
    text = """
import os
def test_has_it():
    print(os.environ["DB_PASS"])
    assert len(os.environ["DB_PASS"]) == 20
"""
    done = sandbox.run("run", sandbox.project({"tracekit.toml": profile, "test_a.py": text}), "--json")
    assert done.code == 0, done.out
    assert "redacted:DB_PASS" in done.out
    for path in (sandbox.home / "state").rglob("*"):
        if path.is_file():
            assert canary.encode() not in path.read_bytes(), path
    del sandbox.environ["SOMEWHERE"]
    missing = sandbox.run("run", sandbox.home / "project")
    assert missing.code == 2
    assert "SOMEWHERE" in missing.err


def test_green_tests_and_a_failing_exit_status__then_1_and_the_runners_own_words(sandbox: Sandbox) -> None:
    hook = (
        "def pytest_sessionfinish(session):\n    print('coverage is below 90')\n    session.exitstatus = 1\n"
    )
    root = sandbox.project({"conftest.py": hook, "test_a.py": "def test_a(): ...\n"})
    done = sandbox.run("run", root)
    assert done.code == 1, done.out
    assert "coverage is below 90" in done.out
    assert "1 passed" in done.out


LEAVES = {
    "test_leaves.py": """
kept = []

def test_leaves_a_file():
    kept.append(open(__file__))
    sum(range(2_000_000))
"""
}


def test_show__test_that_left_a_file_open__then_the_file_and_what_it_used_are_printed(
    sandbox: Sandbox,
) -> None:
    project = sandbox.project(LEAVES)
    sandbox.run("run", project)

    shown = sandbox.run("show", "last", "test_leaves_a_file").out

    assert f"left behind: file {project / 'test_leaves.py'} (descriptor " in shown
    assert "s user, " in shown
    assert " MiB" in shown
