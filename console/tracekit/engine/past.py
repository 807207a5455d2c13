"""What recorded runs say together: a scenario's last verdicts, two runs held against each other, the trend.

Answers come from the catalogue; a run that has not ended is folded as far as it is. Nothing here prints or paints.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from tracekit.engine.history import History, Progress
from tracekit.model.comparing import Comparison, compare
from tracekit.model.flakiness import Tally, flaky_places, share, tally
from tracekit.model.matching import meant
from tracekit.store.catalogue import Catalogue, RunSummary, Verdict
from tracekit.store.runs import RunFolder
from tracekit.wire.names import GREEN
from tracekit.wire.problems import Problem, ProblemError

_SHOWN = 8
_TREND = 100


@dataclass(frozen=True, slots=True)
class Story:
    """The last verdicts of one scenario, newest first, and what they amount to."""

    scenario: str
    root: str
    verdicts: tuple[Verdict, ...]
    flaky: tuple[bool, ...]
    tally: Tally
    median_ns: int
    p95_ns: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact in which two runs differ, in words."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Held:
    """Two runs held against each other."""

    before: RunSummary
    after: RunSummary
    scenarios: Comparison
    facts: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run as a point of a curve."""

    run_id: str
    started_t: int
    duration_ns: int
    counts: dict[str, int]
    environment: str
    commit: str


class Past:
    """Questions over all runs of this machine."""

    def __init__(self, history: History, progress: Progress | None = None) -> None:
        self._history = history
        self._progress = progress

    def story(self, text: str, *, root: str = "", environment: str | None = None, limit: int = 20) -> Story:
        """A scenario's last verdicts; raises ProblemError when none is meant, or more than one.

        The same id may stand in several projects: the one at `root` is meant before any other.
        """

        def question(catalogue: Catalogue) -> tuple[str, str, list[Verdict]]:
            scenario = _named(text, catalogue.scenarios())
            project = _project(scenario, root, catalogue.roots_of(scenario))
            found = catalogue.verdicts(scenario, limit=limit, environment=environment, root=project)
            return scenario, project, found

        scenario, project, verdicts = self._history.asked(question, self._progress)
        if not verdicts:
            raise ProblemError(
                Problem(
                    "select.nothing",
                    f"it has not run in environment {environment}" if environment else "it has not run",
                    scenario,
                    "leave --env out to see where it has" if environment else "",
                )
            )
        took = [told.result.duration_ns for told in verdicts if told.verdict in GREEN]
        return Story(
            scenario,
            project,
            tuple(verdicts),
            tuple(flaky_places(verdicts)),
            tally(verdicts),
            share(took, 0.5),
            share(took, 0.95),
        )

    def compare(self, before: RunFolder, after: RunFolder) -> Held:
        """Hold a run against an earlier one; raises ProblemError when one of them is damaged."""
        history = self._history
        scenarios = compare(history.results(before), history.results(after))
        old, new = history.summary(before), history.summary(after)
        return Held(
            old,
            new,
            scenarios,
            tuple(_differences(_facts(old, before), _facts(new, after))),
        )

    def trend(
        self, *, root: str | None = None, environment: str | None = None, limit: int = _TREND
    ) -> list[TrendPoint]:
        """The last ended runs, oldest first: how many scenarios had which verdict, and how long it took."""
        points = [
            TrendPoint(
                row.run_id,
                row.started_t,
                max(0, row.ended_t - row.started_t),
                row.counts,
                row.environment,
                str(row.facts.get("git", {}).get("commit", "")),
            )
            for row in self._history.summaries(progress=self._progress)
            if row.ended
            and not row.facts.get("purpose")
            and (root is None or row.root == root)
            and (environment is None or row.environment == environment)
        ]
        return points[:limit][::-1]


def _named(text: str, known: list[str]) -> str:
    found = meant(text, known)
    if len(found) == 1:
        return found[0]
    if found:
        shown = "\n".join(f"  {scenario}" for scenario in found[:_SHOWN])
        more = f"\n  … and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        what = f"{len(found)} scenarios match"
        raise ProblemError(Problem("cli.ambiguous", what, f"{text}\n{shown}{more}", "say which"))
    near = difflib.get_close_matches(text, known, n=1)
    if not near:
        near = difflib.get_close_matches(text, [scenario.rpartition("::")[2] for scenario in known], n=1)
    hint = f"did you mean {near[0]}?" if near else "`tracekit list` shows what there is"
    raise ProblemError(Problem("select.nothing", "no recorded run has such a scenario", text, hint))


def _project(scenario: str, wanted: str, roots: list[str]) -> str:
    if wanted in roots or not roots:
        return wanted
    if len(roots) == 1:
        return roots[0]
    what = f"{len(roots)} projects have this scenario"
    action = f"say it again inside one of them: {', '.join(roots[:_SHOWN])}"
    raise ProblemError(Problem("cli.ambiguous", what, scenario, action))


def _facts(row: RunSummary, folder: RunFolder) -> dict[str, str]:
    """What a run was started with, in words; two runs differ in some of it."""
    told: dict[str, str] = {"project": row.root, "environment": row.environment}
    if row.profile:
        told["profile"] = row.profile
    git = row.facts.get("git") or {}
    if git:
        told["commit"] = _commit(git)
        told["branch"] = str(git.get("branch", ""))
    if row.fingerprint:
        told["sources"] = row.fingerprint[:8]
    told["seed"] = str(row.facts.get("seed", ""))
    for name in ("python", "framework"):
        for suite, version in (row.facts.get(name) or {}).items():
            told[f"{name} of {suite}" if suite else name] = str(version)
    try:
        plan = folder.facts().get("plan")
    except ProblemError:
        plan = None
    if isinstance(plan, dict):
        told |= _planned(plan)
    return told


def _planned(plan: dict[str, Any]) -> dict[str, str]:
    told = {name: "yes" for name in ("shuffle",) if plan.get(name)}
    if plan.get("retries"):
        told["retries"] = str(plan["retries"])
    suites = plan.get("suites")
    for suite in suites if isinstance(suites, list) else ():
        if isinstance(suite, dict):
            name = f"arguments of {suite['name']}" if suite.get("name") else "arguments"
            args = suite.get("args")
            told[name] = " ".join(map(str, args)) if isinstance(args, list) else ""
    return told


def _commit(git: dict[str, Any]) -> str:
    return f"{str(git.get('commit', ''))[:10]}{'*' if git.get('dirty') else ''}"


def _differences(before: dict[str, str], after: dict[str, str]) -> list[Difference]:
    return [
        Difference(name, before.get(name, ""), after.get(name, ""))
        for name in {**before, **after}
        if before.get(name, "") != after.get(name, "")
    ]
