"""From checked tables to a profile, with the checks that look at more than one key: unknown names, cycles, twins.

Works on what the checker let through; a suite or service with a fault of its own is built from the rest, so that it
is judged with the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracekit.config.cargo import NAMES as CARGO_ONLY
from tracekit.config.cargo import with_cells
from tracekit.config.durations import OFF
from tracekit.config.key import Table
from tracekit.config.profile import Check, Environment, Service, Suite
from tracekit.config.services import SERVICE
from tracekit.config.tables import ENVIRONMENT, REMOTE_KEYS, SUITE
from tracekit.config.words import listed, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracekit.config.document import Document
    from tracekit.config.faults import Faults
    from tracekit.config.positions import Path


def _filled(table: Table, clean: Mapping[str, Any]) -> dict[str, Any]:
    """Every key of the table: what was declared, else its default; a clock that is off is None."""
    values = {name: clean.get(name, key.default) for name, key in table.keys.items()}
    # A machine may be called so, and a trace that is off is not one that nobody spoke of.
    clocks = {name for name, key in table.keys.items() if key.rule == "duration_or_off"}
    return {name: None if name in clocks and value == OFF else value for name, value in values.items()}


def _written(data: Mapping[str, Any], key: str) -> set[str]:
    """The names that stand in a file, also those with a fault inside: whoever needs them has made no mistake."""
    value = data.get(key)
    return set(value) if isinstance(value, dict) else set()


def build_suites(document: Document, clean: Mapping[str, Any], faults: Faults) -> tuple[Suite, ...]:
    """The suites of a profile, in the order in which they are written."""
    declared: dict[str, dict[str, Any]] = clean.get("suite", {})
    suites = []
    for name, given in declared.items():
        values = _filled(SUITE, given)
        values["report"] = next(iter(values["report"].items()), None) if values["report"] else None
        _check_runner(document, name, values, faults)
        soft, hard = values["soft_timeout"], values["timeout"]
        if soft is not None and hard is not None and soft >= hard:
            where = document.where(("suite", name, "soft_timeout"))
            faults.add(
                "range",
                "soft_timeout is not shorter than timeout",
                where,
                "make it shorter, or leave one out",
            )
        suites.append(Suite(name=name, where=document.where(("suite", name)), **values))
    graph = {suite.name: suite.needs for suite in suites}
    known = _written(document.data, "suite")
    _check_needs(
        document, graph, faults, known=known, path_of=lambda name: ("suite", name, "needs"), word="suite"
    )
    _check_secret_twins(suites, faults)
    found = with_cells(suites)
    _check_cells(document, found, faults)
    return found


def _check_cells(document: Document, suites: Sequence[Suite], faults: Faults) -> None:
    """Each cell of a matrix has a name of its own: its scenarios are known by it."""
    seen: set[str] = set()
    for suite in suites:
        if suite.name in seen:
            where = document.where(("suite", suite.name.partition("[")[0], "features"))
            what = f"two of its sets are called {shown(suite.name)}"
            faults.add("duplicate", what, where, 'remove one: [] and ["default"] are built alike')
        seen.add(suite.name)


def _check_runner(document: Document, name: str, values: dict[str, Any], faults: Faults) -> None:
    """A command says what it runs, and nobody else does; cargo has keys of its own, too."""
    if values["runner"] != "cargo":
        for key in CARGO_ONLY:
            if values[key]:
                where = document.where(("suite", name, key))
                faults.add("missing", f'{key} needs runner = "cargo"', where, f"add it, or remove {key}")
    if values["runner"] == "command":
        if not values["run"]:
            where = document.where(("suite", name, "runner"))
            faults.add("missing", "a command needs run", where, 'add run = ["PROGRAM", "ARGUMENT"]')
        return
    for key in ("run", "report", "list", "only"):
        if values[key]:
            where = document.where(("suite", name, key))
            faults.add("missing", f'{key} needs runner = "command"', where, f"add it, or remove {key}")


def _check_secret_twins(suites: list[Suite], faults: Faults) -> None:
    """One name, one secret: the recording names a secret by its variable alone."""
    sources: dict[str, tuple[str, str]] = {}
    for suite in suites:
        for variable in suite.env:
            if variable.source is None:
                continue
            first, where = sources.setdefault(variable.name, (variable.source, variable.where))
            if first != variable.source:
                what = f"the secret {variable.name} comes from another place at {where}"
                faults.add(
                    "duplicate", what, variable.where, "take it from one place, or give it another name"
                )


def build_environments(
    document: Document, clean: Mapping[str, Any], faults: Faults
) -> tuple[Environment, ...]:
    """The environments of one file."""
    declared: dict[str, dict[str, Any]] = clean.get("env", {})
    found = []
    for name, given in declared.items():
        path: Path = ("env", name)
        written = document.data["env"][name]
        if name == "local" and "host" in written:
            where = document.where((*path, "host"))
            faults.add("reserved", '"local" is always this machine', where, "choose another name for the box")
        elif "host" not in written:
            for key in REMOTE_KEYS:
                if key in written:
                    where = document.where((*path, key))
                    faults.add("missing", f"{key} needs a host", where, 'add host = "…", or remove it')
        values = _filled(ENVIRONMENT, given)
        services = _services(document, values.pop("service") or {}, path, faults)
        found.append(Environment(name=name, services=services, where=document.where(path), **values))
    return tuple(found)


def _services(
    document: Document, declared: dict[str, Any], path: Path, faults: Faults
) -> tuple[Service, ...]:
    services = []
    for name, given in declared.items():
        values = _filled(SERVICE, given)
        values["start"] = values["start"] or ()
        for key in ("ready", "health"):
            values[key] = Check(**values[key]) if values[key] is not None else None
        services.append(Service(name=name, where=document.where((*path, "service", name)), **values))
    graph = {service.name: service.needs for service in services}
    written = _written(document.data["env"][path[1]], "service")
    _check_needs(
        document,
        graph,
        faults,
        known=written,
        path_of=lambda name: (*path, "service", name, "needs"),
        word="service",
    )
    return tuple(services)


def _check_needs(
    document: Document,
    graph: Mapping[str, tuple[str, ...]],
    faults: Faults,
    *,
    known: set[str],
    path_of: Callable[[str], Path],
    word: str,
) -> None:
    for name, needs in graph.items():
        for number, need in enumerate(needs):
            if need in known:
                continue
            near = nearest(need, known) if faults.may_suggest else None
            action = f"did you mean {near}?" if near else f"known: {listed(sorted(known)[:20], 'and')}"
            where = document.where((*path_of(name), number))
            faults.add("unknown_name", f"needs the {word} {shown(need)}, which does not exist", where, action)
    for cycle in cycles(graph):
        where = document.where(path_of(cycle[0]))
        way = " → ".join(cycle[:20]) + (" → …" if len(cycle) > 20 else "")
        faults.add("cycle", f"{word}s need each other in a circle: {way}", where, "remove one of these needs")


def cycles(graph: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each circle that a walk finds, as the names along it with the first once more at the end. Never recursive."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in graph:
        if start in done:
            continue
        way: dict[str, int] = {start: 0}  # what is being walked, in order
        stack = [iter(graph[start])]
        while stack:
            name = next(stack[-1], None)
            if name is None:
                stack.pop()
                done.add(way.popitem()[0])
            elif name in way:
                names = list(way)
                found.append((*names[way[name] :], name))
            elif name in graph and name not in done:
                way[name] = len(way)
                stack.append(iter(graph[name]))
    return found


def merge_environments(groups: list[tuple[Environment, ...]], faults: Faults) -> tuple[Environment, ...]:
    """Join the environments of several files: a name stands in one only; `local` always exists."""
    merged: dict[str, Environment] = {}
    for group in groups:
        for environment in group:
            first = merged.setdefault(environment.name, environment)
            if first is not environment:
                what = f"the environment {environment.name} is declared at {first.where} too"
                faults.add("duplicate", what, environment.where, "rename or remove one")
    if "local" not in merged:
        return (Environment("local"), *merged.values())
    return tuple(merged.values())
