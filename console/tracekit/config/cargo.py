"""The keys of a suite of cargo, and the cells of its matrix: each set of features with each of cargo's profiles.

A cell is a suite of its own, named by what it is built with, so that everything that knows suites knows cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracekit.config.key import Key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracekit.config.profile import Suite

ISOLATIONS: Final = ("process", "binary")
#: What may stand among features, because it is said of all of them.
FLAGS: Final = ("--all-features", "--no-default-features")
#: The set without any words.
_DEFAULT: Final = "default"

CARGO_KEYS: Final = (
    Key(
        "isolation",
        "choice",
        'With `runner = "cargo"`: a process for each test, or one for each program of tests, as `cargo test` has it.',
        example='"binary"',
        choices=ISOLATIONS,
    ),
    Key(
        "features",
        "lists",
        'With `runner = "cargo"`: sets of features; the suite is built and run once with each, as `NAME[FEATURES]`.',
        example='[[], ["net"], ["--no-default-features"]]',
        default=(),
        rule="feature",
    ),
    Key(
        "cargo_profiles",
        "strings",
        'With `runner = "cargo"`: profiles of cargo; the suite is built and run once with each, as `NAME[PROFILE]`.',
        example='["dev", "release"]',
        default=(),
        rule="name",
    ),
)
NAMES: Final = tuple(key.name for key in CARGO_KEYS)


def cells(suite: Suite) -> list[Suite]:
    """The suites that a matrix stands for; the suite itself where there is none."""
    found: list[Suite] = []
    for some in suite.features or (None,):
        for profile in suite.cargo_profiles or (None,):
            cell, words = suite, list[str]()
            if some is not None:
                named = "+".join(word.removeprefix("--") for word in some) or _DEFAULT
                cell = cell._replace(name=f"{cell.name}[{named}]", features=(some,))
                plain = [word for word in some if word not in FLAGS]
                words += [word for word in some if word in FLAGS]
                words += ["--features", ",".join(plain)] if plain else []
            if profile is not None:
                cell = cell._replace(name=f"{cell.name}[{profile}]", cargo_profiles=(profile,))
                words += ["--profile", profile]
            found.append(cell._replace(args=(*words, *cell.args)))
    return found


def with_cells(suites: Iterable[Suite]) -> tuple[Suite, ...]:
    """All suites with their matrices spread out; who needs one of these needs each of its cells."""
    spread = {suite.name: cells(suite) for suite in suites}
    names = {name: [cell.name for cell in found] for name, found in spread.items()}
    return tuple(
        cell._replace(needs=tuple(one for need in cell.needs for one in names.get(need, [need])))
        for found in spread.values()
        for cell in found
    )
