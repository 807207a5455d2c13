"""Facts of a scenario: from its discovery line, or from its id alone until that line comes."""

from __future__ import annotations

from typing import Any

from tracekit.model import coerce
from tracekit.model.facts import ScenarioFacts
from tracekit.wire.ids import split_scenario_id

# A long stem before many names would grow out of all proportion to its line; nobody of ours writes one.
MAX_IDS = 4 << 20


def named_facts(scenario: str, parent: int = -1) -> ScenarioFacts:
    """What an id alone says."""
    runner, suite, rest = split_scenario_id(scenario)
    head, bracket, params = rest.partition("[")
    path = head.split("::")
    path[-1] += bracket + params
    return ScenarioFacts(
        scenario, suite, runner, tuple(path), path[0] if len(path) > 1 else "", parent=parent
    )


def found_facts(scenario: str, line: dict[str, Any], parent: int) -> ScenarioFacts:
    """What discovery says; where it left a field out, the id answers."""
    get = line.get
    suite, runner, file, doc, number = get("suite"), get("runner"), get("file"), get("doc"), get("line")
    path = coerce.texts(get("path"))
    if not path or type(suite) is not str or type(runner) is not str or type(file) is not str:
        named = named_facts(scenario)
        path = path or named.path
        suite = suite if type(suite) is str else named.suite
        runner = runner if type(runner) is str else named.runner
        file = file if type(file) is str else named.file
    tags, components, story = get("tags"), get("components"), get("story")
    return ScenarioFacts(
        scenario,
        suite,
        runner,
        path,
        file,
        number if type(number) is int and 0 <= number <= coerce.INT64_MAX else 0,
        coerce.texts(tags) if tags else (),
        doc if type(doc) is str else "",
        parent,
        coerce.texts(components) if components else (),
        story if type(story) is str else "",
    )


def group_facts(line: dict[str, Any]) -> list[ScenarioFacts]:
    """The scenarios of a line that tells neighbours; what cannot be one is left out."""
    get = line.get
    stem, names = get("id"), get("names")
    if type(stem) is not str or type(names) is not list or len(stem) * len(names) > MAX_IDS:
        return []
    suite, runner, file = get("suite"), get("runner"), get("file")
    above = coerce.texts(get("path"))
    if type(suite) is not str or type(runner) is not str or type(file) is not str:
        named = named_facts(stem)
        suite = suite if type(suite) is str else named.suite
        runner = runner if type(runner) is str else named.runner
        file = file if type(file) is str else (above[0] if above else "")
    tags, components = coerce.texts(get("tags")), coerce.texts(get("components"))
    told = zip(names, _column(get("lines"), len(names)), strict=True)
    # Tens of thousands at once: one expression, and what only a few have is put in afterwards.
    found = [
        ScenarioFacts(stem + name, suite, runner, (*above, name), file, number, tags, "", -1, components)
        if type(name) is str and name
        else None
        for name, number in told
    ]
    if "marks" in line:
        for place, marks in _marks(line["marks"], tags).items():
            if 0 <= place < len(found) and (marked := found[place]) is not None:
                marked.tags = marks
    docs = get("docs")
    for key, doc in docs.items() if type(docs) is dict else ():
        place = int(key) if type(key) is str and key.isdecimal() and len(key) < 8 else len(found)
        if place < len(found) and type(doc) is str and (described := found[place]) is not None:
            described.doc = doc
    return [facts for facts in found if facts is not None]


def _column(told: Any, size: int) -> list[int]:
    numbers = told[:size] if type(told) is list else []
    kept = [n if type(n) is int and 0 <= n <= coerce.INT64_MAX else 0 for n in numbers]
    return kept + [0] * (size - len(kept))


def _marks(told: Any, tags: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    """The tags of those that have more than their parent; equal ones are the same object."""
    if type(told) is not dict:
        return {}
    found: dict[int, set[str]] = {}
    for tag, places in told.items():
        for place in places if type(places) is list else ():
            if type(place) is int:
                found.setdefault(place, set()).add(tag)
    shared: dict[frozenset[str], tuple[str, ...]] = {}
    marks: dict[int, tuple[str, ...]] = {}
    for place, more in found.items():
        key = frozenset(more)
        if key not in shared:
            shared[key] = tuple(sorted({*tags, *more}))
        marks[place] = shared[key]
    return marks
