"""The tree as data: sections of flat arrays, one for the causes, one for notices, one for each file.

A section knows depth, kind and subtree span of its nodes, which are visible, and how many tests below a container are
red or over. Changes cost their own section only; nothing here paints.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import not_

from tracekit.model.facts import CauseGroup, Notice
from tracekit.model.status import RED_STATUSES, Status, endedness, redness
from tracekit.ui.board import Board
from tracekit.ui.ports import ViewFace

HEAD, CAUSE, NOTICE, FILE, GROUP, LEAF = range(6)
Allowed = Callable[[int], bool] | None

_ZERO, _ONE = array("l", [0]), array("l", [1])

STARTS = ("launch",)
#: The sections of what is no verdict and stands before everything.
TROUBLES = frozenset({"starts", "collects", "short"})
#: A report that was brought in from elsewhere, and was not whole.
CUT_SHORT = "import.cut_short"
COLLECTS = ("discovery",)


class Section:
    """One part of the tree, as arrays by node; node 0 is its head."""

    def __init__(self, key: str, *, closed: Iterable[str] = ()) -> None:
        self.key = key
        self.depth = bytearray()
        self.kind = bytearray()
        self.ref = array("l")
        self.span = array("l")
        self.up = array("l")
        self.label: dict[int, str] = {}
        self.open = bytearray()
        self.red, self.over, self.total = array("l"), array("l"), array("l")
        self.visible: Sequence[int] = ()
        self.causes: list[CauseGroup] = []
        self.notices: list[tuple[ViewFace, Notice]] = []
        self._closed = frozenset(closed)
        self._node_of: dict[int, int] | None = None

    def __len__(self) -> int:
        return len(self.visible)

    # -- building ----------------------------------------------------------------------------------------------------

    def add(self, kind: int, ref: int, up: int, label: str = "") -> int:
        """Add a node below `up`; children follow their parent at once."""
        node = len(self.kind)
        self.kind.append(kind)
        self.ref.append(ref)
        self.up.append(up)
        self.depth.append(min(255, self.depth[up] + 1) if up >= 0 else 0)
        self.span.append(1)
        if label:
            self.label[node] = label
        self.open.append(0 if self._closed and self.identity(node) in self._closed else 1)
        for counter in (self.red, self.over, self.total):
            counter.append(0)
        self._node_of = None
        while up >= 0:
            self.span[up] += 1
            up = self.up[up]
        return node

    def fill(self, rows: Sequence[int], board: Board, *, failed_first: bool) -> None:
        """Put rows right below the head, all at once: most files have neither classes nor sub-tests."""
        states = bytes(map(board.status.__getitem__, rows))
        is_red, size = redness(states), len(rows)
        red, over = is_red.count(1), endedness(states).count(1)
        if failed_first and red:
            rows = [*compress(rows, is_red), *compress(rows, map(not_, is_red))]
        self.depth += b"\1" * size
        self.kind += bytes((LEAF,)) * size
        self.open += b"\1" * size
        self.ref.extend(rows)
        nothing = _ZERO * size
        self.up += nothing
        self.span += _ONE * size
        self.span[0] += size
        for counter, counted in ((self.red, red), (self.over, over), (self.total, size)):
            counter += nothing
            counter[0] = counted
        self._node_of = None

    @property
    def node_of(self) -> dict[int, int]:
        """The node of each row; most sections are never asked."""
        if self._node_of is None:
            leaves = compress(range(len(self.kind)), map(LEAF.__eq__, self.kind))
            self._node_of = {self.ref[node]: node for node in leaves}
        return self._node_of

    def identity(self, node: int) -> str:
        """What stays the same for a node when its section is built anew."""
        if self.kind[node] == LEAF:
            return f"#{self.ref[node]}"
        above = self.up[node]
        return (
            self.identity(above) + "/" if above > 0 else ""
        ) + f"{self.kind[node]}:{self.label.get(node, '')}"

    def find(self, identity: str) -> int:
        """The node of an identity, or -1."""
        if identity.startswith("#"):
            return self.node_of.get(int(identity[1:]), -1)
        return next(
            (
                node
                for node in range(len(self.kind))
                if self.kind[node] != LEAF and self.identity(node) == identity
            ),
            -1,
        )

    def count(self, board: Board) -> None:
        """Count every test into the containers above it; once, when the section is new."""
        for node, kind in enumerate(self.kind):
            if kind == LEAF and not self._part(node):
                self._add(node, board.status[self.ref[node]], 1)
                self._climb(self.total, self.up[node], 1)

    def _part(self, node: int) -> bool:
        """Whether it hangs below its test, which alone is counted: numbers are those of the header."""
        return self.kind[self.up[node]] == LEAF

    def _add(self, node: int, status: int, by: int) -> None:
        if status in RED_STATUSES:
            self._climb(self.red, self.up[node], by)
        if status > Status.RUNNING:
            self._climb(self.over, self.up[node], by)

    def _climb(self, counter: array[int], node: int, by: int) -> None:
        while node >= 0:
            counter[node] += by
            node = self.up[node]

    def changed(self, row: int, before: int, after: int) -> int:
        """Note a row's new status; gives its node, or -1 when the row is not here."""
        node = self.node_of.get(row, -1)
        if node >= 0 and before != after and not self._part(node):
            self._add(node, before, -1)
            self._add(node, after, 1)
        return node

    # -- what is visible ---------------------------------------------------------------------------------------------

    def show(self, allowed: Allowed = None) -> None:
        """Work out which nodes are visible: inside open ones, and, under a filter, those with an allowed leaf below."""
        if allowed is None and 0 not in self.open:
            self.visible = range(len(self.kind))
            return
        wanted = self._wanted(allowed) if allowed is not None else None
        visible = array("l")
        node, end = 0, len(self.kind)
        while node < end:
            if wanted is not None and not wanted[node]:
                node += 1
                continue
            visible.append(node)
            node += 1 if self.open[node] else self.span[node]
        self.visible = visible

    def _wanted(self, allowed: Callable[[int], bool]) -> bytearray:
        wanted = bytearray(len(self.kind))
        for node, kind in enumerate(self.kind):
            if kind == LEAF and allowed(self.ref[node]):
                above = node
                while above >= 0 and not wanted[above]:
                    wanted[above] = 1
                    above = self.up[above]
        return wanted

    def place(self, node: int) -> int:
        """The visible place of a node, or of the nearest one above it."""
        while node >= 0:
            at = bisect_left(self.visible, node)
            if at < len(self.visible) and self.visible[at] == node:
                return at
            node = self.up[node]
        return 0

    def closed(self) -> set[str]:
        """Identities of what is folded, kept when the section is built anew."""
        return {self.identity(node) for node, state in enumerate(self.open) if not state}

    def leaves(self, node: int) -> list[int]:
        """The rows below a node, itself included; a sub-test stands for its test."""
        return [self.ref[at] for at in range(node, node + self.span[node]) if self.kind[at] == LEAF]


