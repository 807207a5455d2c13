"""The golden runs of every released format, and what a newer one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.golden import differences, expected, folded, formats, run_of
from tests.torture import p16
from tracekit.engine.history import open_path
from tracekit.wire.problems import ProblemError


@pytest.mark.parametrize("form", formats())
def test_golden_run__every_released_format__then_all_that_was_in_it_is_read(form: str) -> None:
    assert list(differences(expected(form), folded(open_path(run_of(form))))) == []


def test_differences__changed_and_missing__then_told_and_what_was_added_is_not() -> None:
    wanted = {"a": {"b": [1, 2]}, "c": 3}
    assert list(differences(wanted, {"a": {"b": [1, 2], "new": 0}, "c": 3})) == []
    assert list(differences(wanted, {"a": {"b": [1, 3]}, "c": 3})) == ["/a/b/1 is '3', not '2'"]
    assert list(differences(wanted, {"a": {"b": [1]}})) == ["/a/b is '[1]', not '[1, 2]'", "/c is missing"]


def test_p16__all_ways_and_newer_majors__then_nothing_is_broken() -> None:
    outcome = p16.main(0.1)
    assert outcome.faults == []
    assert outcome.figures["newer"] == 2 * len(formats())


def test_open_path__journal_of_a_newer_major__then_refused_naming_both(tmp_path: Path) -> None:
    journal = tmp_path / "journal.ndjson"
    journal.write_bytes(b'{"v":3,"n":1,"src":"a","e":"run.started"}\n')
    with pytest.raises(ProblemError) as caught:
        open_path(journal)
    assert "version 3" in caught.value.first.what
    assert "version 1" in caught.value.first.what
