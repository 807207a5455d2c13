"""`tracekit doctor`: is this installation whole, can runs be written, does the agent answer, which python would run."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tracekit import __version__
from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

_LITTLE = 1 << 30
Row = tuple[str, bool, str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("path", nargs="?", default=".", metavar="PATH", help="the project to look at")
    parser.add_argument(
        "--runner", metavar="CMD", help="run CMD, and check that it speaks the journal as a runner must"
    )
    parser.add_argument("--list", metavar="CMD", help="with --runner: the command that lists its tests")
    parser.add_argument(
        "--only", metavar="ARGS", help="with --runner: how it is asked for some, as in '--only {names}'"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a check")


def run(args: argparse.Namespace) -> int:
    """Check everything; exit code 2 when something would keep a run from starting."""
    failed = False
    told: set[Row] = set()
    looks = (_installation, _places, _agent, lambda: _project(args.path))
    for check in (lambda: _runner(args),) if args.runner else looks:
        for row in _guarded(check):
            if row in told:
                continue
            told.add(row)
            name, good, found, action = row
            failed |= not good
            if args.json:
                edge.say_json(
                    "tracekit.check/1", {"check": name, "ok": good, "found": found, "action": action}
                )
            else:
                edge.say(f"{'✓' if good else '✗'} {name:12} {found}")
                if action and not good:
                    edge.say(f"  → {action}")
    return edge.USAGE if failed else edge.OK


def _guarded(check: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    try:
        yield from check()
    except ProblemError as fault:
        for problem in fault.problems:
            yield problem.code.partition(".")[0], False, f"{problem.where}: {problem.what}", problem.action


def _runner(args: argparse.Namespace) -> Iterator[Row]:
    import shlex

    from tracekit.cli.conformance import Waiting, checks

    try:
        words = [shlex.split(text or "") for text in (args.runner, args.list, args.only)]
    except ValueError as fault:
        action = "quote it as for a shell"
        raise ProblemError(Problem("cli.usage", f"cannot be read: {fault}", "--runner", action)) from fault
    yield from checks(words[0], words[1], words[2], Waiting(lambda text: edge.say_error(f"tracekit: {text}")))


def _installation() -> Iterator[Row]:
    yield "tracekit", True, f"{__version__} in {Path(__file__).parents[2]}", ""
    yield "python", True, f"{platform.python_version()} {sys.executable}", ""
    try:
        from tracekit._native import box_library, safe

        yield "native", safe("a\x1b[2Jb").text.isprintable(), f"box library of {len(box_library())} bytes", ""
    except ImportError as fault:
        yield "native", False, str(fault), "reinstall tracekit: its native part is missing"


def _places() -> Iterator[Row]:
    places = project.places()
    for name, folder in (("state", places.state), ("cache", places.cache)):
        free = shutil.disk_usage(folder).free
        enough = free >= _LITTLE
        yield name, enough, f"{folder} ({free // (1 << 20)} MiB free)", "free some space on that disk"


def _agent() -> Iterator[Row]:
    import anyio

    from tracekit.link.local import LocalLink
    from tracekit.link.session import connect

    places = project.places()
    began = time.monotonic()
    greeted: dict[str, object] = {}

    async def greet() -> None:
        with anyio.move_on_after(20):
            async with connect(LocalLink(places.state, places.cache), "doctor") as session:
                async for event in session.events():
                    greeted.update(event)
                    return

    anyio.run(greet)
    if greeted.get("type") != "hello":
        told = greeted.get("problems")
        first = told[0] if isinstance(told, list) and told and isinstance(told[0], dict) else {}
        raise ProblemError(
            Problem.from_json(first)
            if first
            else Problem(
                "agent.silent", "the agent does not answer", str(places.state), "try again; then report it"
            )
        )
    runs = greeted.get("runs")
    live = (
        [run for run in runs if isinstance(run, dict) and run.get("state") == "live"]
        if isinstance(runs, list)
        else []
    )
    took = int((time.monotonic() - began) * 1000)
    yield "agent", True, f"answers in {took} ms, python {greeted.get('python')}, {len(live)} live runs", ""
    for each in live:
        yield "live run", True, f"{each.get('run')} (tracekit attach {each.get('run')})", ""


def _project(path: str) -> Iterator[Row]:
    from tracekit.agent.runners.interpreter import find
    from tracekit.config import loader, roots

    root = roots.find_root(os.path.abspath(path))
    config = loader.load(root, environ=os.environ)
    for suite in config.profile.suites:
        cwd = os.path.normpath(os.path.join(config.profile.root, suite.cwd))
        if suite.runner not in {"pytest", "unittest"}:
            yield _tool(suite.name, suite.runner, cwd)
            continue
        chosen = find(suite.python, cwd, config.profile.root, dict(os.environ))
        runner = f"{suite.runner} ({suite.why})" if suite.why else suite.runner
        yield f"suite {suite.name or '.'}", True, f"{runner} with {chosen.path} ({chosen.why})", ""


def _tool(name: str, runner: str, cwd: str) -> Row:
    """Where the program of a runner of another language is."""
    from tracekit.agent.runners.base import adapter
    from tracekit.agent.runners.hosted import HostedAdapter

    title, found = f"suite {name or '.'}", adapter(runner)
    try:
        more = found.more({"cwd": cwd}, dict(os.environ)) if isinstance(found, HostedAdapter) else {}
    except ProblemError as fault:
        return title, False, f"{runner}: {fault.first.what}", fault.first.action
    place = more.get("program") or more.get(runner) or more.get("node") or "a command of the profile's"
    return title, True, f"{runner} with {place}", ""
