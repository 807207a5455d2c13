"""Decides what a run does next: which launch, which missing ends to write, when it is over.

It is sans-I/O: facts and exits in, commands out. What it must remember over a restart of the daemon is its snapshot,
which the journal carries in the same commit as the lines it decided, so that nothing is decided twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional, Union

from tracekit.agent import expecting, isolation, passes, suite_lines
from tracekit.agent.ours import Ours
from tracekit.agent.progress import Facts
from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress
from tracekit.wire.names import RED, E
from tracekit.wire.problems import Problem, ProblemError

NAMED = 1000


@dataclass(frozen=True)
class Spawn:
    """Have the supervisor start this; the same id again changes nothing."""

    spec: LaunchSpec


@dataclass(frozen=True)
class Write:
    """Put a line of the agent's own into the journal."""

    line: dict[str, Any]


@dataclass(frozen=True)
class Finish:
    """Everything is decided: close the run with this line."""

    line: dict[str, Any]


Command = Union[Spawn, Write, Finish]


@dataclass
class _Memory:
    """What survives a restart."""

    suite: int = 0
    number: int = 0
    launch: str = ""
    why: str = ""
    not_run: list[str] = field(default_factory=list)
    not_run_count: int = 0
    # The same by their reasons, and how many there are of each.
    unrun: dict[str, list[str]] = field(default_factory=dict)
    unrun_counts: dict[str, int] = field(default_factory=dict)
    failed_to_start: bool = False
    reason: str = ""
    finished: bool = False
    crashes: int = 0
    # How scenarios ended whose end we wrote ourselves, by launch.
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    # Where the current suite's launches begin, and how many passes it has had beyond its first.
    first: int = 0
    tries: int = 0
    # Whether the current suite was cut short or failed as a whole, and the suites that did not pass.
    broken: bool = False
    unmet: list[str] = field(default_factory=list)
    # Where the current pass of the suite begins, how many of its scenarios have had a process of their own, and which
    # one is having it now.
    pass_first: int = 0
    alone_done: int = 0
    alone: str = ""
    # The patterns of what was isolated so far.
    isolated: list[str] = field(default_factory=list)
    # The end of the launch before, from which the adapter can tell the next one again.
    before: Optional[dict[str, Any]] = None


