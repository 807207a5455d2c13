"""TAP 12 to 14: plans, directives, subtests by indentation, YAML blocks read as text, and output in between.

A subtest's name is what stands on the line behind its block (or in its comment before); a bail-out is told as a fault.
"""

from __future__ import annotations

import re
from typing import Any, Optional

from tracekit.agent.reports.cases import (
    MESSAGE_LIMIT,
    TEXT_LIMIT,
    Case,
    CutShortError,
    Lines,
    Printed,
    ReportError,
    cut,
    seconds,
)
from tracekit.agent.reports.tap_blocks import explained

_POINT = re.compile(r"(?P<indent> *)(?P<not>not )?ok\b(?: +(?P<number>\d+))?(?: +- +| +|$)(?P<rest>.*)")
_DIRECTIVE = re.compile(r"(?<!\\)\s*# *(?P<word>skip\w*|todo)\b:? *(?P<why>.*)$", re.IGNORECASE)
_TIME = re.compile(r"(?<!\\) # time=(?P<time>[\d.]+)(?P<unit>ms|s)?(?: \{)?\s*$")
_PLAN = re.compile(r" *1\.\.(?P<count>\d+)(?:\s*#.*)?$")
_SUBTEST = re.compile(r"(?P<indent> *)# Subtest(?:: (?P<name>.*))?$")
_INDENT = 4
_MOST_BLOCK = 2000
_MOST_DEPTH = 60


