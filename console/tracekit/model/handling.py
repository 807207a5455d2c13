"""Which exceptions were caught before an attempt failed: folded by what they are and where, the project's own first.

They come from two sources: what the failing frames still hold, as the journal tells it, and what a trace saw raised.
What the failure itself tells, what was raised behind it, and what a runner raises for its own ends, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tracekit.model.facts import Failure, Handled

#: So many are told; where the project itself handled none, the last few of others.
MOST, MOST_FOREIGN = 6, 2
_MACHINERY = tuple(f"/{name}/" for name in ("_pytest", "pluggy", "_tkprobe", "unittest", "importlib"))
_WORDS = 200
#: What libraries raise and catch all day instead of asking: of others' code it says nothing about a failure.
_ORDINARY = frozenset(
    [
        "AttributeError",
        "GeneratorExit",
        "ImportError",
        "IndexError",
        "KeyError",
        "LookupError",
        "ModuleNotFoundError",
        "StopAsyncIteration",
        "StopIteration",
        "TypeError",
    ]
)


def handled_before(failure: Failure, raised: Sequence[Handled] = ()) -> list[Handled]:
    """The last few before one failure: `raised` is in the order of its moments."""
    chain = {_said(link.type, link.message) for link in failure.chain}
    held = [one for one in folded(failure.handled) if _said(one.type, one.message) not in chain]
    seen = folded(
        one
        for one in reversed(_until(failure, raised))
        if _said(one.type, one.message) not in chain and not _machinery(one)
    )
    times = {_kind(one): one.count for one in seen}
    told = [replace(one, count=max(one.count, times.get(_kind(one), 1))) for one in held]
    known = {_kind(one) for one in held}
    words = {_said(one.type, one.message) for one in held}
    told += [one for one in seen if _kind(one) not in known and _said(one.type, one.message) not in words]
    own = [one for one in told if one.own]
    foreign = [one for one in told if one.type.rpartition(".")[2] not in _ORDINARY]
    return (own or foreign[:MOST_FOREIGN])[:MOST]


def _until(failure: Failure, raised: Sequence[Handled]) -> Sequence[Handled]:
    """What was raised before the failure: behind it a runner makes its report."""
    if not failure.chain:
        return raised
    first = _said(failure.chain[0].type, failure.chain[0].message)
    places = [place for place, one in enumerate(raised) if _said(one.type, one.message) == first]
    # The last one may be what ended the phase, which is told when its report is made.
    return raised[: places[-2:][0]] if places else raised


def folded(many: Iterable[Handled]) -> list[Handled]:
    """One of a kind: the same type at the same place, with how often it came."""
    kinds: dict[tuple[str, str, int], Handled] = {}
    for one in many:
        known = kinds.get(_kind(one))
        kinds[_kind(one)] = one if known is None else replace(known, count=known.count + one.count)
    return list(kinds.values())


def _kind(one: Handled) -> tuple[str, str, int]:
    return one.type, one.file, one.line


def _said(kind: str, message: str) -> tuple[str, str]:
    # A trace knows no module, of a long message the beginning, and of what was not found its plain name.
    return kind.rpartition(".")[2], message.strip().strip("'\"")[:_WORDS]


def _machinery(one: Handled) -> bool:
    return any(part in one.file for part in _MACHINERY)
