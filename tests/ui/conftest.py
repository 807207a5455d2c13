"""Goldens of the console: the compositor's strips as text, and the picture of the same frame in screenshots/."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.consoles import Before, Console, settle
from tests.support.svg import picture, text_of

GOLDENS = Path(__file__).parent / "goldens"
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"

Golden = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest tests/ui --golden-update` writes goldens and screenshots from the screens as they are."""
    parser.addoption("--golden-update", action="store_true", help="write the goldens instead of comparing")


@pytest.fixture(autouse=True)
def full_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same colours in every terminal and in none."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACEKIT_GOLDEN", "1")


def rendered(
    make: Callable[[], Console], size: tuple[int, int], before: Before | None = None
) -> tuple[str, str]:
    """One screen, as text and as a picture."""

    async def go() -> tuple[str, str]:
        shown = make()
        async with shown.app.run_test(size=size) as pilot:
            await settle(pilot, shown)
            if before is not None:
                await before(pilot, shown)
                await settle(pilot, shown)
            assert shown.app.safety.caught == 0
            return shown.screen_text(), picture(shown.strips(), size[0], shown.app.look.colours)

    return asyncio.run(go())


def compare(name: str, size: tuple[int, int], text: str, svg: str, *, update: bool) -> None:
    """Against the golden; the picture must show the same text."""
    path = GOLDENS / f"{name}.{size[0]}x{size[1]}.txt"
    shot = SCREENSHOTS / f"{name}.{size[0]}x{size[1]}.svg"
    assert text_of(svg, size[1]) == text
    if update:
        for file, content in ((path, text), (shot, svg)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        return
    for file, content in ((path, text), (shot, svg)):
        if not file.is_file():
            pytest.fail(f"{file.name} is missing: look at the screen with --golden-update", pytrace=False)
        want = file.read_text(encoding="utf-8")
        if want != content:
            told = difflib.unified_diff(want.splitlines(), content.splitlines(), "golden", "now", lineterm="")
            pytest.fail(f"{file.name}\n" + "\n".join(list(told)[:120]), pytrace=False)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """`golden(name, make, size, before)`: render and compare."""
    update = bool(request.config.getoption("--golden-update", default=False))

    def check(
        name: str,
        make: Callable[[], Console],
        size: tuple[int, int] = (120, 36),
        before: Before | None = None,
    ) -> None:
        compare(name, size, *rendered(make, size, before), update=update)

    return check


def drive(
    make: Callable[[], Console], story: Callable[[Any, Console], Any], size: tuple[int, int] = (120, 36)
) -> Console:
    """Run a story of keys against a console; gives the console with its fakes."""

    async def go() -> Console:
        shown = make()
        async with shown.app.run_test(size=size) as pilot:
            await settle(pilot, shown)
            await story(pilot, shown)
        return shown

    return asyncio.run(go())
