"""What a bench gives back, and how it is printed: figures, each beside its reference of the same run."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Figure:
    """One measured value. Without a limit it only stands beside the others."""

    name: str
    value: float
    unit: str
    reference: float | None = None
    limit: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the value is within its limit; smaller is better, always."""
        return self.limit is None or self.value <= self.limit

    @property
    def over_limit(self) -> float:
        """The value as a share of its limit."""
        if self.limit is None:
            return 0.0
        if self.limit == 0:
            return 0.0 if self.value == 0 else float("inf")
        return self.value / self.limit

    def line(self, bench: str) -> str:
        """The figure as one line."""
        words = [f"figure {bench}.{self.name}", f"value={number(self.value)}", f"unit={self.unit}"]
        words.append(f"reference={number(self.reference)}")
        words.append(f"limit={number(self.limit)}")
        words.append("ok" if self.ok else "MISS")
        return " ".join(words)


@dataclass(frozen=True)
class Verdict:
    """A bench as a whole: its one figure's ratio, or the worst figure over its limit."""

    name: str
    ratio: float
    limit: float

    @property
    def ok(self) -> bool:
        """Whether every figure is within its limit."""
        return self.ratio <= self.limit

    def line(self) -> str:
        """The verdict as one line."""
        return f"bench {self.name} ratio={number(self.ratio)} limit={number(self.limit)} {'ok' if self.ok else 'MISS'}"


def number(value: float | None) -> str:
    """A number for people and scripts: four digits that matter, `-` for none."""
    if value is None:
        return "-"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"


def verdict(name: str, figures: Sequence[Figure]) -> Verdict:
    """Judge a bench by its figures. One that has no limited figure cannot be judged, which is a fault of the bench."""
    limited = [figure for figure in figures if figure.limit is not None]
    if not limited:
        raise ValueError(f"the bench {name} has no figure with a limit")
    if len(limited) == 1 and limited[0].unit == "ratio" and limited[0].limit is not None:
        return Verdict(name, limited[0].value, limited[0].limit)
    return Verdict(name, max(figure.over_limit for figure in limited), 1.0)


def record(name: str, figures: Sequence[Figure], judged: Verdict, context: dict[str, Any]) -> str:
    """The bench as one JSON line."""
    rows = [{**asdict(figure), "ok": figure.ok} for figure in figures]
    fact = {"schema": "tracekit.bench/1", "bench": name, "ratio": judged.ratio, "limit": judged.limit}
    return json.dumps({**fact, "ok": judged.ok, "figures": rows, **context}, separators=(",", ":"))


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)
