"""What recorded runs say together: a scenario's last verdicts, two runs held against each other, the trend.

Answers come from the catalogue; a run that has not ended is folded as far as it is. Nothing here prints or paints.
"""

from __future__ import annotations

import contextlib
import difflib
from dataclasses import dataclass
from typing import Any

from tracekit.engine.history import History, Progress
from tracekit.model.comparing import Comparison, Why, compare
from tracekit.model.flakiness import Tally, flaky_places, share, tally
from tracekit.model.matching import meant
from tracekit.model.results import QUARANTINED, Result
from tracekit.store.catalogue import Catalogue, RunSummary, Verdict
from tracekit.store.runs import RunFolder
from tracekit.store.sources import Changed, SourceStore
from tracekit.wire.names import GREEN, RED
from tracekit.wire.problems import Problem, ProblemError

_SHOWN = 8
_TREND = 100
_RECENT = 20
_UNSTEADY = 200


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
    #: How many scenarios were chosen; None for a run of all there are.
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What recorded runs say of one scenario, seen from one run."""

    #: None where no ended run knows the scenario.
    story: Story | None = None
    #: The newest run before that one in which it was green, and what is different now.
    green: Verdict | None = None
    apart: tuple[Difference, ...] = ()
    #: The files that are not the same; None where that is not known any more.
    files: tuple[Changed, ...] | None = None


@dataclass(frozen=True, slots=True)
class Trends:
    """A project's last whole runs in one environment, oldest first, and the scenarios that were not steady in them."""

    root: str
    environment: str
    points: tuple[TrendPoint, ...]
    #: How many runs stand between them for which only some scenarios were chosen: they are no point of a curve.
    partly: int = 0
    #: Red in the last run that had them, and nobody is excused.
    red: tuple[Story, ...] = ()
    flaky: tuple[Story, ...] = ()
    quarantined: tuple[Story, ...] = ()


