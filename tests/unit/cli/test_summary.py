"""A run in words: what several processes say alike is told once, and no line number is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.model.journals import Journal
from tracekit.cli import summary
from tracekit.cli.painting import Paint
from tracekit.engine.view import RunView
from tracekit.wire import lines

SCENARIO = "unittest:test_a.py::TestA::setUpClass"


def told(journal: Journal, folder: Path) -> list[str]:
    view = RunView("01RUN", str(folder), folder, link="attached")
    view.feed(b"".join(lines.encode(line) for line in journal.lines))
    view.mark("ended")
    return list(summary.lines(view, Paint(on=False)))


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"incomplete": True, "verdicts": {"passed": 3}, "not_run_count": 0}, 0),
        ({"incomplete": True, "verdicts": {"passed": 3}, "not_run_count": 2}, 1),
        ({"incomplete": True, "verdicts": {"passed": 3}, "failed_to_start": True}, 1),
        ({"incomplete": True, "verdicts": {"passed": 3, "failed": 1}}, 1),
        ({"incomplete": True, "verdicts": {}}, 4),
    ],
)
def test_outcome__disk_took_nothing_of_the_end__then_the_agents_own_word_decides(
    end: dict[str, Any], code: int, tmp_path: Path
) -> None:
    view = RunView("01RUN", str(tmp_path), tmp_path, link="attached")
    view.feed(b"".join(lines.encode(line) for line in begun().lines))
    view.close(end)
    assert summary.outcome(view) == code
    unknown = any("no green run" in line for line in summary.lines(view, Paint(on=False)))
    assert unknown is bool(end.get("failed_to_start"))


@pytest.mark.parametrize("live", [False, True])
def test_lines__a_stall_was_printed_while_the_run_went_on__then_not_once_more_at_the_end(
    live: bool, tmp_path: Path
) -> None:
    view = RunView("01RUN", str(tmp_path), tmp_path, link="attached")
    journal = begun().add(
        "attempt.stalled", scenario=SCENARIO, attempt=1, limit="stall", after=3.0, stacks=[]
    )
    view.feed(b"".join(lines.encode(line) for line in journal.lines))
    view.mark("ended")
    printed = {id(notice) for notice in view.state.notices} if live else set()
    found = [line for line in summary.lines(view, Paint(on=False), printed) if "no sign of life" in line]
    assert found == ([] if live else [f"! {SCENARIO}: no sign of life for 3s"])


@pytest.mark.parametrize("located", [True, False])
def test_lines__conftest_raises__then_told_once_and_where_its_own_exception_is_known(
    located: bool, tmp_path: Path
) -> None:
    journal = begun()
    if located:
        chain = [{"type": "ImportError", "message": "no such", "frames": []}]
        failure: dict[str, Any] = {
            "when": "collect",
            "cause": "launch",
            "chain": chain,
            "text": "ImportError: no such",
        }
        journal.add("discover.failed", suite="api", file="conftest.py", message="no such", failure=failure)
    why: dict[str, Any] = {
        "code": "pytest.conftest",
        "why": "a conftest file raised",
        "command": [],
        "exit": 4,
        "signal": None,
    }
    journal.add("runner.failed_to_start", suite="api", launch="L1", stderr="", remedy="", **why)
    found = [line for line in told(journal, tmp_path) if line.startswith("✗")]
    assert found == (["✗ no such [api]"] if located else ["✗ a conftest file raised [api]"])


def begun() -> Journal:
    return Journal().add("run.started", suites=[{"name": "api", "runner": "unittest", "cwd": "/x"}])


def test_lines__processes_that_are_silent_alike__then_once_with_how_often(tmp_path: Path) -> None:
    journal = begun()
    for when in ("after the last test", "after the last test", "between two tests"):
        journal.add(
            "launch.stalled", suite="api", launch="L1", when=when, limit="stall", after=3.0, stacks=[]
        )
    silent = [line for line in told(journal, tmp_path) if "no sign of life" in line]
    assert silent == [
        "! api: no sign of life after the last test (2 times)",
        "! api: no sign of life between two tests",
    ]


def test_lines__processes_that_miss_the_same_for_the_same_reason__then_once_with_how_often(
    tmp_path: Path,
) -> None:
    journal = begun()
    for count in (1, 1, 2):
        journal.add("gap", what="trace", count=count, why="Python 3.8 is too old")
    missing = [line for line in told(journal, tmp_path) if "too old" in line]
    assert missing == [
        "! 1 trace missing: Python 3.8 is too old (2 times)",
        "! 2 trace missing: Python 3.8 is too old",
    ]


def test_lines__a_red_row_without_a_line__then_its_file_alone(tmp_path: Path) -> None:
    journal = begun().found(SCENARIO, file="test_a.py", line=0, suite="api").start(SCENARIO)
    journal.end("error", SCENARIO, cause="setup", reason="it broke")
    (row,) = [line for line in told(journal, tmp_path) if SCENARIO in line and "rerun" not in line]
    assert row.strip() == f"{SCENARIO}  test_a.py"
