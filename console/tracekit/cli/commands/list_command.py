"""`tracekit list`: the scenarios that discovery finds, from the cache where the sources have not changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tracekit.cli import edge
from tracekit.cli.project_arguments import project_arguments
from tracekit.config import paths, roots
from tracekit.store.inventory import Inventory, InventoryStore, row
from tracekit.store.survey import survey
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    import argparse

    from tracekit.engine.view import RunView
    from tracekit.model.facts import ScenarioFacts
    from tracekit.model.quarantine import Quarantine


#: How often a live discovery is looked at.
_LOOK = 0.1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    project_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON line a scenario")
    parser.add_argument("--refresh", action="store_true", help="discover again, whatever is cached")


def run(args: argparse.Namespace) -> int:
    """List the scenarios."""
    kept = _kept(args)
    if kept is None:
        return _discover(args)
    held = None if os.environ.get("TRACEKIT_PROFILE") else _quarantine(kept.root)
    return _print_kept(kept, held, as_json=args.json)


def _kept(args: argparse.Namespace, *, asked: bool = False) -> Inventory | None:
    # An inventory was made from a configuration without faults, and its survey covers every file and variable of that
    # configuration: where it still fits, nothing needs to be read again.
    root = os.path.abspath(args.path)
    if (
        (args.refresh and not asked)
        or args.selectors
        or args.profile
        or args.environment
        or roots.find_root(root) != root
    ):
        return None
    kept = InventoryStore(paths.cache_dir(os.environ)).load(root, os.environ.get("TRACEKIT_PROFILE", ""))
    if kept is None or kept.problems or not kept.told:
        return None
    also = [name for name in kept.survey.sources if not name.endswith(".py")]
    now = survey(root, paths.config_files(os.environ), os.environ, also)
    return kept if now == kept.survey else None


def _quarantine(root: str) -> Quarantine | None:
    """The project's quarantine as it stands today; raises ProblemError for a faulty one."""
    from tracekit.config import quarantine

    if not os.path.lexists(os.path.join(root, quarantine.FILE)):
        return None
    from datetime import UTC, datetime

    from tracekit.config.faults import Faults
    from tracekit.model.quarantine import quarantine_of

    faults = Faults()
    entries = quarantine.read(root, faults)
    faults.raise_any()
    return quarantine_of(quarantine.rows(entries, datetime.now(UTC).date()))


def _row(facts: ScenarioFacts, held: Quarantine | None) -> bytes:
    entry = held.of(facts.id) if held else None
    if entry is None:
        return row(facts)
    from tracekit.wire import lines

    return lines.encode({**lines.decode(row(facts)), "quarantined": entry.to_json()})


def _discover(args: argparse.Namespace) -> int:
    from tracekit.cli import project
    from tracekit.cli.live import submitted
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Discover
    from tracekit.model.notices import blocking_of
    from tracekit.model.selection import select

    found = project.project(args)
    request = Discover(found.root, found.profile, refresh=args.refresh)
    with Engine(project.places()) as engine:
        view = submitted(engine, request)
        printed = 0 if found.selectors else _follow(view, as_json=args.json)
        # What is whole has been kept by now, and is printed from there: nothing of it needs to be folded.
        view.settled.wait()
        kept = None if found.selectors or printed else _kept(args, asked=True)
        if kept is None:
            view.done.wait()
    state = view.state
    if kept is not None:
        return _print_kept(kept, state.quarantine, as_json=args.json)
    chosen: Iterable[int] = select(state, found.selectors) if found.selectors else range(len(state.ids))
    rows = [state.facts[index] for index in chosen]
    left = rows[printed:]
    blocking = blocking_of(state.notices)
    problems = [
        Problem(notice.code or "discover.failed", notice.message, notice.file or notice.suite, notice.action)
        for notice in blocking
    ]
    for problem, notice in zip(problems, blocking, strict=True):
        edge.complain([problem])
        for line in edge.clean_lines(notice.detail)[-20:]:
            edge.say_error(f"  │ {line}")
    code = _print(left, state.quarantine, as_json=args.json) if rows else edge.NOTHING
    if problems:
        return edge.exit_code(problems)
    if not rows:
        what = "nothing matches" if found.selectors else "no scenarios were found"
        raise ProblemError(
            Problem("select.nothing", what, found.root, "`tracekit list` without -s shows all there is")
        )
    return code


def _follow(view: RunView, *, as_json: bool) -> int:
    """Print what each of several suites holds as soon as it is known: one that is built first keeps none waiting."""
    printed = 0
    while not view.settled.wait(_LOOK):
        with view.lock:
            several = len(view.state.run.suites) > 1
            rows, held = view.state.facts[printed:], view.state.quarantine
        if several and rows:
            _print(rows, held, as_json=as_json)
            sys.stdout.flush()
            printed += len(rows)
    return printed


def _print_kept(kept: Inventory, held: Quarantine | None, *, as_json: bool) -> int:
    if as_json and not held:
        _write(b"".join(kept.rows()))
        return edge.OK
    return _print(list(kept.scenarios()), held, as_json=as_json)


def _print(rows: Sequence[ScenarioFacts], held: Quarantine | None, *, as_json: bool) -> int:
    if as_json:
        _write(b"".join(_row(facts, held) for facts in rows))
        return edge.OK
    for facts in rows:
        edge.say(facts.id)
    return edge.OK


def _write(text: bytes) -> None:
    sys.stdout.flush()
    data = memoryview(text)
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]
