"""What kind of test a scenario is: as its runner says, as its author marked it, else as its file and its group say.

cargo knows; a mark of pytest says it; elsewhere a folder, a part of a file's name or the title of a group does.
What nobody says has no kind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracekit.model.facts import ScenarioFacts

#: The kinds, each with the words that say it.
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "unit": ("unit", "units"),
    "integration": ("integration", "integrations", "e2e", "end-to-end", "functional", "acceptance"),
    "doc": ("doc", "doctest", "doctests"),
    "bench": ("bench", "benches", "benchmark", "benchmarks"),
    "example": ("example", "examples"),
    "fuzz": ("fuzz",),
}
TEST_KINDS: Final = tuple(WORDS)
_KIND: Final = {word: kind for kind, words in WORDS.items() for word in words}
_PART = re.compile(r"[/.]")
_TITLE = re.compile(r"(.+?)(?: tests?)?")


def kinds_of(facts: ScenarioFacts) -> frozenset[str]:
    """The kinds of a scenario: what is said nearest to it counts, and nothing that stands farther away."""
    groups = [_TITLE.sub(r"\1", name) for name in facts.path[1:-1]]
    return _of(facts.tags) or _of(groups) or _of(_PART.split(facts.file)[:-1])


def _of(words: Iterable[str]) -> frozenset[str]:
    return frozenset(_KIND[word] for word in map(str.casefold, words) if word in _KIND)