class Past:
    """Questions over all runs of this machine."""

    def __init__(
        self, history: History, progress: Progress | None = None, sources: SourceStore | None = None
    ) -> None:
        self._history = history
        self._progress = progress
        self._sources = sources

    def story(self, text: str, *, root: str = "", environment: str | None = None, limit: int = 20) -> Story:
        """A scenario's last verdicts; raises ProblemError when none is meant, or more than one.

        The same id may stand in several projects: the one at `root` is meant before any other.
        """

        def question(catalogue: Catalogue) -> tuple[str, str, list[Verdict]]:
            scenario = _named(text, catalogue, root)
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
        return story_of(scenario, project, verdicts)

    def before(self, scenario: str, root: str, run_id: str, *, limit: int = _TREND) -> Before:
        """The story of exactly this scenario, and what is different since it was green last, as seen from a run."""
        verdicts = self._history.asked(
            lambda catalogue: catalogue.verdicts(scenario, limit=limit, root=root), self._progress
        )
        if not verdicts:
            return Before()
        earlier = (told for told in verdicts if told.run.run_id < run_id and told.verdict in GREEN)
        green = next(earlier, None)
        story = story_of(scenario, root, verdicts)
        if green is None:
            return Before(story)
        return Before(story, green, self._apart(green.run.run_id, run_id), self._changed(green, run_id))

    def _changed(self, green: Verdict, run_id: str) -> tuple[Changed, ...] | None:
        if self._sources is None:
            return None
        try:
            now = self._history.summary(self._history.store.find(run_id)).fingerprint
        except ProblemError:
            return None
        if now and now == green.fingerprint:
            return ()
        found = self._sources.between(green.fingerprint, now)
        return None if found is None else tuple(found)

    def _apart(self, before: str, after: str) -> tuple[Difference, ...]:
        """The facts in which two runs differ; nothing where one of them is not here any more."""
        history = self._history
        try:
            old, new = history.store.find(before), history.store.find(after)
            return tuple(_differences(_facts(history.summary(old), old), _facts(history.summary(new), new)))
        except ProblemError:
            return ()

    def compare(self, before: RunFolder, after: RunFolder) -> Held:
        """Hold a run against an earlier one; raises ProblemError when one of them is damaged."""
        history = self._history
        told = [history.results(folder) for folder in (before, after)]
        # The catalogue holds verdicts; what they are due to stands in the runs, read where there is a red one.
        why = [self._whys(*one) for one in zip((before, after), told, strict=True)]
        scenarios = compare(*told, why_before=why[0], why_after=why[1])
        old, new = history.summary(before), history.summary(after)
        return Held(
            old,
            new,
            scenarios,
            tuple(_differences(_facts(old, before), _facts(new, after))),
        )

    def _whys(self, folder: RunFolder, results: list[Result]) -> dict[str, Why]:
        if any(result.red for result in results):
            # A run whose verdicts are known and whose journal is not there any more is compared by them alone.
            with contextlib.suppress(ProblemError):
                return self._history.whys(folder)
        return {}

    def trends(self, root: str, environment: str, limit: int = _TREND) -> Trends:
        """How a project did lately: its whole runs, and what was red, flaky or excused in them."""
        told = self.trend(root=root, environment=environment, limit=None, reruns=False)
        whole = [point for point in told if point.chosen is None][-limit:]
        since = whole[0].run_id if whole else ""
        points = [point for point in told if point.run_id >= since]
        ids = [point.run_id for point in points][-limit:]

        def question(catalogue: Catalogue) -> list[Story]:
            return [
                story_of(scenario, root, verdicts)
                for scenario in catalogue.unsteady(ids, _UNSTEADY)
                if (verdicts := catalogue.verdicts(scenario, limit=limit, environment=environment, root=root))
            ]

        stories = self._history.asked(question, self._progress) if ids else []
        excused = [story for story in stories if QUARANTINED in story.verdicts[0].flags]
        counted = [story for story in stories if QUARANTINED not in story.verdicts[0].flags]
        return Trends(
            root,
            environment,
            tuple(whole),
            len(points) - len(whole),
            tuple(story for story in counted if story.verdicts[0].verdict in RED),
            tuple(sorted((one for one in counted if one.tally.flaky), key=lambda one: -one.tally.flaky_rate)),
            tuple(excused),
        )

    def last(self, scenario: str, root: str, environment: str, limit: int = _TREND) -> Story | None:
        """One scenario's last verdicts in an environment; None where no ended run has any."""

        def question(catalogue: Catalogue) -> list[Verdict]:
            return catalogue.verdicts(scenario, limit=limit, environment=environment, root=root)

        verdicts = self._history.asked(question, self._progress)
        return story_of(scenario, root, verdicts) if verdicts else None

    def trend(
        self,
        *,
        root: str | None = None,
        environment: str | None = None,
        limit: int | None = _TREND,
        reruns: bool = True,
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
                row.facts.get("chosen"),
            )
            for row in self._history.summaries(progress=self._progress)
            if row.ended
            and not row.facts.get("purpose")
            and (reruns or not row.parent)
            and (root is None or row.root == root)
            and (environment is None or row.environment == environment)
        ]
        return points[:limit][::-1]


def story_of(scenario: str, root: str, verdicts: list[Verdict]) -> Story:
    """What a scenario's last verdicts, newest first, amount to."""
    took = [told.result.duration_ns for told in verdicts if told.verdict in GREEN]
    return Story(
        scenario,
        root,
        tuple(verdicts),
        tuple(flaky_places(verdicts)),
        tally(verdicts),
        share(took, 0.5),
        share(took, 0.95),
    )


def _named(text: str, catalogue: Catalogue, root: str) -> str:
    """The one scenario that a text means: among those of the project at `root` where it means any, else of all."""
    known = catalogue.scenarios()
    found = meant(text, known)
    if root and found and not (len(found) == 1 and root in catalogue.roots_of(found[0])):
        found = meant(text, _of_project(catalogue, root)) or found
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


def _of_project(catalogue: Catalogue, root: str) -> list[str]:
    """What the newest runs of one project know; a rerun alone knows too little."""
    runs = [run for run, row in catalogue.rows().items() if row.root == root][:_RECENT]
    return sorted({result.scenario for run in runs for result in catalogue.results(run)})


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
