"""Dealing scenarios to boxes: each once, longest first, files whole, what needs one another together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracekit.engine.sharing import deal


@given(st.integers(1, 6), st.lists(st.integers(0, 30), unique=True), st.integers(0, 5))
def test_deal__whatever_there_is__then_each_scenario_once_and_in_its_order(
    boxes: int, numbers: list[int], files: int
) -> None:
    ids = [f"pytest:test_{number % (files + 1)}.py::test_{number}" for number in numbers]
    shares = deal(ids, {}, boxes)
    assert len(shares) == boxes
    assert sorted(name for share in shares for name in share) == sorted(ids)
    assert all(share == [name for name in ids if name in share] for share in shares)


def test_deal__one_file_takes_longest__then_it_has_a_box_for_itself() -> None:
    ids = [f"pytest:test_{file}.py::test_{number}" for file in range(6) for number in range(3)]
    took = dict.fromkeys(ids, 1) | {name: 100 for name in ids if "test_2.py" in name}
    shares = deal(ids, took, 2)
    assert [name for name in ids if "test_2.py" in name] in shares


def test_deal__fewer_files_than_boxes__then_files_are_split() -> None:
    ids = [f"pytest:test_a.py::test_{number}" for number in range(9)]
    assert [len(share) for share in deal(ids, {}, 3)] == [3, 3, 3]


def test_deal__suites_need_one_another__then_they_stay_on_one_box() -> None:
    ids = [f"pytest@{suite}:t{n}.py::test" for suite in ("base", "top", "free") for n in range(4)]
    shares = deal(ids, {}, 3, {"top": ("base",)})
    tied = [name for name in ids if "@free" not in name]
    assert any(set(tied) <= set(share) for share in shares)
