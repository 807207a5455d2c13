"""`tracekit bisect`: which of the tests before it makes a scenario fail."""

from __future__ import annotations

import argparse
import sys
import threading
from typing import TYPE_CHECKING

from tracekit.cli import edge, project

if TYPE_CHECKING:
    from tracekit.engine.bisecting import Search
    from tracekit.model.polluter import Step, Verdict

SCHEMA = "tracekit.bisect/1"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run id, a part of it, or `last`")
    parser.add_argument("scenario", metavar="SCENARIO", help="a scenario that was red in it")
    parser.add_argument("--json", action="store_true", help="a line a step, and one with what was found")


def run(args: argparse.Namespace) -> int:
    """Search, and say what was found."""
    from tracekit.cli.live import submitted
    from tracekit.cli.signals import Signals
    from tracekit.engine.bisecting import Search, Stopped
    from tracekit.engine.engine import Engine
    from tracekit.engine.requests import Replay
    from tracekit.model.matching import one_of

    with Signals().caught() as signals, Engine(project.places()) as engine:
        view = submitted(engine, Replay(args.run), signals)
        # As people name it: a part is enough where it is the only one.
        args.scenario = one_of(args.scenario, view.state.ids, view.run_id)
        teller = _Teller(as_json=args.json)
        search = Search(lambda request: submitted(engine, request), view, args.scenario, teller.step)
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                if signals.asked:
                    search.stop()
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            verdict = search.search()
        except Stopped:
            return edge.SIGNAL + (signals.cancel or signals.leave)
        finally:
            done.set()
            watcher.join()
            teller.clear()
        teller.found(view.run_id, args.scenario, search, verdict)
        return edge.OK if verdict.found == "found" else edge.RED


class _Teller:
    """Words, or lines of JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._terminal = not as_json and edge.is_terminal(sys.stdout)
        self._steps = 0

    def step(self, step: Step) -> None:
        """One question is asked."""
        self._steps += 1
        if self._as_json:
            fact = {
                "step": self._steps,
                "candidates": step.candidates,
                "tried": step.tried,
                "repeats": step.repeats,
            }
            edge.say_json(SCHEMA, fact)
            sys.stdout.flush()
            return
        times = f", up to {step.repeats} times" if step.repeats > 1 else ""
        text = (
            f"run {self._steps}: {_candidates(step.candidates)} left, {step.tried} before the victim{times}"
        )
        if self._terminal:
            sys.stdout.write(f"\r{text:78}")
            sys.stdout.flush()
        else:
            edge.say(text)

    def clear(self) -> None:
        """Take the line of progress away."""
        if self._terminal and self._steps:
            sys.stdout.write("\r" + " " * 78 + "\r")

    def found(self, run_id: str, scenario: str, search: Search, verdict: Verdict) -> None:
        """What it came to."""
        if self._as_json:
            edge.say_json(
                SCHEMA,
                {
                    "run": run_id,
                    "scenario": scenario,
                    "found": verdict.found,
                    "polluters": verdict.polluters,
                    "repeats": verdict.repeats,
                    "runs": verdict.steps,
                    "passes": verdict.passes,
                    "children": search.children,
                },
            )
            return
        for line in self._words(run_id, scenario, search, verdict):
            edge.say(line)

    @staticmethod
    def _words(run_id: str, scenario: str, search: Search, verdict: Verdict) -> list[str]:
        import shlex

        spent = f"{verdict.steps} runs, {verdict.passes} passes"
        if verdict.found == "alone":
            return [
                f"{scenario} fails alone, too: it is no victim of the order ({spent})",
                f"  → tracekit rerun {run_id} -s {shlex.quote(scenario)}",
            ]
        if verdict.found == "not-reproduced":
            return [
                f"not reproduced: {scenario} is green behind the {len(search.before)} scenarios before it ({spent})",
                "  → something else than the order made it fail: time, network, another process",
            ]
        many = "s" if len(verdict.polluters) > 1 else ""
        unsteady = (
            f"; it does so now and then: clean means {verdict.repeats} greens" if verdict.repeats > 1 else ""
        )
        chosen = " ".join(f"-s {shlex.quote(name)}" for name in (*verdict.polluters, scenario))
        return [
            f"{scenario} fails behind{'' if many else ':'}" + (" all of:" if many else ""),
            *(f"    {name}" for name in verdict.polluters),
            f"  found in {spent}, among {_candidates(len(search.before))}{unsteady}",
            f"  again: tracekit rerun {run_id} --in-order {chosen}",
        ]


def _candidates(count: int) -> str:
    return "1 candidate" if count == 1 else f"{count} candidates"