class TapReader:
    """One stream."""

    def __init__(self) -> None:
        self._lines = Lines()
        self._waiting: Optional[dict[str, Any]] = None
        self._block: Optional[list[str]] = None
        # Points of subtests that wait for their names, by depth.
        self._below: dict[int, list[dict[str, Any]]] = {}
        # Points whose own block follows in braces, from the outside in.
        self._above: list[dict[str, Any]] = []
        self._plan: Optional[int] = None
        self._points = 0
        # Whether a subtest's own line never came.
        self._loose = False
        self._found: list[Any] = []

    def feed(self, data: bytes) -> list[Any]:
        """What these bytes tell. Raises ReportError."""
        return self._taken(self._lines.feed(data))

    def close(self) -> list[Any]:
        """What is left. Raises CutShortError where the stream is not whole."""
        last = self._lines.close()
        if last and self._may_be_cut(last[0]):
            last = []
        found = self._taken(last)
        inside = self._block is not None or bool(self._above)
        found += self._at_last()
        if self._plan is None and not self._points:
            raise ReportError("it holds no test point and no plan")
        if self._plan is not None and self._points < self._plan:
            raise CutShortError(f"{self._points} of {self._plan} test points came", found)
        if inside or self._loose:
            raise CutShortError("it ends inside a subtest or a block", found)
        if self._plan is None:
            raise CutShortError("it has no plan: nobody knows whether more was to come", found)
        return found

    def _may_be_cut(self, line: str) -> bool:
        """Whether a line without an end is a point whose name may have gone on: more was to come, or nobody knows."""
        point = _POINT.match(line)
        missing = self._plan is None or self._points + 1 < self._plan
        return point is not None and self._block is None and (bool(point.group("indent")) or missing)

    def _at_last(self) -> list[Any]:
        """What is still held back."""
        if self._block is not None:
            self._explained(self._block)
            self._block = None
        self._settle()
        while self._above:
            self._closed()
        for depth in sorted(self._below, reverse=True):
            for point in self._below.pop(depth):
                self._loose = True
                self._tell(point)
        found, self._found = self._found, []
        return found

    def _taken(self, lines: list[str]) -> list[Any]:
        for line in lines:
            self._take(line)
        found, self._found = self._found, []
        return found

    def _take(self, line: str) -> None:
        if self._block is not None:
            if line.strip() == "...":
                self._explained(self._block)
                self._block = None
                self._settle()
            elif len(self._block) < _MOST_BLOCK:
                self._block.append(line)
            return
        if self._waiting is not None and line.strip() == "---":
            self._block = []
            return
        if self._told_behind(line):
            return
        if line.strip():
            # Nothing but a block belongs to the point before.
            self._settle()
        point = _POINT.match(line)
        if point is not None and len(point.group("indent")) % _INDENT == 0:
            self._point(point)
            return
        if _SUBTEST.match(line):
            return  # the same name stands behind the block
        if line.strip() == "}" and self._above:
            self._closed()
            return
        plan = _PLAN.match(line)
        if plan is not None:
            if not line.startswith(" "):
                self._plan = int(plan.group("count")[:9])
        elif line.startswith("Bail out!"):
            said = cut(f"the tool bailed out: {line[9:].strip() or 'it does not say why'}", MESSAGE_LIMIT)
            raise CutShortError(said, self._at_last())
        elif line.strip() and not line.lstrip().startswith(("TAP version", "pragma ", "}")):
            self._found.append(Printed((), line + "\n"))

    def _told_behind(self, line: str) -> bool:
        """Words behind a red point that stand further in are its own, as tools wrote them before there were blocks."""
        point = self._waiting
        words = line.strip()
        if (
            point is None
            or point["verdict"] != "failed"
            or point["depth"]
            or not line.startswith("  ")
            or not words
        ):
            return False
        if words == "}" or _POINT.match(line) or _PLAN.match(line) or _SUBTEST.match(line):
            return False
        if len(point.get("text", "")) < TEXT_LIMIT:
            point["text"] = point.get("text", "") + line[2:] + "\n"
        return True

    def _point(self, found: re.Match[str]) -> None:
        depth = min(len(found.group("indent")) // _INDENT, _MOST_DEPTH)
        rest, took = found.group("rest"), None
        timed = _TIME.search(rest)
        if timed is not None:
            rest, took = rest[: timed.start()], seconds(timed.group("time"))
            if took is not None and timed.group("unit") == "ms":
                took /= 1000
        directive = _DIRECTIVE.search(rest)
        name = rest[: directive.start()] if directive else rest
        opens = found.group("rest").rstrip().endswith(" {")
        name = name.removesuffix("{").strip().replace("\\#", "#").replace("\\\\", "\\")
        red = found.group("not") is not None
        verdict, why = "failed" if red else "passed", ""
        if directive is not None:
            word, why = directive.group("word").lower(), directive.group("why")
            verdict = "skipped" if word.startswith("skip") else "xfailed" if red else "xpassed"
        number = found.group("number") or ""
        if not depth:
            self._points += 1
        point = {
            "path": (name or f"test {number or self._points}",),
            "verdict": verdict,
            "message": why,
            "seconds": took,
            "depth": depth,
        }
        if not opens:
            self._waiting = point
            return
        # What stands at its children's depth is another's.
        self._below.pop(depth + 1, None)
        self._above = [*self._above[:_MOST_DEPTH], point]

    def _closed(self) -> None:
        """The block of a point has ended, which stood before it."""
        self._waiting = self._above.pop()
        self._settle()

    def _explained(self, block: list[str]) -> None:
        """What a block says of the point before it; its own words come first."""
        point = self._waiting
        if point is None:
            return
        found = explained(block)
        point.update({**found, "message": point["message"] or found["message"]})

    def _settle(self) -> None:
        """The point before has all that belongs to it."""
        point, self._waiting = self._waiting, None
        if point is None:
            return
        depth = point["depth"]
        # What stood below belongs to it: its own verdict is theirs.
        below = self._below.pop(depth + 1, [])
        for other in below:
            other["path"] = (*point["path"], *other["path"])
        red = point["verdict"] == "failed" and not any(one["verdict"] == "failed" for one in below)
        points = [*below, point] if red or not below else below
        if depth:
            self._below.setdefault(depth, []).extend(points)
            return
        for one in points:
            self._tell(one)

    def _tell(self, point: dict[str, Any]) -> None:
        facts = {name: value for name, value in point.items() if name != "depth"}
        said = facts.get("text", "").strip("\n")
        if not facts["message"] and facts["verdict"] == "failed":
            facts["message"] = said.strip().partition("\n")[0] or "not ok, without a word why"
        facts["message"] = cut(facts["message"], MESSAGE_LIMIT)
        facts["text"] = cut(said)
        self._found.append(Case(**facts))
