"""The promises that have a torture test here, and what such a test gives back.

A promise PN lives in `tests/torture/pN.py`, any other torture in a module of its own name, with
`main(scale) -> Outcome`. Scale 1.0 is the promised figure.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field

# Short rounds run a tenth; these are quick enough, or rare enough, to be run whole each time.
WHOLE = frozenset({"P1", "P11", "P16"})
PROMISES: dict[str, str] = {
    "P1": "committed events survive the death of the traced process",
    "P2": "death of console or agent loses nothing",
    "P3": "a cut connection loses nothing",
    "P4": "decoders never panic, hang or over-allocate",
    "P5": "rings are right under every interleaving",
    "P6": "memory is bounded in a flood",
    "P7": "no slope over a day",
    "P8": "a full or failing disk never changes a verdict",
    "P9": "hostile text cannot reach the terminal",
    "P10": "hostile names cannot crash, click or escape",
    "P11": "hostile frames are refused",
    "P12": "hostile profiles are refused with file:line:key",
    "P13": "secrets never leave",
    "P14": "nothing is left behind",
    "P15": "same input, same screen",
    "P16": "old runs stay readable",
    "KEYS": "random keys, clicks and sizes leave the console standing",
}


@dataclass
class Outcome:
    """The figures of one promise, and every way in which it was broken."""

    figures: dict[str, int | float | str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Note one breach; the first ones are printed, all are counted."""
        self.faults.append(text)

    def line(self, name: str) -> str:
        """The promise as one line: `P2 kills=200 lost=0 ok`."""
        told = " ".join(f"{key}={value}" for key, value in self.figures.items())
        return f"{name} {told} {'ok' if not self.faults else f'BROKEN ({len(self.faults)})'}"


def module_name(promise: str) -> str:
    """The module that shows a promise."""
    return f"tests.torture.{promise.lower()}"


def written(promise: str) -> bool:
    """Whether its module stands."""
    return importlib.util.find_spec(module_name(promise)) is not None


def scaled(full: int, scale: float, at_least: int = 1) -> int:
    """A figure at this scale."""
    return max(at_least, round(full * scale))
