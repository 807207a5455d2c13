from __future__ import annotations

import pytest

from tests.torture.decode_profile import torture_profile
from tests.torture.hostile_profiles import HOSTILE, judge
from tracekit.config.document import MAX_BYTES
from tracekit.config.loader import check_text


@pytest.mark.parametrize("name", HOSTILE)
def test_check__hostile_document__then_refused_with_its_place_in_bounded_memory(name: str) -> None:
    assert judge(HOSTILE[name].encode()) == []


def test_check__document_beyond_the_size__then_refused_before_it_is_parsed() -> None:
    _, problems = check_text(b"#" * (MAX_BYTES + 1))
    assert [(problem.where, problem.code) for problem in problems] == [
        ("tracekit.toml:1", "config.too_large")
    ]


def test_check__largest_harmless_document__then_read() -> None:
    assert check_text(b"#" * MAX_BYTES)[1] == []


def test_torture__mutated_profiles__then_only_problems() -> None:
    figures = torture_profile(400)
    assert figures["faults"] == []
    assert figures["good"]
    assert figures["refused"]
