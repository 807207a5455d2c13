"""`tracekit history`: a scenario's last verdicts and durations, and whether it is flaky."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracekit.cli import edge, project, runwords
from tracekit.cli.painting import GLYPHS, Paint
from tracekit.cli.project_arguments import count
from tracekit.model.words import count as plural
from tracekit.model.words import seconds

if TYPE_CHECKING:
    from tracekit.engine.past import Story
    from tracekit.store.catalogue import Verdict

_FLAKE = "↻"
_ODD = ("flaky", "stalled", "leaks", "quarantined")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "scenario", metavar="SCENARIO", help="a scenario id, an unambiguous part of it, or a glob"
    )
    parser.add_argument("--env", metavar="E", dest="environment", help="only what ran in this environment")
    parser.add_argument(
        "-n", "--newest", type=count, default=20, metavar="N", help="how many (default: 20; 0: all)"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON line for the whole, then one a verdict, newest first"
    )


def run(args: argparse.Namespace) -> int:
    """Show them."""
    from tracekit.config.roots import find_root
    from tracekit.engine.history import History
    from tracekit.engine.past import Past
    from tracekit.store.runs import RunStore

    past = Past(History(RunStore(project.places().state)), runwords.reading)
    story = past.story(
        args.scenario,
        root=find_root(os.getcwd()),  # noqa: PTH109 - kept as text
        environment=args.environment,
        limit=args.newest or -1,
    )
    if args.json:
        _say_json(story)
        return edge.OK
    for line in _lines(story, Paint(on=edge.colours())):
        edge.write(line)
    return edge.OK


def _lines(story: Story, paint: Paint) -> Iterator[str]:
    yield paint.bold(edge.clean(story.scenario))
    yield paint.dim(edge.clean(story.root))
    yield ""
    yield from _strip(story, paint)
    yield f"  {_sum(story)}"
    yield ""
    environments = max(len(told.environment) for told in story.verdicts)
    commits = max(len(runwords.commit(told.run.facts)) for told in story.verdicts)
    for told, flake in zip(story.verdicts, story.flaky, strict=True):
        yield _row(told, flake, paint, environments, commits)


def _strip(story: Story, paint: Paint) -> Iterator[str]:
    """One sign a run, oldest first, as wide as there is room."""
    signs = [
        paint.verdict("skipped", _FLAKE)
        if flake
        else paint.verdict(told.verdict, GLYPHS.get(told.verdict, "?"))
        for told, flake in zip(story.verdicts, story.flaky, strict=True)
    ][::-1]
    room = max(20, (runwords.columns() or 80) - 4)
    for start in range(0, len(signs), room):
        yield f"  {''.join(signs[start : start + room])}"


def _sum(story: Story) -> str:
    tally = story.tally
    parts = [plural(tally.runs, "run"), f"{tally.green} green", f"{tally.red} red"]
    if tally.flaky:
        parts.append(f"{tally.flaky} flaky ({tally.flaky_rate:.0%})")
    if tally.green:
        parts.append(f"green in {seconds(story.median_ns)} (median), {seconds(story.p95_ns)} (p95)")
    return ", ".join(parts)


def _row(given: Verdict, flake: bool, paint: Paint, environments: int, commits: int) -> str:
    result, row = given.result, given.run
    word = paint.verdict(result.verdict, f"{GLYPHS.get(result.verdict, '?')} {result.verdict:9}")
    odd = [flag for flag in _ODD if flag in result.flags]
    if flake and "flaky" not in odd:
        odd.insert(0, "flaky")
    if result.attempts > 1:
        odd.append(f"×{result.attempts}")
    facts = [runwords.when(row.started_t), edge.clean(row.environment).ljust(environments)]
    if commits:
        facts.insert(1, runwords.commit(row.facts).ljust(commits))
    told = paint.dim("  ".join((*facts, runwords.run_name(row.run_id))))
    return f"  {word} {seconds(result.duration_ns):>8}  {told}  {' '.join(odd)}".rstrip()


def _say_json(story: Story) -> None:
    tally = story.tally
    edge.say_json(
        "tracekit.history/1",
        {
            "id": story.scenario,
            "root": story.root,
            "runs": tally.runs,
            "green": tally.green,
            "red": tally.red,
            "flaky": tally.flaky,
            "flaky_rate": round(tally.flaky_rate, 4),
            "median_ns": story.median_ns,
            "p95_ns": story.p95_ns,
        },
    )
    for told, flake in zip(story.verdicts, story.flaky, strict=True):
        result, row = told.result, told.run
        edge.say_json(
            "tracekit.verdict/1",
            {
                "run": row.run_id,
                "verdict": result.verdict,
                "flaky": flake,
                "duration_ns": result.duration_ns,
                "attempts": result.attempts,
                "started": result.started_t or row.started_t,
                "cpu_ns": result.cpu_ns,
                "peak_kib": result.peak_kib,
                "flags": list(result.flags),
                "environment": row.environment,
                "fingerprint": row.fingerprint,
                "git": row.facts.get("git") or {},
            },
        )
