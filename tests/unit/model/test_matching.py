"""What a person types for one scenario: an id or a part of one, and what is said of anything else."""

from __future__ import annotations

import pytest

from tracekit.model.matching import one_of
from tracekit.wire.problems import ProblemError

IDS = ("pytest:test_a.py::test_one", "pytest:test_a.py::test_two")


def test_one_of__a_selector__then_said_that_an_id_is_wanted() -> None:
    with pytest.raises(ProblemError) as caught:
        one_of("name:test_one", IDS, "last")
    assert "an id is wanted here" in caught.value.first.what
    assert "tracekit run -s" in caught.value.first.action


def test_one_of__nothing_is_called_so__then_the_nearest() -> None:
    with pytest.raises(ProblemError) as caught:
        one_of("pytest:test_a.py::test_tow", IDS, "last")
    assert caught.value.first.what == "no such scenario in this run"
    assert IDS[1] in caught.value.first.action


def test_one_of__a_last_name__then_that_one() -> None:
    assert one_of("test_two", IDS, "last") == IDS[1]
