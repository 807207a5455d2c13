"""`tracekit list`: the scenarios that discovery finds, from the cache where the sources have not changed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tracekit.cli import edge, project
from tracekit.engine.places import Places
from tracekit.store.fingerprint import fingerprint
from tracekit.store.inventory import Inventory, InventoryStore, row
from tracekit.wire.problems import Problem, ProblemError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    project.arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON line a scenario")
    parser.add_argument("--refresh", action="store_true", help="discover again, whatever is cached")


def run(args: argparse.Namespace) -> int:
    """List the scenarios."""
    found = project.project(args)
    places = project.places()
    if not args.refresh and not found.selectors:
        kept = InventoryStore(places.cache).load(found.root, found.profile or "")
        if kept is not None and kept.fingerprint == fingerprint(Path(found.root)):
            return _print(kept.rows, as_json=args.json)
    return _discover(args, found, places)


def _discover(args: argparse.Namespace, found: project.Project, places: Places) -> int:
    from tracekit.cli.live import submitted
    from tracekit.engine.discovery import fact
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Discover
    from tracekit.model.selection import select

    with Engine(places) as engine:
        view = submitted(engine, Discover(found.root, found.profile, refresh=args.refresh))
        view.done.wait()
        state = view.state
        chosen: Iterable[int] = select(state, found.selectors) if found.selectors else range(len(state.ids))
        rows = [row(fact(state.facts[index])) for index in chosen]
        blocking = [notice for notice in state.notices if notice.kind in {"launch", "discovery"}]
    problems = [
        Problem(notice.code or "discover.failed", notice.message, notice.file or notice.suite, notice.action)
        for notice in blocking
    ]
    edge.complain(problems)
    for notice in blocking:
        for line in edge.clean_lines(notice.detail)[-20:]:
            edge.say_error(f"  │ {line}")
    code = _print(rows, as_json=args.json) if rows else edge.NOTHING
    if problems:
        return edge.exit_code(problems)
    if not rows:
        what = "nothing matches" if found.selectors else "no scenarios were found"
        raise ProblemError(
            Problem("select.nothing", what, found.root, "`tracekit list` without -s shows all there is")
        )
    return code


def _print(rows: Sequence[bytes], *, as_json: bool) -> int:
    if not rows:
        return edge.NOTHING
    if as_json:
        sys.stdout.flush()
        data = memoryview(b"".join(rows))
        while data:
            data = data[os.write(sys.stdout.fileno(), data) :]
        return edge.OK
    for scenario in Inventory("", "", tuple(rows)).scenarios():
        edge.say(scenario["id"])
    return edge.OK
