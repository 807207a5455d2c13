"""`tracekit compare`: what changed from one run to another, scenario by scenario, and what they were started with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tracekit.cli import edge, project, runwords
from tracekit.cli.painting import GLYPHS, Paint, counted, seconds
from tracekit.cli.project_arguments import count
from tracekit.model.results import QUARANTINED

if TYPE_CHECKING:
    from tracekit.engine.past import Held
    from tracekit.model.comparing import Pair
    from tracekit.store.catalogue import RunSummary

_SHOWN = 20


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("before", metavar="RUN", help="a run id, a part of it, or `last`")
    parser.add_argument("after", metavar="RUN", help="the run that is held against it")
    parser.add_argument(
        "-n",
        "--most",
        type=count,
        default=_SHOWN,
        metavar="N",
        help=f"how many scenarios of a kind (default: {_SHOWN}; 0: all)",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON line for the whole, then one a scenario that changed"
    )


def run(args: argparse.Namespace) -> int:
    """Show it."""
    from tracekit.engine.history import History
    from tracekit.engine.past import Past
    from tracekit.store.runs import RunStore

    store = RunStore(project.places().state)
    held = Past(History(store)).compare(store.find(args.before), store.find(args.after))
    if args.json:
        _say_json(held)
        return edge.OK
    for line in _lines(held, args.most, Paint(on=edge.colours())):
        edge.write(line)
    return edge.OK


def _kinds(held: Held) -> Iterator[tuple[str, str, str, Sequence[Pair]]]:
    """Name in JSON, verdict that gives colour and sign, words, scenarios."""
    found = held.scenarios
    yield "new_red", "failed", "newly red", found.new_red
    yield "still_red", "failed", "still red", found.still_red
    yield "fixed", "passed", "fixed", found.fixed
    yield "changed", "skipped", "with another verdict", found.changed
    yield "only_before", "notrun", "only in the first", found.only_before
    yield "only_after", "notrun", "only in the second", found.only_after


def _lines(held: Held, most: int, paint: Paint) -> Iterator[str]:
    yield _run(held.before, paint)
    yield _run(held.after, paint)
    if held.facts:
        yield ""
        width = max(len(each.name) for each in held.facts)
        for each in held.facts:
            change = f"{edge.clean(each.before) or '-'} → {edge.clean(each.after) or '-'}"
            yield f"  {paint.dim(edge.clean(each.name).ljust(width))}  {change}"
    for _, verdict, words, pairs in _kinds(held):
        if pairs:
            yield ""
            yield paint.bold(paint.verdict(verdict, f"{GLYPHS[verdict]} {len(pairs)} {words}"))
            for pair in pairs[: most or None]:
                yield f"    {edge.clean(pair.scenario)}  {paint.dim(_change(pair))}"
            yield from _more(pairs, most, paint)
    slower = held.scenarios.slower
    if slower:
        yield ""
        yield paint.bold(f"▲ {len(slower)} slower")
        for pair in slower[: most or None]:
            yield f"    {edge.clean(pair.scenario)}  {paint.dim(_slower(pair))}"
        yield from _more(slower, most, paint)
    yield ""
    yield f"{runwords.plural(held.scenarios.same, 'scenario')} with the same verdict"


def _run(row: RunSummary, paint: Paint) -> str:
    facts = f"{runwords.when(row.started_t)}  {runwords.took(row)}"
    return f"{runwords.run_name(row.run_id)}  {paint.dim(facts)}  {counted(row.counts, paint)}"


def _change(pair: Pair) -> str:
    before, after = pair.before, pair.after
    if before is None or after is None:
        return (before or after).verdict if before or after else ""  # type: ignore[union-attr] # one of them is there
    mark = ", in quarantine" if QUARANTINED in after.flags else ""
    if before.verdict == after.verdict:
        return after.verdict + mark
    return f"{before.verdict} → {after.verdict}{mark}"


def _slower(pair: Pair) -> str:
    before, after = pair.before, pair.after
    if before is None or after is None:
        return ""
    return f"{seconds(before.duration_ns)} → {seconds(after.duration_ns)}, {pair.ratio:.1f} times"


def _more(pairs: Sequence[Pair], most: int, paint: Paint) -> Iterator[str]:
    if most and len(pairs) > most:
        yield paint.dim(f"    … and {len(pairs) - most} more: -n 0 shows all")


def _say_json(held: Held) -> None:
    kinds = list(_kinds(held))
    edge.say_json(
        "tracekit.comparison/1",
        {
            "before": held.before.run_id,
            "after": held.after.run_id,
            **{name: len(pairs) for name, _, _, pairs in kinds},
            "slower": len(held.scenarios.slower),
            "same": held.scenarios.same,
            "facts": [asdict(each) for each in held.facts],
        },
    )
    for name, _, _, pairs in kinds:
        for pair in pairs:
            edge.say_json("tracekit.change/1", _fact(name, pair))
    for pair in held.scenarios.slower:
        edge.say_json("tracekit.change/1", {**_fact("slower", pair), "ratio": round(pair.ratio, 3)})


def _fact(kind: str, pair: Pair) -> dict[str, Any]:
    def told(result: Any) -> Any:
        return None if result is None else {"verdict": result.verdict, "duration_ns": result.duration_ns}

    return {"kind": kind, "id": pair.scenario, "before": told(pair.before), "after": told(pair.after)}