class Driver:
    """One run's course: its suites one after another, each in as many launches as it needs."""

    def __init__(
        self,
        plan: dict[str, Any],
        context: Context,
        adapter: Callable[[str], Adapter],
        facts_of: Callable[[str], Facts],
        exit_of: Callable[[dict[str, Any]], Exit],
    ) -> None:
        self._plan = plan
        # What prepares the run stands before its suites, and nothing runs behind one of these that failed.
        first = [*plan.get("preparing", ()), *expecting.step(plan)]
        self._preparing = frozenset(str(step.get("name", "")) for step in first)
        self._suites: list[dict[str, Any]] = [
            *first,
            *passes.in_order(plan.get("suites", ()), discovers=plan.get("mode") == "discover"),
        ]
        self._context = context
        self._adapter = adapter
        self._facts_of = facts_of
        self._exit_of = exit_of
        self._memory = _Memory()
        self._spec: Optional[LaunchSpec] = None
        self._stopping = ""
        self._ours = Ours()
        self._launches: list[str] = []
        self._ends: dict[str, dict[str, str]] = {}
        # What the current pass put aside; None when it has to be read again.
        self._aside: Optional[list[Facts]] = []

    # -- what is asked of it

    @property
    def launch(self) -> str:
        """The launch that is running now, or "" between two."""
        return self._memory.launch

    @property
    def suite(self) -> dict[str, Any]:
        return self._suites[self._memory.suite] if self._memory.suite < len(self._suites) else {}

    @property
    def finished(self) -> bool:
        return self._memory.finished

    @property
    def stopping(self) -> str:
        """Why nothing more will be launched, or ""."""
        return self._stopping

    def snapshot(self) -> dict[str, Any]:
        """What the journal keeps for the next daemon."""
        known: dict[str, Any] = {**vars(self._memory), "stopping": self._stopping}
        if self._launches != _numbered(self._memory.number):
            known["launches"] = self._launches
        return known

    def stop_signal(self) -> int:
        """The signal with which the current suite is asked to stop."""
        try:
            return self._adapter(str(self.suite.get("runner", ""))).stop_signal()
        except ProblemError:
            return 15

    @property
    def hosted(self) -> bool:
        """Whether the current suite's tests have processes of their own, below a host."""
        try:
            return self._adapter(str(self.suite.get("runner", ""))).hosted
        except ProblemError:
            return False

    # -- what happens to it

    def begin(self) -> list[Command]:
        # Whoever chose these scenarios was told of what may hold more of them: the run ends as one that lacks it.
        known = [one for one in self._plan.get("uncollected") or () if isinstance(one, dict)]
        return [*(Write({"e": E.DISCOVER_FAILED, **one}) for one in known), *self._advance()]

    def restore(self, snapshot: dict[str, Any], specs: dict[str, LaunchSpec]) -> list[Command]:
        """Go on from a snapshot. A launch that the supervisor has not heard of is asked for once more."""
        known = vars(_Memory())
        self._memory = _Memory(**{key: value for key, value in snapshot.items() if key in known})
        self._launches = list(snapshot.get("launches", _numbered(self._memory.number)))
        self._aside = None
        self._stopping = str(snapshot.get("stopping", ""))
        if self._memory.finished or not self._memory.launch:
            return []
        self._spec = specs.get(self._memory.launch)
        return [Spawn(self._spec)] if self._spec is not None else self._recover_spec(specs)

    def stop(self, reason: str) -> list[Command]:
        """Launch nothing more; when nothing runs, that is the end."""
        if not self._stopping:
            self._stopping = reason
        return [] if self._memory.launch or self._memory.finished else self._end()

    def end_scenario(self, scenario: str, verdict: str, reason: str, now_m: int = 0) -> None:
        """When this scenario's process is found dead, it was we who ended it."""
        self._ours.ended(scenario, verdict, reason, now_m)

    def end_launch(self, reason: str) -> None:
        """When the processes of this launch are found dead, it was we who ended them."""
        self._ours.hung = reason

    def exited(self, line: dict[str, Any], now_m: int) -> list[Command]:
        """A launch is over and all its spools are read; `line` is the supervisor's word."""
        launch = self._memory.launch
        if line.get("id") != launch or not launch:
            return []
        facts = self._facts_of(launch)
        self._keep_ends(launch, facts)
        self._memory.launch = ""
        alone, self._memory.alone = self._memory.alone, ""
        if not alone:
            self._put_aside(facts)
        self._memory.before = {"id": launch, "exit": line.get("exit"), "signal": line.get("signal")}
        told_m = line.get("m")
        ended_m = told_m if isinstance(told_m, int) else now_m
        if self._stopping:
            return [*self._cut_short(facts, ended_m, alone), *self._end()]
        problem = line.get("problem")
        if isinstance(problem, dict):
            return [
                *self._not_started(Problem.from_json(problem), list(line.get("command", ()))),
                *self._advance(),
            ]
        try:
            outcome = self._outcome(facts)
        except ProblemError as fault:
            return [*self._not_started(fault.first, []), *self._advance()]
        running = facts.running
        runner = str(self.suite.get("runner", "the runner"))
        outcome.lines[:] = self._ours.seen_in(outcome.lines, runner)
        commands: list[Command] = [
            self._write(self._ours.told(_lasted(found, running, ended_m))) for found in outcome.lines
        ]
        commands += [self._write(line) for line in self._ours.not_crashed(facts)]
        self._leave(outcome.not_run, outcome.why, outcome.whys)
        if alone and alone not in {*facts.ended, *running, *outcome.not_run}:
            self._leave([alone], outcome.why or "its own process did not run it")
        if any(found.get("e") == E.RUNNER_FAILED_TO_START for found in outcome.lines):
            self._memory.failed_to_start = True
        if (
            outcome.not_run
            or facts.errors
            or any(suite_lines.fails(each.line) for each in commands if isinstance(each, Write))
        ):
            self._memory.broken = True
        following = outcome.next
        if following is not None:
            self._memory.crashes += 1
        else:
            following = self._next_alone(facts) or self._another_pass()
        if following is not None:
            return [*commands, self._spawn(following)]
        self._settle(broken=False)
        return [*commands, *self._advance()]

    # -- how it decides

    def _advance(self) -> list[Command]:
        commands: list[Command] = []
        while self._memory.suite < len(self._suites):
            if self._stopping:
                break
            suite = self._suites[self._memory.suite]
            self._memory.before = None
            need = self._unprepared() or passes.unmet(self._plan, suite, self._memory.unmet)
            if need:
                blocked = self._block(suite, need)
                commands += [] if suite.get("name") in self._preparing else [blocked]
                continue
            try:
                adapter = self._adapter(str(suite.get("runner", "")))
                spec = adapter.start(suite, self._context, self._memory.number + 1)
            except ProblemError as fault:
                commands += self._not_started(fault.first, [])
                continue
            return [*commands, self._spawn(spec)]
        return [*commands, *self._end()]

    def _spawn(self, spec: LaunchSpec) -> Spawn:
        self._memory.number += 1
        self._memory.launch = spec.id
        self._launches.append(spec.id)
        self._spec = spec
        return Spawn(spec)

    def _recover_spec(self, specs: dict[str, LaunchSpec]) -> list[Command]:
        number = self._memory.number
        try:
            before = self._memory.before
            if self._memory.alone:
                self._spec = self._alone(self._memory.alone, number)
            elif before is None:
                adapter = self._adapter(str(self.suite.get("runner", "")))
                self._spec = adapter.start(self.suite, self._context, number)
            else:
                self._spec = specs.get(str(before["id"]))
                self._memory.number = number - 1
                self._spec = self._outcome(self._facts_of(str(before["id"]))).next
                if self._spec is None and self._memory.tries:
                    self._memory.tries -= 1
                    self._spec = self._another_pass(known=self._launches.index(self._memory.launch))
                self._memory.number = number
        except ProblemError:
            self._spec = None
        if self._spec is not None:
            return [Spawn(self._spec)]
        self._memory.launch = ""
        self._settle(broken=True)
        return self._advance()

    def _unprepared(self) -> str:
        return next((name for name in self._memory.unmet if name in self._preparing), "")

    def _block(self, suite: dict[str, Any], need: str) -> Write:
        # It was not collected: what nobody chose by name has no names to leave.
        self._leave([str(name) for name in suite.get("only") or ()], f"needs {need}")
        self._memory.why = self._memory.why or f"needs {need}"
        self._memory.unmet.append(str(suite.get("name", "")))
        self._next_suite()
        return Write(suite_lines.blocked(suite, need))

    def _settle(self, broken: bool) -> None:
        """The suite has had its last launch: what needs it may run when nothing of it was red, or left out."""
        words = self._last_words(self._launches[self._memory.first :])
        if broken or self._memory.broken or any(word in RED for word in words.values()):
            self._memory.unmet.append(str(self.suite.get("name", "")))
        self._next_suite()

    def _next_suite(self) -> None:
        self._memory.suite += 1
        self._memory.broken = False
        self._memory.crashes = 0
        self._memory.tries = 0
        self._memory.first = len(self._launches)
        self._begin_pass(len(self._launches))

    def _another_pass(self, known: Optional[int] = None) -> Optional[LaunchSpec]:
        """The suite again, or its red scenarios, where the plan asks for that; raises nothing that `start` did not."""
        if self._discovers() or self._stopping:
            return None
        launches = self._launches[self._memory.first : known]
        more = passes.following(
            self._plan, self.suite.get("only"), self._memory.tries, self._last_words(launches)
        )
        if more is None:
            return None
        adapter = self._adapter(str(self.suite.get("runner", "")))
        number = self._memory.number + 1
        try:
            spec = adapter.again(self.suite, self._context, number, more, self._attempts(launches))
        except ProblemError:
            return None
        self._memory.tries += 1
        self._memory.crashes = 0
        self._begin_pass(len(self._launches) if known is None else known)
        return spec

    def _attempts(self, launches: list[str]) -> dict[str, int]:
        attempts: dict[str, int] = {}
        for launch in launches:
            for scenario, number in self._facts_of(launch).attempts.items():
                attempts[scenario] = max(number, attempts.get(scenario, 0))
        return attempts

    def _begin_pass(self, first: int) -> None:
        self._memory.pass_first = first
        self._memory.alone_done = 0
        self._aside = []

    def _put_aside(self, facts: Facts) -> None:
        if not facts.aside:
            return
        used = dict.fromkeys([*self._memory.isolated, *facts.aside.values()])
        self._memory.isolated = list(used)
        if self._aside is not None:
            self._aside.append(facts)

    def _waiting(self) -> list[str]:
        if self._aside is None:
            self._aside = [self._facts_of(name) for name in self._launches[self._memory.pass_first :]]
        return isolation.waiting(self._aside, self._memory.alone_done)

    def _next_alone(self, facts: Facts) -> Optional[LaunchSpec]:
        """The launch of the next scenario that waits for a process of its own."""
        waiting = self._waiting()
        if not waiting:
            return None
        reason = str((facts.session_ended or {}).get("reason") or "")
        if not reason:
            try:
                spec = self._alone(waiting[0], self._memory.number + 1)
            except ProblemError as fault:
                reason = fault.first.what
            else:
                self._memory.alone = waiting[0]
                self._memory.alone_done += 1
                return spec
        # A runner that was told to stop at the first red one stops here, too.
        self._memory.alone_done += len(waiting)
        self._leave(waiting, f"the suite stopped: {reason}")
        self._memory.broken = True
        return None

    def _alone(self, scenario: str, number: int) -> LaunchSpec:
        adapter = self._adapter(str(self.suite.get("runner", "")))
        # The first pass of a suite has had nothing of it; every other one numbers on.
        attempts = self._attempts(self._launches[self._memory.first :]) if self._memory.tries else {}
        own = isolation.without(self.suite)
        return adapter.again(own, self._context, number, isolation.alone(scenario), attempts)

    def _write(self, line: dict[str, Any]) -> Write:
        if line.get("e") == E.ATTEMPT_ENDED and not line.get("parent") and self._launches:
            told = self._memory.told.setdefault(self._launches[-1], {})
            told[str(line.get("scenario"))] = str(line.get("verdict"))
        return Write(line)

    def _keep_ends(self, launch: str, facts: Facts) -> None:
        self._ends[launch] = {name: word for name, word in facts.ended.items() if name not in facts.children}

    def _outcome(self, facts: Facts) -> Outcome:
        before = self._memory.before or {}
        spec = self._spec
        if spec is None:
            raise ProblemError(
                Problem("agent.launch_forgotten", "the launch is not known any more", str(before))
            )
        progress = Progress(
            suite=self.suite,
            launch=spec,
            collected=facts.collected,
            aside=frozenset(facts.aside),
            ended=set(facts.ended),
            running=facts.running,
            crashed=facts.crashed,
            session_ended=facts.session_ended,
            any_probe_line=facts.any_line,
            errors=facts.errors,
            red=sum(word in RED for word in facts.ended.values()),
            crashes=self._memory.crashes,
        )
        adapter = self._adapter(str(self.suite.get("runner", "")))
        return adapter.finished(progress, self._exit_of(before), self._context, self._memory.number + 1)

    def _cut_short(self, facts: Facts, ended_m: int, alone: str) -> list[Command]:
        commands: list[Command] = []
        running = facts.running
        for scenario, started in running.items():
            line = {
                "e": E.ATTEMPT_ENDED,
                "scenario": scenario,
                "attempt": started.get("attempt", 1),
                "verdict": "cancelled",
                "cause": None,
                "d": 0,
                "durations": {},
                "reason": self._stopping,
            }
            if started.get("parent"):
                line["parent"] = started["parent"]
            commands.append(self._write(_lasted(line, running, ended_m)))
        known = [alone] if alone else facts.collected
        if not known and not facts.aside:
            known = [str(name) for name in self.suite.get("only") or ()]
        left = [name for name in known if name not in facts.ended and name not in running]
        self._leave([*left, *self._waiting()], self._stopping)
        for suite in self._suites[self._memory.suite + 1 :]:
            self._leave([str(name) for name in suite.get("only") or ()], self._stopping)
        return commands

    def _not_started(self, problem: Problem, command: list[str]) -> list[Command]:
        suite = self.suite
        if problem.code == suite_lines.NO_TOOL and suite.get("optional") and not suite.get("only"):
            self._settle(broken=True)
            return [Write(suite_lines.left_out(suite, problem))]
        self._memory.failed_to_start = True
        self._settle(broken=True)
        self._leave([str(name) for name in suite.get("only") or ()], "failed to start")
        return [Write(suite_lines.not_started(suite, problem, command))]

    def _leave(self, names: list[str], why: str, whys: Optional[Mapping[str, str]] = None) -> None:
        memory = self._memory
        for name in names:
            reason = (whys or {}).get(name) or why
            counted = memory.unrun.setdefault(reason, [])
            memory.unrun_counts[reason] = memory.unrun_counts.get(reason, 0) + 1
            if len(memory.not_run) < NAMED:
                memory.not_run.append(name)
                counted.append(name)
        memory.not_run_count += len(names)
        if names and not memory.why:
            memory.why = (whys or {}).get(names[0]) or why

    def _end(self) -> list[Command]:
        if self._memory.finished:
            return []
        memory = self._memory
        memory.finished = True
        told: list[Command] = []
        if not (self._stopping or memory.failed_to_start or memory.not_run_count) and not self._discovers():
            found = isolation.unused(self._plan, self._suites, memory.isolated)
            told = [Write(isolation.nothing_fits(pattern)) for pattern in found]
        memory.reason = self._stopping or "finished"
        if memory.failed_to_start and not self._stopping and not self.verdicts():
            memory.reason = "failed-to-start"
        line = {
            "e": E.RUN_ENDED,
            "reason": memory.reason,
            "verdicts": self.verdicts(),
            "not_run": memory.not_run,
            "not_run_count": memory.not_run_count,
            "why": memory.why or self._stopping,
        }
        if len(memory.unrun) > 1:
            counts = memory.unrun_counts
            line["unrun"] = [
                {"why": why, "count": counts[why], "not_run": ids} for why, ids in memory.unrun.items()
            ]
        return [*told, Finish(line)]

    @property
    def failed_to_start(self) -> bool:
        """Whether a launch did not do its work, or nobody can say what it did."""
        return self._memory.failed_to_start

    def _discovers(self) -> bool:
        return self._plan.get("mode") == "discover"

    def verdicts(self) -> dict[str, int]:
        """How every scenario ended last, sub-tests apart."""
        return dict(sorted(Counter(self._last_words(self._launches).values()).items()))

    def _last_words(self, launches: list[str]) -> dict[str, str]:
        last: dict[str, str] = {}
        for launch in launches:
            if launch not in self._ends:
                self._keep_ends(launch, self._facts_of(launch))
            ends = self._ends[launch]
            last.update(ends)
            # What we told, we told because nothing else did: only a later launch can have said more.
            told = self._memory.told.get(launch, {})
            last.update((name, word) for name, word in told.items() if ends.get(name) in {None, "crashed"})
        return last


def _numbered(count: int) -> list[str]:
    """What launches are called as long as each began with the number before it."""
    return [f"L{number}" for number in range(1, count + 1)]


def _lasted(line: dict[str, Any], running: dict[str, dict[str, Any]], ended_m: int) -> dict[str, Any]:
    """What was running when its process died lasted until then."""
    began = running.get(str(line.get("scenario")), {}).get("m")
    if line.get("e") != E.ATTEMPT_ENDED or not isinstance(began, int):
        return line
    return {**line, "d": max(0, ended_m - began)}
