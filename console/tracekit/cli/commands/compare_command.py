"""`tracekit compare`: what changed from one run to another, scenario by scenario, and what they were started with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tracekit.cli import edge, project, runwords
from tracekit.cli.painting import GLYPHS, Paint, counted
from tracekit.cli.project_arguments import count
from tracekit.model.results import QUARANTINED
from tracekit.model.words import count as plural
from tracekit.model.words import seconds

if TYPE_CHECKING:
    from tracekit.engine.past import Held
    from tracekit.model.comparing import Pair
    from tracekit.store.catalogue import RunSummary

_SHOWN = 20
_TIMED = ("slower", "faster")
_SIGNS = {"slower": "▲", "faster": "▼", "flaky": "↻"}
_NAMES = (
    "new_red",
    "other_cause",
    "still_red",
    "fixed",
    "changed",
    "flaky",
    "slower",
    "faster",
    "only_before",
    "only_after",
)


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


def _lines(held: Held, most: int, paint: Paint) -> Iterator[str]:
    yield _run(held.before, paint)
    yield _run(held.after, paint)
    if held.facts:
        yield ""
        width = max(len(each.name) for each in held.facts)
        for each in held.facts:
            change = f"{edge.clean(each.before) or '-'} → {edge.clean(each.after) or '-'}"
            yield f"  {paint.dim(edge.clean(each.name).ljust(width))}  {change}"
    for name, verdict, words, pairs in held.scenarios.kinds():
        yield ""
        head = f"{_SIGNS.get(name) or GLYPHS[verdict]} {len(pairs)} {words}"
        yield paint.bold(paint.verdict(verdict, head) if verdict in GLYPHS else head)
        for pair in pairs[: most or None]:
            change = _took(pair) if name in _TIMED else _change(pair)
            yield f"    {edge.clean(pair.scenario)}  {paint.dim(change)}"
            for why in () if name in _TIMED else _whys(pair):
                yield paint.dim(f"        {edge.clean(why)}")
        yield from _more(pairs, most, paint)
    yield ""
    yield f"{plural(held.scenarios.same, 'scenario')} with the same verdict"


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


def _whys(pair: Pair) -> list[str]:
    """The causes, each once."""
    told = [why.title for why in (pair.why_before, pair.why_after) if why is not None]
    return [" → ".join(told)] if pair.other_cause else told[-1:]


def _took(pair: Pair) -> str:
    before, after = pair.before, pair.after
    if before is None or after is None:
        return ""
    return f"{seconds(before.duration_ns)} → {seconds(after.duration_ns)}, {pair.pace}"


def _more(pairs: Sequence[Pair], most: int, paint: Paint) -> Iterator[str]:
    if most and len(pairs) > most:
        yield paint.dim(f"    … and {len(pairs) - most} more: -n 0 shows all")


def _say_json(held: Held) -> None:
    kinds = held.scenarios.kinds()
    counts = {kind.name: len(kind.pairs) for kind in kinds}
    edge.say_json(
        "tracekit.comparison/1",
        {
            "before": held.before.run_id,
            "after": held.after.run_id,
            **{name: counts.get(name, 0) for name in _NAMES},
            "same": held.scenarios.same,
            "facts": [asdict(each) for each in held.facts],
        },
    )
    for kind in kinds:
        for pair in kind.pairs:
            ratio = {"ratio": round(pair.ratio, 3)} if kind.name in _TIMED else {}
            edge.say_json("tracekit.change/1", {**_fact(kind.name, pair), **ratio})


def _fact(kind: str, pair: Pair) -> dict[str, Any]:
    def told(result: Any, why: Any) -> Any:
        if result is None:
            return None
        cause = {"cause": why.title} if why is not None else {}
        return {"verdict": result.verdict, "duration_ns": result.duration_ns, **cause}

    return {
        "kind": kind,
        "id": pair.scenario,
        "before": told(pair.before, pair.why_before),
        "after": told(pair.after, pair.why_after),
    }
