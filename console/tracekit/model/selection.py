"""Selection sets: which scenarios a person means by `-s`.

A bare word is a path, a scenario id or a part of one, a glob, or part of a name; fields ask one thing each. A
selector never looks outside the facts it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import partial

from tracekit.model.facts import ScenarioFacts
from tracekit.model.globs import glob
from tracekit.model.kinds import TEST_KINDS, kinds_of
from tracekit.model.selector_syntax import FIELDS, Junction, Node, Not, Term, parse
from tracekit.model.state import RunState
from tracekit.model.status import BY_WORD, RED_STATUSES, Status
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.problems import Problem, ProblemError

__all__ = ["FIELDS", "Selector", "asks_a_field", "may_be_id", "parse_selector", "select"]

# Asked only by a selector that names a flag: whether a scenario is flaky takes a look at its attempts.
Flags = Callable[[], frozenset[str]]
Test = Callable[[ScenarioFacts, int, Flags], bool]

KINDS: tuple[str, ...] = ("test", "subtest", *TEST_KINDS)
FLAGS: tuple[str, ...] = ("flaky", "slow", "quarantined", "expired", "leaks")
# What a bare word cannot hold, and names of tests do.
_SEVERAL = frozenset(" \"'()\t\n")
# Words that stand for several statuses at once.
_GROUPS: dict[str, frozenset[int]] = {
    "red": RED_STATUSES,
    "green": frozenset({int(Status.PASSED), int(Status.XFAILED), int(Status.XPASSED)}),
    "over": frozenset(int(status) for status in Status if status.over),
}


class Selector:
    """A parsed selector; made by `parse_selector`."""

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self._test = _compile(text, node)

    def matches(self, facts: ScenarioFacts, status: int = Status.PENDING, flags: Flags = frozenset) -> bool:
        """Whether a scenario is meant; its flags are only looked up where the selector asks for one."""
        return self._test(facts, status, flags)

    def __repr__(self) -> str:
        return f"Selector({self.text!r})"


def parse_selector(text: str) -> Selector:
    """Read a selector; raises ProblemError with offset, caret and the nearest known field."""
    return Selector(text, parse(text))


def asks_a_field(text: str) -> bool:
    """Whether a text asks for a field anywhere, and so is more than an id or a part of one."""
    try:
        return _has_field(parse(text))
    except ProblemError:
        # A field that is asked for wrongly is still no id: its fault is told where it is selected by.
        return text.partition(":")[0] in FIELDS and ":" in text


def _has_field(node: Node) -> bool:
    if isinstance(node, Not):
        return _has_field(node.inner)
    return any(map(_has_field, node.parts)) if isinstance(node, Junction) else bool(node.field)


def select(of: RunState | Sequence[ScenarioFacts], texts: Iterable[str] = ()) -> list[int]:
    """The indices that any of the texts means, in order; without a text, all of them."""
    faults: list[Problem] = []
    selectors: list[Selector] = []
    named: set[int] = set()
    for text in texts:
        place = _named(of, text)
        if place is not None:
            named.add(place)
            continue
        try:
            selectors.append(parse_selector(text))
        except ProblemError as fault:
            faults.extend(fault.problems)
    if faults:
        raise ProblemError(faults)
    facts = of.facts if isinstance(of, RunState) else of
    statuses: Sequence[int] = of.status if isinstance(of, RunState) else bytes(len(facts))
    if not selectors:
        return sorted(named) if named else list(range(len(facts)))
    flagged = of.flags if isinstance(of, RunState) else _no_flags
    return [
        i
        for i, (one, status) in enumerate(zip(facts, statuses, strict=True))
        if i in named or any(selector.matches(one, status, partial(flagged, i)) for selector in selectors)
    ]


def may_be_id(text: str) -> bool:
    """Whether this may be a whole id that the grammar cannot read: what there is decides."""
    return ":" in text and not _SEVERAL.isdisjoint(text)


def _named(of: RunState | Sequence[ScenarioFacts], text: str) -> int | None:
    """The scenario whose whole id this is, where the grammar would take it for several words."""
    if not may_be_id(text):
        return None
    if isinstance(of, RunState):
        return of.index.get(text)
    return next((i for i, one in enumerate(of) if one.id == text), None)


def _no_flags(_: int) -> frozenset[str]:
    return frozenset()


def _compile(text: str, node: Node) -> Test:
    if isinstance(node, Not):
        inner = _compile(text, node.inner)
        return lambda facts, status, flags: not inner(facts, status, flags)
    if isinstance(node, Junction):
        tests = [_compile(text, part) for part in node.parts]
        if node.how == "or":
            return lambda facts, status, flags: any(test(facts, status, flags) for test in tests)
        return lambda facts, status, flags: all(test(facts, status, flags) for test in tests)
    return _bare(node) if not node.field else _field(text, node)


def _field(text: str, term: Term) -> Test:
    if term.field == "status":
        return _status(text, term)
    if term.field == "flag":
        flagged = _known(text, term, FLAGS)
        return lambda _facts, _status, flags: not flagged.isdisjoint(flags())
    if term.field == "kind":
        wanted = _known(text, term, KINDS)
        return lambda facts, _status, _flags: (
            ("subtest" if facts.parent >= 0 else "test") in wanted or not wanted.isdisjoint(kinds_of(facts))
        )
    if term.field == "file":
        return _any_of(term, lambda value: _path(value, term.exact))
    read = _READ[term.field]
    tests = [_pattern(value, term.exact) for value in _values(term)]
    return lambda facts, _status, _flags: any(test(word) for word in read(facts) for test in tests)


_READ: dict[str, Callable[[ScenarioFacts], tuple[str, ...]]] = {
    "tag": lambda facts: facts.tags,
    "runner": lambda facts: (facts.runner, "node:test") if facts.runner == "node" else (facts.runner,),
    "component": lambda facts: facts.components,
    "suite": lambda facts: (facts.suite, facts.suite.partition("[")[0]),
    "name": lambda facts: (facts.name, facts.name.partition("[")[0]),
    "id": lambda facts: (facts.id,),
}


def _status(text: str, term: Term) -> Test:
    words = _known(text, term, (*BY_WORD, *_GROUPS))
    wanted: set[int] = set()
    for word in words:
        wanted |= _GROUPS.get(word) or {int(BY_WORD[word])}
    return lambda _facts, status, _flags: int(status) in wanted


def _known(text: str, term: Term, words: Sequence[str]) -> set[str]:
    """The words of a list, each of which must be one that is known."""
    wanted: set[str] = set()
    for value in _values(term):
        word = value.lower()
        if word not in words:
            near = get_close_matches(word, words, 1, 0.5)
            action = f"did you mean '{near[0]}'?" if near else f"one of: {', '.join(words)}"
            place = f"selector, offset {term.offset}\n  {text}\n  {' ' * term.offset}^"
            raise ProblemError(
                Problem("selector.unknown_value", f"unknown {term.field} '{value}'", place, action)
            )
        wanted.add(word)
    return wanted


def _values(term: Term) -> list[str]:
    return [term.value] if term.exact else [value for value in term.value.split(",") if value] or [term.value]


def _any_of(term: Term, make: Callable[[str], Test]) -> Test:
    tests = [make(value) for value in _values(term)]
    return lambda facts, status, flags: any(test(facts, status, flags) for test in tests)


def _bare(term: Term) -> Test:
    place = _path(term.value, term.exact)
    value = term.value
    if not term.exact and ("*" in value or "?" in value):
        fits = glob(value)
        loose = None if "/" in value or "::" in value else glob(f"*{value}*")
        return lambda facts, status, flags: (
            place(facts, status, flags)
            or fits(facts.id)
            or fits(_native(facts))
            or fits(facts.name)
            or (loose is not None and loose(facts.name))
        )
    if "/" in value or "::" in value:
        return place
    folded = value.casefold()
    # A word alone is what a person remembers of a name.
    return lambda facts, status, flags: (
        place(facts, status, flags)
        or _dotted(facts, value)
        or any(folded in name.casefold() for name in facts.path[1:] or facts.path)
    )


def _dotted(facts: ScenarioFacts, value: str) -> bool:
    """Whether it is a name with dots as unittest writes and takes it: modules, class and method, or some of them."""
    if facts.runner != "unittest" or "." not in value:
        return False
    modules = facts.file.removesuffix(".py").replace("/", ".")
    return f".{value}." in f".{'.'.join((modules, *facts.path[1:]))}."


def _path(value: str, exact: bool) -> Test:
    """A file, a folder above it, a scenario's id with or without its runner, or the beginning of one at a
    boundary.
    """
    plain = value.removeprefix("./").rstrip("/") or "."
    if plain == ".":
        return lambda _facts, _status, _flags: True
    if not exact and ("*" in plain or "?" in plain):
        fits = glob(plain)
        return lambda facts, _status, _flags: fits(facts.file)

    def test(facts: ScenarioFacts, _status: int, _flags: Flags) -> bool:
        file = facts.file
        # A whole id means itself, whatever its name ends with.
        if file == plain or file.startswith(plain + "/") or value == facts.id:
            return True
        return _within(facts.id, plain) or _within(_native(facts), plain)

    return test


def _within(name: str, wanted: str) -> bool:
    if not name.startswith(wanted):
        return False
    rest = name[len(wanted) :]
    return not rest or rest.startswith(("::", "[", SUBTEST_MARK))


def _native(facts: ScenarioFacts) -> str:
    """The id as the runner itself writes it."""
    head = f"{facts.runner}@{facts.suite}:" if facts.suite else f"{facts.runner}:"
    return facts.id.removeprefix(head)


def _pattern(value: str, exact: bool) -> Callable[[str], bool]:
    if not exact and ("*" in value or "?" in value):
        return glob(value)
    folded = value.casefold()
    return lambda word: word.casefold() == folded
