"""Every screen at every size, compared with what a person has looked at and kept."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Golden, rendered
from tests.ui.screens import SHOTS
from tests.ui.shots import WIDE, Shot

CASES = [
    pytest.param(shot, size, id=f"{shot.name}-{size[0]}x{size[1]}") for shot in SHOTS for size in shot.sizes
]


@pytest.mark.parametrize(("shot", "size"), CASES)
def test_golden__screen_at_a_size__same_text_and_picture_as_kept(
    shot: Shot, size: tuple[int, int], golden: Golden
) -> None:
    golden(shot.name, shot.make, size, shot.before)


@pytest.mark.parametrize("name", ["failing", "running", "runs"])
def test_golden__rendered_three_times__no_difference(name: str) -> None:
    shot = next(shot for shot in SHOTS if shot.name == name)
    first = rendered(shot.make, WIDE, shot.before)
    assert [rendered(shot.make, WIDE, shot.before) for _ in range(2)] == [first, first]
