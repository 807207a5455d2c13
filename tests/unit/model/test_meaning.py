"""A filter that nothing passes: what was perhaps meant."""

from __future__ import annotations

import pytest

from tracekit.model.meaning import perhaps_meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind=lgo", "did you mean kind:log?"),
        ("kind:(enter,exti)", "did you mean kind:exit?"),
        ("KIND=lgo", ""),
        ("name:x kind = ouptut", "did you mean kind:output?"),
        ("level:eror", "did you mean level:error?"),
        ("kind:attempt.startd", "did you mean kind:attempt.started?"),
        ("kind=log", ""),
        ("kind:WARN", ""),
        ("kind:zzzzzz", ""),
        ("@kind=lgo", ""),
        ("mykind=lgo", ""),
        ("", ""),
    ],
)
def test_perhaps_meant__a_word_of_a_closed_set__then_the_nearest_known_one(text: str, said: str) -> None:
    assert perhaps_meant(text) == said
