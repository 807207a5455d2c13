"""The list of runs as a tree: reruns below the run they were started from, the tree with the newest run first.

Pure arrangement of rows, made on whichever thread has read them. A parent that nobody knows, or a circle that a
stranger's run claims, costs no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracekit.model.results import FLAKY
from tracekit.ui.ports import RunRow
from tracekit.wire.names import GREEN, RED


@dataclass(frozen=True, slots=True)
class Placed:
    """A run in its place."""

    row: RunRow
    depth: int
    #: The runs of its tree, oldest first, itself among them.
    tree: tuple[str, ...]
    #: What a filter looks at.
    words: str


def arrange(rows: Iterable[RunRow]) -> list[Placed]:
    """Rows in the order in which they are shown."""
    known = {row.run_id: row for row in rows}
    children: dict[str, list[RunRow]] = {}
    tops: list[RunRow] = []
    for row in known.values():
        if row.parent in known and row.parent != row.run_id:
            children.setdefault(str(row.parent), []).append(row)
        else:
            tops.append(row)
    trees = [_tree(top, children) for top in tops]
    placed = {row.run_id for tree in trees for row, _ in tree}
    # Runs that name each other as parents hang below nothing.
    trees += [[(row, 0)] for row in known.values() if row.run_id not in placed]
    trees.sort(key=lambda tree: max(_order(row) for row, _ in tree), reverse=True)
    return [
        Placed(row, depth, members, _words(row))
        for tree in trees
        for members in [tuple(row.run_id for row, _ in sorted(tree, key=lambda one: _order(one[0])))]
        for row, depth in tree
    ]


def _order(row: RunRow) -> tuple[int, str]:
    return row.started_t, row.run_id


def _tree(top: RunRow, children: dict[str, list[RunRow]]) -> list[tuple[RunRow, int]]:
    found, waiting = [], [(top, 0)]
    while waiting:
        row, depth = waiting.pop()
        found.append((row, depth))
        below = sorted(children.get(row.run_id, ()), key=_order)
        waiting += [(child, depth + 1) for child in below]
    return found


def _words(row: RunRow) -> str:
    git = row.facts.get("git") or {}
    told = [
        row.run_id,
        row.root,
        row.environment or "local",
        row.profile or "",
        row.reason,
        str(git.get("commit", "")),
        str(git.get("branch", "")),
        row.fingerprint,
        *(word for word, number in row.counts.items() if number),
        *(sign for sign, holds in _signs(row) if holds),
    ]
    return "\n".join(told).casefold()


def _signs(row: RunRow) -> tuple[tuple[str, bool], ...]:
    return (
        ("live", row.live),
        ("red", bool(reds(row))),
        ("green", not reds(row) and row.ended),
        (f"pinned {row.pinned or ''}", row.pinned is not None),
        ("imported", bool(row.imported)),
        ("rerun", bool(row.parent)),
        (FLAKY, bool(row.counts.get(FLAKY))),
        (f"asked by {row.facts.get('purpose')}", bool(row.facts.get("purpose"))),
    )


def reds(row: RunRow) -> int:
    """How many of its tests are red."""
    return sum(number for word, number in row.counts.items() if word in RED)


def greens(row: RunRow) -> int:
    """How many passed, or failed as their author expects."""
    return sum(number for word, number in row.counts.items() if word in GREEN)


def matching(placed: Sequence[Placed], text: str) -> list[Placed]:
    """Those in which every word of the text stands; a rerun whose parent is not among them hangs below nothing."""
    words = text.casefold().split()
    if not words:
        return list(placed)
    found: list[Placed] = []
    above: list[int] = []  # the depths, as they were, of what is shown above
    for each in placed:
        if each.depth == 0:
            above = []
        while above and above[-1] >= each.depth:
            above.pop()
        if all(word in each.words for word in words):
            found.append(Placed(each.row, len(above), each.tree, each.words))
            above.append(each.depth)
    return found
