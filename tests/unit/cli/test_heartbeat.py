"""The plain log of a run without a terminal: a line a scenario, and a heartbeat by the places' own clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.model.journals import SUB, A, B, Journal
from tracekit.cli.live import _Progress
from tracekit.engine.places import Places
from tracekit.engine.view import RunView
from tracekit.wire import lines


@dataclass
class Clock:
    """Both clocks of a place, moved by hand."""

    seconds: float = 0.0

    def places(self, base: Path) -> Places:
        return Places(base, base, {}, now_ns=lambda: int(self.seconds * 1e9), monotonic=lambda: self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def live(tmp_path: Path, journal: Journal, clock: Clock) -> tuple[RunView, _Progress]:
    view = RunView("01RUN", str(tmp_path), tmp_path, link="attached")
    view.feed(b"".join(lines.encode(line) for line in journal.lines))
    return view, _Progress(view, clock.places(tmp_path))


def test_heartbeat__nothing_happens_for_30_seconds__then_counts_and_the_oldest_by_name_and_age(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    journal = Journal().add("run.started").ran("passed", A.replace("test_a", "test_z"))
    journal.start(B, t=int(960e9)).start(A, t=int(990e9)).start(SUB, t=int(950e9), parent=A)
    _, shown = live(tmp_path, journal, clock)
    shown.tick()
    assert "test_z" in capsys.readouterr().out
    clock.seconds += 29.9
    shown.tick()
    assert capsys.readouterr().out == ""
    clock.seconds += 0.1
    shown.tick()
    (line,) = capsys.readouterr().out.splitlines()
    assert "▶ 1/3" in line
    assert "2 running, the oldest for 70.0s: " + B in line
    shown.tick()
    assert capsys.readouterr().out == ""


def test_heartbeat__lines_keep_coming__then_it_beats_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    view, shown = live(tmp_path, Journal().add("run.started").start(A), clock)
    shown.tick()
    journal = Journal("local/main/11-1")
    for number in range(8):
        journal.ran("passed", f"{A}{number}")
        view.feed(lines.encode(journal.lines[-2]) + lines.encode(journal.lines[-1]))
        clock.seconds += 10
        shown.tick()
    told = capsys.readouterr().out.splitlines()
    assert len([line for line in told if "1 running, the oldest" in line]) == 2
    assert len([line for line in told if line.startswith("✓")]) == 8


def test_heartbeat__nothing_runs_yet__then_only_how_far_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    _, shown = live(tmp_path, Journal().add("run.started").found(A), clock)
    clock.seconds += 30
    shown.tick()
    assert "▶ 0/1" in (told := capsys.readouterr().out)
    assert "running" not in told


@pytest.mark.parametrize(
    ("suites", "what"), [(["a"], "its runner to end"), (["a", "b"], "the next suite, or ")]
)
def test_waited_for__all_that_is_known_has_ended_and_the_run_goes_on__then_said_once(
    suites: list[str],
    what: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    clock: Clock,
) -> None:
    journal = (
        Journal().add("run.started", suites=[{"name": name} for name in suites]).found(B).ran("passed", A)
    )
    view, shown = live(tmp_path, journal, clock)
    clock.seconds += 60
    shown.tick()
    assert "no test runs" not in capsys.readouterr().out, "one is still to come"
    view.feed(b"".join(map(lines.encode, Journal("local/main/11-1").ran("passed", B).lines)))
    for passed in (0, 4.9, 0.1, 10):
        clock.seconds += passed
        shown.tick()
    told = [line for line in capsys.readouterr().out.splitlines() if "no test runs" in line]
    assert len(told) == 1
    assert told[0].startswith(f"… no test runs: waits for {what}")


def test_wait__something_comes_or_it_ends__then_it_is_told_at_once_and_once(
    tmp_path: Path, clock: Clock
) -> None:
    journal = Journal().add("run.started").start(A)
    view, shown = live(tmp_path, journal, clock)
    assert view.moved.is_set()
    shown.wait()
    assert not view.moved.is_set()
    view.mark("ended")
    assert view.moved.is_set()
