"""`tracekit verify`: read every byte of a recorded run and say what is damaged."""

from __future__ import annotations

import argparse
from pathlib import Path

from tracekit.agent.paths import read_json
from tracekit.cli import edge, project
from tracekit.store.runs import RunFolder, RunStore
from tracekit.store.verify import Verified, verify
from tracekit.wire.ids import is_run_id
from tracekit.wire.names import RUN_FILE


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run",
        nargs="?",
        default="last",
        metavar="RUN",
        help="a run id, a part of it, `last`, or a run directory",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a problem, and one for the whole")


def _trace(found: Verified) -> str:
    if not found.events and not found.events_lost:
        return ""
    missing = "" if not found.events_lost else f", {found.events_lost} missing and said to be"
    return f", {found.events} events{missing}"


def _copied(path: Path) -> RunFolder | None:
    """A run that was copied from elsewhere is named by its folder, which may be called anything."""
    if not (path / RUN_FILE).is_file():
        return None
    own = (read_json(str(path / RUN_FILE)) or {}).get("run")
    return RunFolder(path, own if isinstance(own, str) and is_run_id(own) else path.name)


def run(args: argparse.Namespace) -> int:
    """Verify; exit code 1 means damage."""
    found = verify(_copied(Path(args.run)) or RunStore(project.places().state).find(args.run))
    if args.json:
        for problem in found.problems:
            edge.say_json("tracekit.problem/1", problem.to_json())
        edge.say_json(
            "tracekit.verify/1",
            {
                "run": found.run_id,
                "ok": not found.problems,
                "ended": found.ended,
                "journal_lines": found.journal_lines,
                "lines_lost": found.lines_lost,
                "sources": found.sources,
                "output_bytes": found.output_bytes,
                "blobs": found.blobs,
                "events": found.events,
                "events_lost": found.events_lost,
                "trace_complete": found.trace_complete,
                "problems": len(found.problems) + found.more,
            },
        )
    else:
        edge.complain(found.problems)
        if found.more:
            edge.say_error(f"… and {found.more} more")
        state = "whole" if not found.problems else "damaged"
        open_end = "" if found.ended else ", not ended"
        # Damage is what nobody spoke of; a full disk's losses the run tells itself.
        lost = f" and {found.lines_lost} lost for want of room" if found.lines_lost else ""
        edge.say(
            f"run {found.run_id} is {state}{open_end}: {found.journal_lines} lines{lost} of {found.sources} sources, "
            f"{found.output_bytes} bytes of output{_trace(found)}"
        )
    return edge.RED if found.problems else edge.OK
