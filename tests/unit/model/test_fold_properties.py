"""What holds for every journal: the promises of the fold, over generated ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.model.journals import (
    PROPERTY,
    Line,
    check_books,
    fold,
    hostile_lines,
    journals,
    json_values,
    merges,
    to_bytes,
    view,
)
from tracekit.model.fold import Fold
from tracekit.wire.lines import decode, encode


@PROPERTY
@given(journals())
def test_fold__any_prefix__then_every_question_has_an_answer(lines: list[Line]) -> None:
    folded = Fold()
    for line in lines:
        folded.feed(line)
        check_books(folded.state)
        view(folded.state)
    assert folded.state.damaged == 0


@PROPERTY
@given(journals(), st.lists(st.integers(0, 4000), max_size=8))
def test_fold__any_chunking__then_same_state(lines: list[Line], cuts: list[int]) -> None:
    data = to_bytes(lines)
    whole = Fold()
    assert whole.feed_bytes(data) == len(data)
    chunked, held, at = Fold(), b"", 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        held += data[at:cut]
        at = cut
        held = held[chunked.feed_bytes(held) :]
    assert held == b""
    assert view(chunked.state) == view(whole.state) == view(fold(lines).state)
    assert chunked.state.ids == whole.state.ids
    assert chunked.state.generation == whole.state.generation


@PROPERTY
@given(journals())
def test_fold__every_line_twice__then_same_as_once(lines: list[Line]) -> None:
    once = view(fold(lines).state)
    assert view(fold([*lines, *lines]).state) == once
    assert view(fold([copy for line in lines for copy in (line, line)]).state) == once


@PROPERTY
@given(merges())
def test_fold__another_merge_of_the_sources__then_same_state(pair: tuple[list[Line], list[Line]]) -> None:
    lines, other = pair
    assert view(fold(other).state) == view(fold(lines).state)


@PROPERTY
@given(journals())
def test_lines__through_json_and_back__then_same_state(lines: list[Line]) -> None:
    back = [decode(encode(line)) for line in lines]
    assert back == lines
    assert view(fold(back).state) == view(fold(lines).state)


@PROPERTY
@given(journals(), st.data())
def test_checkpoint__at_any_point_then_going_on__then_same_as_straight(
    lines: list[Line], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(lines)))
    first = fold(lines[:cut])
    if data.draw(st.booleans()):
        view(first.state)  # a state that was looked at is saved like one that was not
    second = Fold.restore(first.checkpoint())
    assert view(second.state) == view(first.state)
    third = Fold.restore(Fold.restore(first.checkpoint()).checkpoint())
    straight = fold(lines)
    for line in lines[cut:]:
        second.feed(line)
    for line in lines:  # from the start: what the checkpoint holds is recognised
        third.feed(line)
    check_books(second.state)
    assert view(second.state) == view(straight.state) == view(third.state)
    assert second.state.ids == straight.state.ids
    assert second.state.generation == straight.state.generation


@PROPERTY
@given(journals())
def test_causes__asked_at_every_line__then_same_as_asked_once(lines: list[Line]) -> None:
    asked = Fold()
    for line in lines:
        asked.feed(line)
        asked.state.causes()
    assert asked.state.causes() == fold(lines).state.causes()


@PROPERTY
@given(journals())
def test_take_changed__at_every_line__then_names_every_row_that_differs(lines: list[Line]) -> None:
    folded = Fold()
    state = folded.state
    seen: dict[int, Any] = {}
    for line in lines:
        folded.feed(line)
        changed = state.take_changed()
        now = {
            i: (state.status[i], state.duration[i], state.facts[i], state.attempts(i))
            for i in range(len(state.ids))
        }
        assert {i for i, row in now.items() if seen.get(i) != row} <= changed
        seen = now


@PROPERTY
@given(hostile_lines())
def test_fold__known_events_with_any_fields__then_never_raises(lines: list[Line]) -> None:
    folded = fold(lines)
    check_books(folded.state)
    shown = json.dumps(view(folded.state), sort_keys=True)
    again = Fold.restore(folded.checkpoint())
    assert json.dumps(view(again.state), sort_keys=True) == shown


@PROPERTY
@given(
    st.lists(
        st.one_of(st.binary(max_size=60), json_values.map(lambda value: json.dumps(value).encode())),
        max_size=8,
    )
)
def test_feed_bytes__anything__then_takes_whole_lines_and_counts_the_damaged(pieces: list[bytes]) -> None:
    data = b"\n".join(pieces)
    folded = Fold()
    assert folded.feed_bytes(data) == data.rfind(b"\n") + 1
    whole = [line for line in data[: data.rfind(b"\n") + 1].split(b"\n") if line.strip()]
    assert folded.state.damaged + folded.state.generation == len(whole)
