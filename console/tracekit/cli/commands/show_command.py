"""`tracekit show`: a run's verdicts and causes, or one scenario's steps, failure and output."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tracekit.cli import edge, project, runwords, summary
from tracekit.cli.painting import GLYPHS, Paint
from tracekit.engine.history import History
from tracekit.engine.view import RunView
from tracekit.model.facts import Handled
from tracekit.model.handling import handled_before
from tracekit.model.runfacts import ELSEWHERE
from tracekit.model.state import Attempt, OutputSpan, Status
from tracekit.model.status import RED_STATUSES
from tracekit.model.words import seconds
from tracekit.store.runs import RunStore, damaged
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.names import CUT_SHORT, RED
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

    from tracekit.engine.past import Before

_OUTPUT = 64 * 1024
_MOST_FILES = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "run", nargs="?", default="last", metavar="RUN", help="a run id, a part of it, or `last`"
    )
    parser.add_argument(
        "scenario", nargs="?", metavar="SCENARIO", help="a scenario id, or an unambiguous part of it"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a scenario")


def run(args: argparse.Namespace) -> int:
    """Show a run or a scenario."""
    places = project.places()
    store = RunStore(places.state)
    view = History(store).open(store.find(args.run))
    chosen = range(len(view.state.ids)) if args.scenario is None else _named(view, args.scenario)
    paint = Paint(on=edge.colours())
    if args.json:
        for index in chosen:
            chosen_one = args.scenario is not None
            since = _before(view, index, store, places.cache) if chosen_one else None
            edge.say_json(
                "tracekit.result/1", {**_fact(view, index, traced=chosen_one), **_since_fact(since)}
            )
    elif args.scenario is None:
        for index in chosen:
            edge.write(_row(view, index, paint))
        for line in summary.lines(view, paint):
            edge.write(line)
    else:
        for index in chosen:
            for line in _whole(view, index, paint):
                edge.write(line)
            for line in _since(_before(view, index, store, places.cache), paint):
                edge.write(line)
    if view.state.damaged or not view.folded:
        what = (
            f"{view.state.damaged} lines of its journal cannot be read"
            if view.folded
            else "the journal is empty"
        )
        raise ProblemError(damaged(view.run_id, what, str(view.box_dir)))
    if view.unread is not None:
        raise ProblemError(view.unread)
    return edge.OK


def _named(view: RunView, text: str) -> list[int]:
    from tracekit.model.matching import one_of

    state = view.state
    index = state.index[one_of(text, state.ids, view.run_id)]
    return [index, *state.children_of(index)]


def _row(view: RunView, index: int, paint: Paint) -> str:
    state = view.state
    word = Status(state.status[index]).word
    took = paint.dim(seconds(state.duration[index]).rjust(8))
    named = f"{edge.clean(state.ids[index])}{summary.mark(state, index, paint)}"
    return f"{paint.verdict(word, f'{GLYPHS[word]} {word:8}')} {took}  {named}"


def _whole(view: RunView, index: int, paint: Paint) -> Iterator[str]:
    state = view.state
    facts = state.facts[index]
    folder = state.folder_of(facts.suite)
    yield _row(view, index, paint)
    if facts.file:
        yield paint.dim(edge.clean(f"  {summary.placed(facts.file, facts.line, folder)}"))
    for line in edge.clean_lines(facts.doc):
        yield f"  {line}"
    for attempt in state.attempts(index):
        yield ""
        without = "no end in the report" if state.run.reason == CUT_SHORT else "not ended"
        yield paint.bold(f"  attempt {attempt.number}: {attempt.verdict or without}")
        for step in attempt.steps:
            name = edge.clean(step.name)
            # What a death or a cancel left open is no longer running, and nobody measured it.
            sign = GLYPHS.get(step.verdict or attempt.verdict or "running", "✗")
            took = seconds(step.duration_ns) if step.verdict is not None else ""
            yield f"    {sign} {name:40} {took:>8}".rstrip()
        yield from summary.detail(attempt, paint, _raised(view, facts.id, attempt), folder)
        yield from summary.used_and_left(attempt)
        head, tail, left_out = _output(view, attempt)
        if head:
            yield paint.dim("    output:")
            yield from (f"    │ {line}" for line in edge.clean_lines(head))
        if left_out:
            yield paint.dim(
                f"    … {left_out} bytes left out: tracekit replay {view.run_id} --json has them all …"
            )
            yield from (f"    │ {line}" for line in edge.clean_lines(tail))
    yield from summary.stalls(state.notices, paint, facts.id)
    if view.imported:
        yield paint.dim(f"  {ELSEWHERE}")
    else:
        yield f"  rerun: {summary.rerun_command(view.run_id, [facts.id.partition(SUBTEST_MARK)[0]])}"


def _raised(view: RunView, scenario: str, attempt: Attempt) -> list[Handled]:
    """The exceptions that its trace saw raised while a red attempt ran."""
    from tracekit.store.raised import raised
    from tracekit.store.tracewindow import About

    if attempt.verdict not in RED or not attempt.started_m:
        return []
    scenarios = tuple(dict.fromkeys((scenario, scenario.partition(SUBTEST_MARK)[0])))
    # Its duration is that of its phases, and leaves out what lies between: the next attempt bounds it.
    attempts = view.state.attempts(view.state.index[scenario])
    later = [other.started_m for other in attempts if other.started_m > attempt.started_m]
    about = About(scenarios, since=attempt.started_m, until=min(later, default=0))
    try:
        return raised(view.events(), about, view.state.run.root or view.root)
    except ProblemError:
        # What is damaged there, `tracekit events` and `verify` say: here it adds to what the journal knows.
        return []


def _before(view: RunView, index: int, store: RunStore, cache: Path) -> Before | None:
    """What was recorded of a red scenario before; of any other there is nothing to explain."""
    from tracekit.engine.past import Past
    from tracekit.store.sources import SourceStore

    scenario = view.state.ids[index]
    if view.state.status[index] not in RED_STATUSES or SUBTEST_MARK in scenario:
        return None
    past = Past(History(store), sources=SourceStore(cache))
    return past.before(scenario, view.root or view.state.run.root, view.run_id)


def _since(before: Before | None, paint: Paint) -> Iterator[str]:
    """When it was green last, and what is different now."""
    if before is None or before.green is None:
        return
    run = before.green.run
    yield ""
    at = runwords.commit(run.facts)
    place = f" at {at}" if at else ""
    yield f"  green last in {run.run_id}, {runwords.when(run.started_t)}{place}"
    for changed in (before.files or ())[:_MOST_FILES]:
        yield f"    {changed.how:13} {edge.clean(changed.name)}"
    if before.files is not None and len(before.files) > _MOST_FILES:
        yield paint.dim(f"    … and {len(before.files) - _MOST_FILES} more files")
    for one in before.apart:
        if one.name not in {"seed", "sources"}:
            yield f"    {edge.clean(one.name):13} {edge.clean(one.before)} → {edge.clean(one.after)}"


def _since_fact(before: Before | None) -> dict[str, Any]:
    if before is None:
        return {}
    green = before.green
    return {
        "green": None if green is None else {"run": green.run.run_id, "started": green.run.started_t},
        "changed": None if before.files is None else [[one.how, one.name] for one in before.files],
        "different": [[one.name, one.before, one.after] for one in before.apart],
    }


def _output(view: RunView, attempt: Attempt) -> tuple[bytes, bytes, int]:
    """The beginning and the end of what an attempt printed, and how much lies between: the end is where it failed."""
    total = sum(span.length for span in attempt.outputs)
    if total <= _OUTPUT:
        return view.output(attempt.outputs), b"", 0
    half = _OUTPUT // 2
    tail: list[OutputSpan] = []
    wanted = half
    for span in reversed(attempt.outputs):
        take = min(span.length, wanted)
        tail.append(replace(span, offset=span.offset + span.length - take, length=take))
        wanted -= take
        if not wanted:
            break
    return view.output(attempt.outputs, limit=half), view.output(reversed(tail)), total - 2 * half


def _fact(view: RunView, index: int, *, traced: bool) -> dict[str, Any]:
    state = view.state
    facts = state.facts[index]

    entry = state.quarantined(index)

    def told(attempt: Attempt) -> dict[str, Any]:
        head, tail, left_out = _output(view, attempt)
        text = (head + tail).decode("utf-8", "replace")
        slow = 0 < state.slow_ns(index) < attempt.duration_ns
        fact = {**asdict(attempt), "slow": slow, "output": text, "output_left_out": left_out}
        raised = _raised(view, facts.id, attempt) if traced else []
        for number, failure in enumerate(attempt.failures):
            before = handled_before(failure, raised if number == 0 else ())
            fact["failures"][number]["handled"] = [asdict(one) for one in before]
        return fact

    return {
        "run": view.run_id,
        "id": facts.id,
        "verdict": Status(state.status[index]).word,
        "duration_ns": state.duration[index],
        "slow": state.slow(index),
        "flaky": state.flaky(index),
        "quarantined": entry.to_json() if entry is not None else None,
        "file": facts.file,
        "line": facts.line,
        "parent": state.ids[facts.parent] if facts.parent >= 0 else None,
        "attempts": [told(attempt) for attempt in state.attempts(index)],
    }
