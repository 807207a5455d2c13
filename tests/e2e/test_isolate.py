"""Scenarios in processes of their own: they harm nobody, and they are told as every other one is."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import PATIENCE, Done, Sandbox
from tests.support.until import until

POLLUTERS = (Path(__file__).parents[1] / "fixtures" / "polluters" / "test_polluters.py").read_text()
UNITTEST = '[suite.api]\nrunner = "unittest"\n'
# Words of `run`, its profile, and how ids begin.
WAYS = {
    "plain": ((), "", "pytest:test_it.py::Polluters::"),
    "n2": (("--", "-n", "2"), "", "pytest:test_it.py::Polluters::"),
    "unittest": ((), UNITTEST, "unittest@api:test_it.py::Polluters::"),
}
DANGEROUS = ("test_b_pollutes", "test_c_kills", "test_d_exits")
VERDICTS = {
    "test_a_clean": "passed",
    "test_b_pollutes": "passed",
    "test_c_kills": "crashed",
    "test_d_exits": "crashed",
    "test_e_fails_behind_dirt": "passed",
    "test_f_red": "failed",
    "test_g_last": "passed",
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def project(sandbox: Sandbox, profile: str, text: str = POLLUTERS) -> Path:
    return sandbox.project({"test_it.py": text, **({"tracekit.toml": profile} if profile else {})})


def verdicts(done: Done) -> dict[str, str]:
    return {name.rpartition("::")[2]: word for name, word in done.verdicts().items()}


def isolate(names: tuple[str, ...], prefix: str = "*") -> list[str]:
    return [word for name in names for word in ("--isolate", f"{prefix}{name}")]


@pytest.mark.parametrize("way", WAYS)
def test_isolate__tests_that_pollute_and_kill__then_all_others_are_as_if_alone_and_nothing_is_lost(
    sandbox: Sandbox, way: str
) -> None:
    words, profile, prefix = WAYS[way]
    root = project(sandbox, profile)
    done = sandbox.run("run", root, *isolate(DANGEROUS, prefix), "--json", *words)
    assert done.code == 1, done.err
    assert verdicts(done) == VERDICTS
    assert len(done.of("attempt.ended")) == len(VERDICTS)
    pids = {line["scenario"].rpartition("::")[2]: line["pid"] for line in done.of("attempt.started")}
    others = {pids[name] for name in VERDICTS if name not in DANGEROUS}
    assert len(others) == (2 if way == "n2" else 1)
    assert len({pids[name] for name in DANGEROUS} - others) == len(DANGEROUS)
    signals = {line["scenario"].rpartition("::")[2]: line.get("signal") for line in done.of("attempt.ended")}
    assert signals["test_c_kills"] == signal.SIGKILL
    ended = done.of("run.ended")[0]
    assert (ended["verdicts"], ended["not_run_count"]) == ({"crashed": 2, "failed": 1, "passed": 4}, 0)
    shown = sandbox.run("show", done.run_id(), f"{prefix}test_c_kills")
    assert "SIGKILL" in shown.out
    assert sandbox.run("verify", done.run_id()).code == 0


@pytest.mark.parametrize("way", WAYS)
def test_isolate__key_of_a_suite_and_retries__then_every_attempt_has_a_process_of_its_own(
    sandbox: Sandbox, way: str
) -> None:
    words, profile, _ = WAYS[way]
    table = (
        profile or "[suite.api]\n"
    ) + 'isolate = ["*::test_[bcd]_*", "*::test_?_kills", "*_exits", "*_pollutes"]\n'
    root = project(sandbox, table)
    done = sandbox.run("run", root, "--retries", "1", "--json", *words)
    assert done.code == 1, done.err
    assert verdicts(done) == VERDICTS
    attempts: dict[str, list[int]] = {}
    for line in done.of("attempt.ended"):
        attempts.setdefault(line["scenario"].rpartition("::")[2], []).append(line["attempt"])
    twice = {"test_c_kills", "test_d_exits", "test_f_red"}
    assert attempts == {name: [1, 2] if name in twice else [1] for name in VERDICTS}
    pids = [line["pid"] for line in done.of("attempt.started") if "kills" in line["scenario"]]
    assert len(set(pids)) == 2
    again = sandbox.run("rerun", done.run_id(), "--failed", "--json")
    assert verdicts(again) == {name: VERDICTS[name] for name in twice}


def test_isolate__on_a_rerun__then_the_polluter_harms_nobody_any_more(sandbox: Sandbox) -> None:
    root = project(
        sandbox, "", POLLUTERS.replace("def test_c_kills", "def _c").replace("def test_d_exits", "def _d")
    )
    first = sandbox.run("run", root, "--json")
    assert verdicts(first)["test_e_fails_behind_dirt"] == "failed"
    again = sandbox.run(
        "rerun", first.run_id(), "--all", "--isolate", "test_it.py::Polluters::test_b_pollutes", "--json"
    )
    assert verdicts(again) == {name: word for name, word in VERDICTS.items() if word != "crashed"}


def test_isolate__everything__then_each_scenario_has_a_process(sandbox: Sandbox) -> None:
    root = project(sandbox, "")
    done = sandbox.run("run", root, "--isolate", "test_it.py", "--json")
    assert verdicts(done) == VERDICTS
    assert len({line["pid"] for line in done.of("attempt.started")}) == len(VERDICTS)
    assert not done.of("suite.failed")
    assert not done.of("discover.failed")


def test_isolate__stop_at_the_first_red_one__then_what_waits_is_not_run_and_named(sandbox: Sandbox) -> None:
    root = project(sandbox, "")
    done = sandbox.run("run", root, *isolate(DANGEROUS), "--json", "--", "-x")
    ended = done.of("run.ended")[0]
    assert [name.rpartition("::")[2] for name in ended["not_run"]] == ["test_g_last", *DANGEROUS]
    assert "test_c_kills" not in verdicts(done)


def test_isolate__nothing_fits__then_it_is_said_and_the_run_is_as_ever(sandbox: Sandbox) -> None:
    root = project(sandbox, "", "def test_one(): ...\n")
    done = sandbox.run("run", root, "--isolate", "test_it.py::test_two")
    assert done.code == 0
    assert "nothing was isolated: no scenario that ran is test_it.py::test_two" in done.out


GATED = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

def wait(number):
    (HERE / f"began{number}").touch()
    while not (HERE / f"gate{number}").exists():
        time.sleep(0.01)

def test_1(): wait(1)
def test_2(): wait(2)
def test_3(): wait(3)
"""


