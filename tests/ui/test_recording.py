"""The recorded session of the docs: a file that players read, and on its screen what it is kept for."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyte

CAST = Path(__file__).parents[2] / "docs" / "demo.cast"


def test_cast__played_on_an_emulator__is_version_2_in_order_and_shows_the_cause() -> None:
    head, *lines = [json.loads(line) for line in CAST.read_text().splitlines()]
    assert head["version"] == 2
    times = [at for at, kind, _ in lines if kind == "o"]
    assert times == sorted(times)
    assert len(times) == len(lines)
    screen = pyte.Screen(head["width"], head["height"])
    stream = pyte.Stream(screen)
    seen = set()
    for _, _, text in lines:
        stream.feed(text)
        told = "\n".join(screen.display)
        seen |= {words for words in ("OrderFailed", "[3 Output]", "high-contrast", "CAUSES") if words in told}
    assert seen == {"OrderFailed", "[3 Output]", "high-contrast", "CAUSES"}


def test_cast__of_this_machine__names_no_folder() -> None:
    assert re.findall(r"/(?:home|tmp|root|work|Users)/[^\s\"]+", CAST.read_text()) == []
