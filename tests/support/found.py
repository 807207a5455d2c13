"""What discovery told, a row for each scenario, however the lines grouped them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracekit.model.scenarios import group_facts

if TYPE_CHECKING:
    from collections.abc import Iterable


def found(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The members of `scenario.found` for every scenario, in the order of collection."""
    rows: list[dict[str, Any]] = []
    for line in lines:
        if line.get("e") == "scenario.found":
            rows.append(line)
        elif line.get("e") == "scenarios.found":
            rows += [
                {
                    "scenario": facts.id,
                    "suite": facts.suite,
                    "runner": facts.runner,
                    "path": list(facts.path),
                    "file": facts.file,
                    "line": facts.line,
                    "tags": list(facts.tags),
                    "doc": facts.doc or None,
                }
                for facts in group_facts(line)
            ]
    return rows
