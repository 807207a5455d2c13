"""The order in which a process runs its tests: shuffled by a seed, or exactly as it was asked for.

A shuffle keeps files together, and classes within files, so that wide fixtures are made as rarely as ever; and it
depends on names and seed alone, so that every worker and every machine comes to the same.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

try:
    # What `hashlib` is made of: that loads every other hash, too, in each process of every suite.
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

GIVEN = "given"
SHUFFLE = "shuffle:"


def shuffle_key(seed: str, name: str) -> Tuple[bytes, ...]:
    """Where a test stands: by its file, then its classes, then itself."""
    stem, bracket, rest = name.partition("[")
    parts = stem.split("::")
    levels = ["::".join(parts[: depth + 1]) for depth in range(len(parts))]
    levels[-1] += bracket + rest
    return tuple(_drawn(seed, level) for level in levels)


def _drawn(seed: str, text: str) -> bytes:
    return bytes(blake2b(f"{seed}\0{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest())


def ordered(names: Sequence[str], wish: str, given: Optional[Sequence[str]]) -> List[int]:
    """The places of `names` in the order that was wished for; a wish that is not understood changes nothing."""
    places = list(range(len(names)))
    if wish.startswith(SHUFFLE):
        seed = wish[len(SHUFFLE) :]
        keys = [shuffle_key(seed, name) for name in names]
        places.sort(key=keys.__getitem__)
    elif wish == GIVEN and given is not None:
        ranks: Dict[str, int] = {name: rank for rank, name in reversed(list(enumerate(given)))}
        places.sort(key=lambda place: ranks.get(names[place], len(ranks)))
    return places


class Order:
    """Puts the collected tests in order, behind the choice of them."""

    def __init__(self, scenario: Any, wish: str, given: Optional[Sequence[str]]) -> None:
        self.scenario = scenario
        self.wish = wish
        self.given = given

    def apply(self, items: List[Any]) -> None:
        names = [self.scenario(item.nodeid) for item in items]
        items[:] = [items[place] for place in ordered(names, self.wish, self.given)]