def file_section(key: str, board: Board, *, failed_first: bool, closed: Iterable[str] = ()) -> Section:
    """The section of one file: groups (classes) and rows, sub-tests under their test."""
    section = Section(key, closed=closed)
    suite, _, place = key.partition("\0")
    head = section.add(FILE, -1, -1, f"{suite} · {place}" if suite else place or "(no file)")
    rows = board.files.get(key, ())
    if key not in board.grouped:
        section.fill(rows, board, failed_first=failed_first)
        section.show()
        return section
    children: dict[int, list[int]] = {}
    tops: list[int] = []
    for row in rows:
        (children.setdefault(board.parent[row], []) if board.parent[row] >= 0 else tops).append(row)
    failed_first = failed_first and any(board.status[row] in RED_STATUSES for row in rows)
    tree = _Grouped(board, children, failed_first=failed_first)
    tree.build(section, head, tops)
    section.count(board)
    section.show()
    return section


class _Grouped:
    """Rows of a file by the classes around them, without recursion: outside names nest as they like."""

    MAX_DEPTH = 8

    def __init__(self, board: Board, children: dict[int, list[int]], *, failed_first: bool) -> None:
        self.board, self.children, self.failed_first = board, children, failed_first

    def red(self, row: int) -> bool:
        return self.board.status[row] in RED_STATUSES or any(
            self.board.status[below] in RED_STATUSES for below in self.children.get(row, ())
        )

    def build(self, section: Section, head: int, rows: Sequence[int]) -> None:
        buckets: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            buckets.setdefault(self.board.facts[row].path[1:-1][: self.MAX_DEPTH], []).append(row)
        keys = (
            sorted(buckets, key=lambda names: not any(map(self.red, buckets[names])))
            if self.failed_first
            else list(buckets)
        )
        groups: dict[tuple[str, ...], int] = {(): head}
        order = {names: place for place, names in enumerate(keys)}
        for names in sorted(keys, key=lambda names: order.get(names[:1], order[names])):
            self.rows(section, self.group(section, groups, names), buckets[names])

    def group(self, section: Section, groups: dict[tuple[str, ...], int], names: tuple[str, ...]) -> int:
        """The node of these classes; spans need children right behind their parent, so a name may come twice."""
        if names in groups and groups[names] + section.span[groups[names]] == len(section.kind):
            return groups[names]
        if not names:
            return groups[()]
        above = self.group(section, groups, names[:-1])
        groups[names] = section.add(GROUP, -1, above, names[-1])
        return groups[names]

    def rows(self, section: Section, above: int, rows: list[int]) -> None:
        ordered = sorted(rows, key=lambda row: not self.red(row)) if self.failed_first else rows
        for row in ordered:
            node = section.add(LEAF, row, above)
            for below in self.children.get(row, ()):
                section.add(LEAF, below, node)