def begun(root: Path, number: int) -> None:
    until((root / f"began{number}").exists)


def test_isolate__daemon_is_killed_before_and_between_them__then_each_runs_exactly_once(
    sandbox: Sandbox,
) -> None:
    root = project(sandbox, "", GATED)
    process = sandbox.start("run", root, "--isolate", "test_it.py::test_2", "--isolate", "*test_3", "--json")
    for number in (1, 2, 3):
        begun(root, number)
        os.kill(until(sandbox.daemons)[0], signal.SIGKILL)
        (root / f"gate{number}").touch()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert out.count(b'"e":"attempt.ended"') == 3


def test_isolate__cancelled_while_one_runs_alone__then_the_others_are_not_run_and_named(
    sandbox: Sandbox,
) -> None:
    root = project(sandbox, "", GATED)
    process = sandbox.start("run", root, "--isolate", "*test_2", "--isolate", "*test_3", "--json")
    (root / "gate1").touch()
    begun(root, 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    lines: list[dict[str, Any]] = Done(0, out.decode(), err.decode()).lines()
    words = {line["scenario"][-6:]: line["verdict"] for line in lines if line["e"] == "attempt.ended"}
    assert words == {"test_1": "passed", "test_2": "cancelled"}
    ended = next(line for line in lines if line["e"] == "run.ended")
    assert [name[-6:] for name in ended["not_run"]] == ["test_3"]
