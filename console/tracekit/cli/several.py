"""One launch on several boxes: the same suite on each, or one suite shared among them.

A box that goes away is no failed test: what it was to run is named with the reason, and run again on another box only
where its suite may be. Every scenario has one verdict, or one line that says why not.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracekit.cli import edge, summary
from tracekit.cli.boxfacts import differing, facts_of
from tracekit.cli.live import show_recorded, submitted
from tracekit.cli.painting import Paint
from tracekit.cli.signals import Signals
from tracekit.engine.requests import Cancel, Discover, Launch
from tracekit.engine.sharing import deal
from tracekit.model.notices import blocking_of
from tracekit.model.status import Status
from tracekit.wire.ids import split_scenario_id
from tracekit.wire.names import RED
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracekit.config.profile import Profile
    from tracekit.engine.engine import Engine
    from tracekit.engine.view import RunView

SCHEMA = "tracekit.boxes/1"
_TICK = 0.1
_BEAT = 5.0
_HISTORY = 3
_CLOSING = 30.0


@dataclass
class Part:
    """What one box was given to run."""

    box: str
    ids: tuple[str, ...]
    future: Future[RunView]
    view: RunView | None = None
    problem: Problem | None = None
    away_since: float = 0.0
    lost: bool = False

    @property
    def over(self) -> bool:
        return self.lost or self.problem is not None or (self.view is not None and self.view.done.is_set())

    def words(self) -> dict[str, str]:
        """The verdicts that are known here."""
        if self.view is None:
            return {}
        with self.view.lock:
            state = self.view.state
            ends = ((name, Status(state.status[at])) for at, name in enumerate(state.ids))
            return {name: status.word for name, status in ends if status not in _OPEN}


_OPEN = {Status.PENDING, Status.RUNNING, Status.LOST}


@dataclass
class Several:
    """The boxes of one launch, and how it goes on each."""

    engine: Engine
    signals: Signals
    request: Launch
    boxes: Sequence[str]
    profile: Profile
    lost_after: float
    as_json: bool
    share: bool
    parts: list[Part] = field(default_factory=list)
    #: Scenarios that have no verdict and get none, with the reason.
    missing: dict[str, str] = field(default_factory=dict)

    def run(self) -> int:
        """Launch everywhere, follow to the end, tell; gives the exit code."""
        if self.share:
            self._deal(self._ids(), self.boxes)
        else:
            for box in self.boxes:
                self._launch(box, ())
        self._follow()
        return self._tell()

    # -- launching

    def _ids(self) -> list[str]:
        """What there is to share, as the first box that answers has it; raises ProblemError when none does."""
        fault: ProblemError | None = None
        for box in self.boxes:
            asked = Discover(self.request.root, self.request.profile, box, wait=True)
            try:
                view = submitted(self.engine, asked, self.signals)
            except ProblemError as found:
                fault = fault or found
                continue
            view.done.wait()
            with view.lock:
                if self.request.selectors:
                    from tracekit.model.selection import select

                    return [view.state.ids[at] for at in select(view.state, self.request.selectors)]
                return list(view.state.ids)
        raise fault or ProblemError(Problem("env.no_box", "no box is named", "--env", "name some: --env a,b"))

    def _deal(self, ids: Sequence[str], boxes: Sequence[str]) -> None:
        needs = {suite.name: suite.needs for suite in self.profile.suites if suite.needs}
        for box, share in zip(boxes, deal(ids, self._durations(), len(boxes), needs), strict=True):
            if share:
                self._launch(box, tuple(share))

    def _durations(self) -> dict[str, int]:
        from tracekit.engine.history import History

        history = History(self.engine.store)
        found: dict[str, int] = {}
        rows = [row for row in history.summaries(50) if row.root == self.request.root and not row.live]
        for row in rows[:_HISTORY]:
            for result in history.results(self.engine.store.find(row.run_id)):
                found.setdefault(result.scenario, result.duration_ns)
        return found

    def _launch(self, box: str, ids: tuple[str, ...]) -> None:
        selectors = () if ids else self.request.selectors
        request = self.request._replace(environment=box, ids=ids, selectors=selectors)
        self.parts.append(Part(box, ids, self.engine.submit(request)))

    # -- following

    def _follow(self) -> None:
        told, beat = 0, time.monotonic()
        while any(not part.over for part in self.parts):
            if self.signals.times > told or self.signals.leave:
                told = self.signals.times
                if self.signals.leave or told > 1:
                    return
                self._cancel()
            for part in list(self.parts):
                if not part.over:
                    self._look(part)
            if time.monotonic() - beat > _BEAT:
                beat = time.monotonic()
                edge.say_error("  ".join(map(self._progress, self.parts)))
            time.sleep(_TICK)

    def _look(self, part: Part) -> None:
        if part.view is None:
            if not part.future.done():
                return
            try:
                part.view = part.future.result()
            except ProblemError as fault:
                part.problem = fault.first
                # Nothing of it has begun: another box may have it, whatever its suite is.
                self._give_on(part, part.ids, f"{part.box}: {fault.first.what}", begun=False)
            return
        now = time.monotonic()
        if part.view.link != "reconnecting":
            part.away_since = 0.0
        elif not part.away_since:
            part.away_since = now
        elif now - part.away_since > self.lost_after:
            part.lost = True
            known = part.words()
            left = [name for name in self._known(part) if name not in known]
            why = f"{part.box} was lost {self.lost_after:g} s ago, and with it what became of this"
            self._give_on(part, left, why, begun=True)

    def _known(self, part: Part) -> list[str]:
        if part.ids or part.view is None:
            return list(part.ids)
        with part.view.lock:
            return list(part.view.state.ids)

    def _give_on(self, part: Part, left: Iterable[str], why: str, *, begun: bool) -> None:
        """What a box can no longer run goes to the others where that does no harm, else it is missing."""
        others = [each.box for each in self.parts if not each.lost and each.problem is None]
        others = [box for box in dict.fromkeys(others) if box != part.box]
        may = {suite.name for suite in self.profile.suites if suite.idempotent or not begun}
        on = [name for name in left if self.share and others and split_scenario_id(name)[1] in may]
        if on:
            edge.say_error(f"tracekit: {len(on)} scenarios of {part.box} run again on {', '.join(others)}")
            self._deal(on, others)
        taken = set(on)
        self.missing.update({name: why for name in left if name not in taken})

    def _cancel(self) -> None:
        edge.say_error("tracekit: cancelling on every box …")
        for part in self.parts:
            if part.view is not None and not part.over:
                self.engine.submit(Cancel(part.view.run_id))

    def _progress(self, part: Part) -> str:
        if part.view is None:
            return f"{part.box}: {'refused' if part.problem else 'connecting'}"
        with part.view.lock:
            counts = dict(part.view.state.counts)
            awaited = [service.name for service in part.view.state.run.services if service.awaited]
        left = counts.get("pending", 0) + counts.get("running", 0)
        state = "lost" if part.lost else part.view.link
        done = f"{sum(counts.values()) - left}/{sum(counts.values())}"
        if awaited:
            done = f"waits for service {', '.join(map(edge.clean, awaited[:3]))}"
        return f"{part.box}: {done} ({state})"

    # -- telling

    def _tell(self) -> int:
        for part in self.parts:
            if part.view is not None:
                self._tell_part(part, part.view)
            elif part.problem is not None:
                edge.complain([part.problem])
        told = [self._row(part) for part in self.parts]
        missing = [{"scenario": name, "why": why} for name, why in self.missing.items()]
        if self.as_json:
            edge.say_json(
                SCHEMA,
                {"boxes": told, "missing": missing, "differing": self._differing(), "facts": self._facts()},
            )
        else:
            self._say(told)
        return self._code()

    def _tell_part(self, part: Part, view: RunView) -> None:
        if self.as_json:
            show_recorded(view, as_json=True)
            return
        edge.say(f"— {part.box}")
        paint = Paint(on=edge.colours())
        for line in summary.lines(view, paint):
            edge.say(line)

    def _row(self, part: Part) -> dict[str, Any]:
        words: dict[str, int] = {}
        for word in part.words().values():
            words[word] = words.get(word, 0) + 1
        state = "lost" if part.lost else "refused" if part.problem else "ended"
        run = part.view.run_id if part.view is not None else None
        why = {} if words or part.view is None else _why_nothing(part.view)
        return {"box": part.box, "run": run, "state": state, "verdicts": words, **why}

    def _differing(self) -> dict[str, dict[str, str]]:
        """Scenarios that did not end alike on every box that ran them, with each one's verdict."""
        if self.share:
            return {}
        seen: dict[str, dict[str, str]] = {}
        for part in self.parts:
            for name, word in part.words().items():
                seen.setdefault(name, {})[part.box] = word
        return {name: words for name, words in seen.items() if len(set(words.values())) > 1}

    def _facts(self) -> dict[str, dict[str, str]]:
        """In what the boxes differ that ran something."""
        ran = {part.box: part.view for part in self.parts if part.view is not None and part.words()}
        return differing({box: facts_of(view) for box, view in ran.items()})

    def _say(self, rows: list[dict[str, Any]]) -> None:
        edge.say("")
        for row in rows:
            words = ", ".join(f"{count} {word}" for word, count in sorted(row["verdicts"].items()))
            why = edge.clean(f": {row['why']}") if "why" in row else ""
            edge.say(f"{row['box']:16} {row['state']:8} {words or f'nothing{why}'}")
        for name, seen in self._differing().items():
            said = ", ".join(f"{box}: {word}" for box, word in seen.items())
            edge.say(f"≠ {edge.clean(name)}  {said}")
        for name, seen in self._facts().items():
            said = ", ".join(f"{box}: {value or 'none'}" for box, value in seen.items())
            edge.say(edge.clean(f"≠ {name}  {said}"))
        for name, why in self.missing.items():
            edge.say(f"? {edge.clean(name)}  not known: {why}")

    def _code(self) -> int:
        if self.signals.cancel or self.signals.leave:
            return edge.SIGNAL + (self.signals.cancel or self.signals.leave)
        if any(word in RED for part in self.parts for word in part.words().values() if part.lost):
            return edge.RED
        codes = [summary.outcome(part.view) for part in self.parts if part.view is not None and not part.lost]
        if edge.RED in codes:
            return edge.RED
        if self.missing or (not self.share and any(part.lost or part.problem for part in self.parts)):
            return edge.UNREACHABLE
        return max(codes, default=edge.UNREACHABLE)


def _why_nothing(view: RunView) -> dict[str, str]:
    """What kept a box from running anything, as far as it says."""
    with view.lock:
        found = blocking_of(view.state.notices)
    return {"why": found[0].message} if found else {}
