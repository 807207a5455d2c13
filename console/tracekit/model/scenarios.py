"""Facts of a scenario: from its discovery line, or from its id alone until that line comes."""

from __future__ import annotations

from typing import Any

from tracekit.model import coerce
from tracekit.model.facts import ScenarioFacts
from tracekit.wire.ids import split_scenario_id


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
