"""Any moment of a run: what a fold of the journal up to there gives, found without folding from the start."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.support import journals
from tests.unit.engine.test_archive import RUN, recorded
from tracekit.agent.system import Files
from tracekit.engine import journey as module
from tracekit.engine.history import History
from tracekit.engine.journey import Journey
from tracekit.engine.view import RunView
from tracekit.model.fold import Fold
from tracekit.model.state import RunState
from tracekit.store.packing import pack
from tracekit.store.runs import RunStore
from tracekit.wire.names import JOURNAL_FILE
from tracekit.wire.problems import ProblemError


def opened(tmp_path: Path, journal: journals.Journal) -> RunView:
    store = RunStore(tmp_path)
    recorded(store, journal, RUN)
    return History(store).open(store.find(RUN))


def told(state: RunState) -> object:
    attempts = [[repr(attempt) for attempt in state.attempts(i)] for i in range(len(state.ids))]
    causes = [(group.key, group.indices) for group in state.causes()]
    return state.ids, bytes(state.status), attempts, causes, state.notices, state.run.ended, state.counts


def folded(view: RunView, end: int) -> RunState:
    fold = Fold()
    with view.journal() as file:
        fold.feed_bytes(file.read(end))
    return fold.state


@pytest.mark.parametrize("make", [journals.failing, journals.flagged, journals.running])
def test_go__to_any_moment_in_any_order__is_the_fold_of_the_lines_up_to_it(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAST", 400)
    monkeypatch.setattr(module, "_NEAR_MOMENTS", 3)
    view = opened(tmp_path, make())
    journey = Journey(view)
    size = journey.read()
    assert size == len(journey.times) > 10
    places = [*range(size), *reversed(range(size)), *random.Random(4).choices(range(size), k=40)]
    for at in places:
        assert told(journey.go(at).state) == told(folded(view, journey._ends[at]))


def test_go__on__is_the_same_object_and_back_is_another(tmp_path: Path) -> None:
    journey = Journey(opened(tmp_path, journals.failing()))
    journey.read()
    first = journey.go(4)
    assert journey.go(9) is first
    assert journey.go(8) is not first


def test_go__in_a_long_run__folds_a_part_of_it_and_a_step_back_folds_a_few_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAST", 1)
    view = opened(tmp_path, journals.large(3000, 30))
    journey = Journey(view)
    last = journey.read() - 1
    read: list[int] = []
    lines = journey._lines
    monkeypatch.setattr(
        journey,
        "_lines",
        lambda start, end: (read.append(end - start), lines(start, end))[1],  # type: ignore[func-returns-value]
    )
    for at in (last, last // 2, last // 3, last - 5, 7):
        journey.go(at)
    assert max(read) <= 2 * max(view.folded // 32, module._PIECE)
    journey.go(last)
    del read[:]
    at = last
    for _ in range(5):
        at = journey.next_verdict(at, -1)
        journey.go(at)
    assert sum(sorted(read)[:-1]) < view.folded // 32


def test_verdicts__of_a_run__are_counted_one_by_one_and_end_at_both_ends(tmp_path: Path) -> None:
    journey = Journey(opened(tmp_path, journals.failing()))
    size = journey.read()
    at, seen = size - 1, 0
    while at > 0:
        at = journey.next_verdict(at, -1)
        seen += at > 0
    assert seen == len(journey.verdicts) == journey.verdicts_at(size - 1)
    assert journey.next_verdict(0, -1) == 0
    assert journey.next_verdict(journey.verdicts[-1], 1) == size - 1
    assert journey.next_verdict(size - 1, 1) == size


def test_steps__of_a_scenario__are_its_own_lines(tmp_path: Path) -> None:
    journey = Journey(opened(tmp_path, journals.failing()))
    size = journey.read()
    keeps = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
    at = journey.next_step(size - 1, keeps, -1)
    state = journey.go(at).state
    assert state.attempts(state.index[keeps])[0].verdict == "failed"
    state = journey.go(journey.next_step(at, keeps, -1)).state
    assert state.attempts(state.index[keeps])[0].verdict is None


def test_read__of_a_run_that_goes_on__takes_what_has_come_since(tmp_path: Path) -> None:
    view = opened(tmp_path, journals.running())
    journey = Journey(view)
    before = journey.read()
    journal = journals.running()
    more = len(journal.lines)
    journal.passes("pytest:auth/test_tokens.py::test_clock_skew", 5)
    from tracekit.wire.lines import encode

    data = b"".join(encode({**line, "run": RUN}) for line in journal.lines[more:])
    with (view.box_dir / JOURNAL_FILE).open("ab") as file:
        file.write(data + b'{"v":1,"e":"attempt.ended","half')
    view.feed(data)
    assert journey.read() > before
    assert journey.go(len(journey) - 1).state.counts == view.state.counts


def test_read__of_a_packed_run__is_the_same(tmp_path: Path) -> None:
    view = opened(tmp_path, journals.large(2000, 20))
    plain = Journey(view)
    plain.read()
    want = told(plain.go(900).state)
    assert pack(view.box_dir, Files())
    assert not (view.box_dir / JOURNAL_FILE).exists()
    packed = Journey(view)
    assert packed.read() == len(plain)
    assert told(packed.go(900).state) == want


def test_read__of_a_journal_that_is_gone__is_a_problem_with_what_to_do(tmp_path: Path) -> None:
    view = opened(tmp_path, journals.failing())
    journey = Journey(view)
    journey.read()
    (view.box_dir / JOURNAL_FILE).unlink()
    for ask in (Journey(view).read, lambda: journey.go(3)):
        with pytest.raises(ProblemError) as gone:
            ask()
        assert (gone.value.first.code, bool(gone.value.first.action)) == ("run.unreadable", True)


def test_read__lines_that_are_no_lines__cost_nothing(tmp_path: Path) -> None:
    journal = journals.failing()
    view = opened(tmp_path, journal)
    junk = (
        b'\n\x00\xff"e":"attempt.ended"\n{"e":"attempt.ended","t":1e400,"m":"x"\n[]\n'
        + b"x" * (1 << 19)
        + b"\n"
    )
    file = view.box_dir / JOURNAL_FILE
    file.write_bytes(junk + file.read_bytes())
    view.resume(Fold(), len(file.read_bytes()))
    journey = Journey(view)
    clean = Journey(opened(tmp_path / "clean", journal))
    assert journey.read() == clean.read()
    assert told(journey.go(12).state) == told(clean.go(12).state)
