"""The typed events name what the vocabulary names."""

from __future__ import annotations

from tracekit.model.events import TYPES, AttemptEnded, Event
from tracekit.wire.names import EVENTS, VERDICTS


def test_types__every_journal_event__then_has_a_type() -> None:
    # The supervisor's own lines stay in the spool and never reach a journal.
    assert set(TYPES) == {event for event in EVENTS if not event.startswith("process.")}


def test_types__every_type__then_carries_the_fields_of_a_line() -> None:
    for kind in TYPES.values():
        assert set(Event.__annotations__) <= set(kind.__annotations__)


def test_verdicts__of_an_ended_attempt__then_those_of_the_vocabulary() -> None:
    import typing

    hints = typing.get_type_hints(AttemptEnded)
    assert typing.get_args(hints["verdict"]) == VERDICTS