def cause_section(board: Board, closed: Iterable[str], opened: Iterable[str]) -> Section | None:
    """Failures by their cause, before all tests; each cause is folded until a person opens it."""
    causes = board.causes()
    if not causes:
        return None
    wanted = set(opened)
    section = Section("causes", closed=closed)
    head = section.add(HEAD, len(causes), -1, "CAUSES")
    for number, (group, rows) in enumerate(causes):
        section.causes.append(group)
        node = section.add(CAUSE, number, head, group.key)
        section.open[node] = section.identity(node) in wanted
        for row in rows:
            section.add(LEAF, row, node)
    section.count(board)
    section.show()
    return section


def notice_sections(board: Board, closed: Iterable[str]) -> tuple[list[Section], list[Section]]:
    """What is no verdict: what could not start or be collected stands before everything, the rest at the end."""
    starts: list[tuple[ViewFace, Notice]] = []
    collects: list[tuple[ViewFace, Notice]] = []
    rest: list[tuple[ViewFace, Notice]] = []
    short: list[tuple[ViewFace, Notice]] = []
    for pair in board.notices():
        kind = pair[1].kind
        if pair[1].code == CUT_SHORT:
            short.append(pair)
            continue
        (starts if kind in STARTS else collects if kind in COLLECTS else rest).append(pair)
    before = [
        _notices(key, title, pairs, closed)
        for key, title, pairs in (
            ("starts", "COULD NOT START", starts),
            ("collects", "COULD NOT BE COLLECTED", collects),
            ("short", "NOT WHOLE", short),
        )
        if pairs
    ]
    after = [_notices("notes", "NOTES", rest, closed)] if rest else []
    return before, after


def _notices(key: str, title: str, pairs: list[tuple[ViewFace, Notice]], closed: Iterable[str]) -> Section:
    section = Section(key, closed=closed)
    head = section.add(HEAD, len(pairs), -1, title)
    for number, pair in enumerate(pairs[:10_000]):
        section.notices.append(pair)
        section.add(NOTICE, number, head, f"{number}")
    section.show()
    return section
