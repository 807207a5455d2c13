"""The search for what makes a scenario fail only behind others: child runs of a recorded run, one a question.

It asks the engine for runs and waits for them; the thought itself is `model.polluter`. Nothing of it outlives a
cancelled search but the child runs that are recorded already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from tracekit.engine.requests import Cancel, Request, Rerun
from tracekit.engine.view import RunView
from tracekit.model.polluter import Answer, Bisection, Step, Verdict
from tracekit.model.state import RunState
from tracekit.wire.names import RED
from tracekit.wire.problems import Problem, ProblemError

_TICK = 0.05


class Runs(Protocol):
    """What starts a run and gives its view."""

    def __call__(self, request: Request) -> RunView: ...


class Stopped(Exception):  # noqa: N818 - not an error: a person had enough
    """The search was stopped."""


class Search:
    """One scenario of one run."""

    def __init__(self, submit: Runs, view: RunView, scenario: str, told: Callable[[Step], None]) -> None:
        self._submit = submit
        self._run = view.run_id
        self._scenario = scenario
        self._told = told
        self._stopped = threading.Event()
        self.children: list[str] = []
        with view.lock:
            self.before = predecessors(view.state, scenario)
            words = verdicts(view.state, scenario)
        if not any(word in RED for word in words):
            ended = f"it ended {', '.join(dict.fromkeys(words))}" if words else "it has no end"
            what = f"this scenario did not fail in that run: {ended}"
            action = "name a run in which it failed behind others: `tracekit history SCENARIO` tells them"
            raise ProblemError(Problem("bisect.not_red", what, f"{view.run_id} {scenario}", action))

    def stop(self) -> None:
        """End the search soon; from any thread."""
        self._stopped.set()

    def search(self) -> Verdict:
        """Find out; raises ProblemError when a run cannot be started, Stopped when somebody stopped it."""
        return Bisection(self._ask, self._told).search(self.before)

    def _ask(self, tests: Sequence[str], passes: int, stop: bool) -> Answer:
        if self._stopped.is_set():
            raise Stopped
        watched = (self._scenario,) if stop else ()
        view = self._submit(
            Rerun(
                self._run,
                "ids",
                (*tests, self._scenario),
                until_failure=passes,
                watch=watched,
                in_order=True,
                purpose="bisect",
            )
        )
        self.children.append(view.run_id)
        while not view.done.wait(_TICK):
            if self._stopped.is_set():
                self._submit(Cancel(view.run_id))
                view.done.wait()
        if self._stopped.is_set():
            raise Stopped
        with view.lock:
            words = verdicts(view.state, self._scenario)
        if not words:
            raise ProblemError(
                Problem(
                    "bisect.not_run",
                    "the scenario did not run at all",
                    self._scenario,
                    f"`tracekit show {view.run_id}` says why",
                )
            )
        return Answer(sum(word in RED for word in words), len(words))


def verdicts(state: RunState, scenario: str) -> list[str]:
    """How each attempt of a scenario ended."""
    index = state.index.get(scenario)
    if index is None:
        return []
    return [attempt.verdict for attempt in state.attempts(index) if attempt.verdict]


def predecessors(state: RunState, scenario: str) -> list[str]:
    """What ran before a scenario's first attempt in the same process, in that order; raises ProblemError."""
    index = state.index.get(scenario)
    attempts = state.attempts(index) if index is not None else []
    if index is None or not attempts or not attempts[0].started_m:
        raise ProblemError(
            Problem(
                "select.nothing",
                "this scenario did not run in that run",
                scenario,
                "`tracekit show` lists them",
            )
        )
    victim = attempts[0]
    found: list[tuple[int, str]] = []
    for other, facts in enumerate(state.facts):
        if other == index or facts.parent >= 0 or facts.runner != state.facts[index].runner:
            continue
        found += [
            (attempt.started_m, facts.id)
            for attempt in state.attempts(other)[:1]
            if attempt.pid == victim.pid and 0 < attempt.started_m < victim.started_m
        ]
    return [name for _, name in sorted(found)]
