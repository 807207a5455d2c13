"""Launching: from a request to a run directory, a plan on the box, and a view that follows it.

A rerun is a launch whose plan is its parent's, narrowed to some scenarios; runs form a tree by their parents.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio

from tracekit.config import loader
from tracekit.engine.beside import beside
from tracekit.engine.box import Box
from tracekit.engine.context import Context
from tracekit.engine.follow import Follower
from tracekit.engine.plan import Planned, plan_again, plan_of, wishes
from tracekit.engine.requests import Attach, Discover, Launch, Rerun
from tracekit.engine.spots import box_name, noted, paths_of
from tracekit.engine.view import RunView
from tracekit.model.matching import meant, one_of
from tracekit.model.notices import BLOCKING
from tracekit.model.rerun import failed, outstanding, runnable
from tracekit.store.copies import Copy
from tracekit.store.runs import LOCAL_BOX, RunFolder, damaged
from tracekit.wire.ids import is_run_id
from tracekit.wire.names import LINE_VERSION
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.discovery import Discovery
    from tracekit.engine.keeping import Keeper
    from tracekit.model.facts import Notice
    from tracekit.model.state import RunState


#: How much of a tool's words a plan carries.
_DETAIL = 16 * 1024


class Launching:
    """Starts runs and follows them."""

    def __init__(
        self,
        context: Context,
        discovery: Callable[[], Discovery],
        live: Callable[[str], RunView | None],
    ) -> None:
        self._context = context
        self._discovery = discovery
        self._packing = False
        self._live = live
        # The runs that are being started or attached now.
        self._under_way: dict[str, anyio.Event] = {}

    async def launch(self, request: Launch) -> RunView:
        """Run what the request names; raises ProblemError before anything is started when it cannot be."""
        if request.begun is not None:
            return await self._start(request.begun.planned, request.begun.folder)
        ids: Sequence[str] | None = request.ids or None
        missing: list[dict[str, Any]] = []
        if request.selectors:
            ids, missing = await self._selected(request)
        # It reads files and asks git: what else this console follows must not wait for that.
        plan = functools.partial(plan_of, request, self._context.places, ids, missing)
        return await self._start(await anyio.to_thread.run_sync(plan))

    async def rerun(self, request: Rerun) -> RunView:
        """Run scenarios of an earlier run again."""
        parent = self._context.store.find(request.run)
        facts = parent.facts()
        if parent.imported:
            # Its plan names programs and arguments that somebody else chose.
            what = "the run was recorded elsewhere, and its plan is not run here"
            raise ProblemError(
                Problem("rerun.imported", what, parent.run_id, "start a new run of your own project")
            )
        if not isinstance(facts.get("plan"), dict):
            raise ProblemError(
                Problem(
                    "rerun.no_plan",
                    "the run does not say how it was started",
                    parent.run_id,
                    "start a new run",
                )
            )
        ids = self._chosen(request, parent)
        extra = wishes(until_failure=request.until_failure)
        if request.watch is not None:
            extra["watch"] = list(request.watch)
        if request.purpose:
            extra["purpose"] = request.purpose
        plan = functools.partial(
            plan_again,
            facts,
            self._context.places,
            parent=parent.run_id,
            only=ids,
            extra=extra,
            in_order=request.in_order,
            isolate=request.isolate,
            trace=request.trace,
        )
        return await self._start(await anyio.to_thread.run_sync(plan))

    async def here(self, run_id: str) -> RunView | None:
        """The view of a run that this console follows, or is about to: it follows one run once."""
        while (begun := self._under_way.get(run_id)) is not None:
            await begun.wait()
        return self._live(run_id)

    @contextlib.contextmanager
    def _beginning(self, run_id: str) -> Iterator[None]:
        """Whoever asks for this run meanwhile waits until it is followed, or will not be."""
        begun = self._under_way[run_id] = anyio.Event()
        try:
            yield
        finally:
            if self._under_way.get(run_id) is begun:
                del self._under_way[run_id]
            # Who waits comes to it once we have said of the view that it lives.
            begun.set()

    async def attach(self, folder: RunFolder) -> RunView:
        """Follow a run that the agent has and this console does not."""
        view = RunView(folder.run_id, str(folder.facts().get("root", "")), folder.box_dir, link="connecting")
        view.paths = paths_of(folder.facts())
        with self._beginning(folder.run_id):
            await self._follow(view, folder, self._context.boxes.noted(folder.facts()))
        return view

    async def attach_there(self, request: Attach) -> RunView:
        """Follow a run of a box that somebody else may have begun; raises ProblemError when there is none."""
        flags = {"profile": request.profile, "environment": request.environment}
        load = functools.partial(loader.load, request.root, flags=flags, environ=self._context.places.environ)
        config = await anyio.to_thread.run_sync(load)
        where = config.profile.environment(str(request.environment))
        if where is None or not where.remote:
            what = "this environment is no box"
            raise ProblemError(Problem("env.no_box", what, str(request.environment), "name one with a host"))
        box = self._context.boxes.of(where)
        found = newest(await box.runs(), request.run)
        if found is None:
            what = "the box has no such run" if request.run else "no run goes on there, and none waits"
            action = f"`tracekit box check {where.name}` lists what it has"
            raise ProblemError(Problem("store.no_such_run", what, request.run or where.name, action))
        run_id = str(found["run"])
        if (here := await self.here(run_id)) is not None:
            return here
        try:
            folder = self._context.store.find(run_id)
        except ProblemError:
            # The plan comes with the copy: this is only how it is found again from here.
            facts = {
                "run": run_id,
                "parent": None,
                "root": config.profile.root,
                "profile": request.profile,
                "console": str(found.get("console", "")),
                "created": found.get("started_t"),
                "boxes": [box_name(where)],
                "box": noted(where),
            }
            folder = self._context.store.create(run_id, facts)
        view = RunView(run_id, config.profile.root, folder.box_dir, link="connecting")
        view.paths = where.path_map
        with self._beginning(run_id):
            await self._follow(view, folder, box)
        return view

    async def _start(self, planned: Planned, begun_in: RunFolder | None = None) -> RunView:
        """Start and follow a run; one that was `begun_in` its folder has been asked for already."""
        folder = begun_in or self._context.store.create(planned.run_id, planned.facts(self._context.console))
        view = RunView(planned.run_id, planned.root, folder.box_dir, link="connecting")
        view.paths = planned.environment.path_map if planned.environment is not None else ()
        begun = False
        try:
            box = self._context.boxes.of(planned.environment)
            with self._beginning(planned.run_id):
                if planned.remote:
                    from tracekit.engine.bringing import brought

                    placed = await brought(planned, box, self._context)
                    if placed is not planned:
                        planned = placed
                        folder.write(planned.facts(self._context.console))
                message = planned.message(folder.path, self._context.console)
                await box.start(message, said=begun_in is not None)
                begun = planned.remote
                await self._follow(view, folder, box)
        except BaseException:
            # Nothing was begun: a folder without a journal would stand in every list as a damaged run. One that was
            # begun on a box is found again by it.
            if not begun and not folder.has_journal:
                shutil.rmtree(folder.path, ignore_errors=True)
            raise
        self._context.tasks.start_soon(self._pack)
        return view

    async def _pack(self) -> None:
        """Pack a few old runs while this one goes on; it is left half done when the console goes."""
        if self._packing:
            return
        places, left = self._context.places, threading.Event()

        def work() -> None:
            # What the end of the run needs, too, is loaded while it runs.
            from tracekit.store import checkpoints  # noqa: F401

            _keeper(self._context).beside_a_run(places.environ, lambda: not left.is_set())

        self._packing = True
        try:
            await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        finally:
            left.set()
            self._packing = False

    async def _follow(self, view: RunView, folder: RunFolder, box: Box) -> None:
        def ended(_: Follower) -> None:
            keeper, history = _keeper(self._context), self._context.history
            # Whoever waits for our end waits for this: the catalogue is opened, and its log folded in, once.
            with history.catalogue.kept_open():
                history.remember(folder, view)
                keeper.after_a_run(self._context.places.environ)

        source = f"console/{self._context.console}"
        numbers = itertools.count(1)

        def note(event: str, more: Mapping[str, Any]) -> None:
            now = self._context.places.now_ns()
            fact = {"v": LINE_VERSION, "n": next(numbers), "src": source, "t": now, "m": time.monotonic_ns()}
            folder.note(self._context.console, {**fact, "run": view.run_id, "e": event, **more})

        copy = self._copy(folder) if box.copying else None
        follower = Follower(view, ended, note, copy)
        if copy is not None and not copy.claim():
            beside(follower, copy, box, self._context.tasks)
            return
        await box.follow(follower, self._context.tasks)

    def _copy(self, folder: RunFolder) -> Copy:
        from tracekit.engine.keeping import copy_size

        return Copy(folder.box_dir, copy_size(self._context.places.environ))

    async def _selected(self, request: Launch) -> tuple[list[str], list[dict[str, Any]]]:
        """The scenarios that are meant, and what could not be collected that may hold more of them."""
        from tracekit.model.reach import may_hold
        from tracekit.model.selection import select

        asked = Discover(
            request.root,
            request.profile,
            request.environment,
            selectors=tuple(request.selectors),
            looking=request.looking,
        )
        view = await self._discovery().view(asked)
        await anyio.to_thread.run_sync(view.done.wait, abandon_on_cancel=True)
        with view.lock:
            found = [view.state.ids[index] for index in select(view.state, request.selectors)]
            notices = [notice for notice in view.state.notices if notice.kind != "warning"]
            runners = {suite.name: suite.runner for suite in view.state.run.suites}
            problems = [undiscovered(notice, request.environment) for notice in notices]
            missing = [
                _uncollected(notice)
                for notice in notices
                if notice.kind in BLOCKING
                and may_hold(
                    request.selectors, notice.suite, runners.get(notice.suite, ""), notice.file or ""
                )
            ]
        if found:
            return found, missing
        if problems:
            raise ProblemError(problems)
        raise ProblemError(
            Problem(
                "select.nothing",
                f"nothing matches {' '.join(request.selectors)!r}",
                request.root,
                "`tracekit list` shows what there is",
            )
        )

    def _chosen(self, request: Rerun, parent: RunFolder) -> list[str] | None:
        view = self._context.history.open(parent)
        if view.state.damaged:
            what = f"{view.state.damaged} lines of its journal cannot be read"
            raise ProblemError(damaged(parent.run_id, what, str(parent.journal)))
        match request.which:
            case "all":
                suites = parent.facts()["plan"].get("suites", [])
                narrowed = any(suite.get("only") is not None for suite in suites)
                return list(view.state.ids) if narrowed else None
            case "ids":
                ids = [one for each in request.ids for one in _meant(view.state, each, parent.run_id)]
            case "failed":
                ids = failed(view.state)
            case "outstanding":
                ids = outstanding([each.state for each in self._chain(parent, view)])
        ids = runnable(view.state, ids)
        if not ids:
            raise ProblemError(_nothing(request.which, parent.run_id, view.state))
        return ids

    def _chain(self, folder: RunFolder, view: RunView) -> list[RunView]:
        chain = [view]
        while (parent := folder.facts().get("parent")) and len(chain) < 1000:
            try:
                folder = self._context.store.find(str(parent))
                chain.append(self._context.history.open(folder))
            except ProblemError:
                break
        return chain[::-1]


def undiscovered(notice: Notice, environment: str) -> Problem:
    """What kept tests from being found: on which box, since that is where its remedy is to be done."""
    if environment in {"", LOCAL_BOX}:
        return Problem("discover.failed", notice.message, notice.suite, notice.action)
    where = f"{notice.suite} on {environment}" if notice.suite else environment
    action = f"on {environment}: {notice.action}" if notice.action else ""
    return Problem("discover.failed", notice.message, where, action)


def _uncollected(notice: Notice) -> dict[str, Any]:
    """What a run is told of something that its discovery could not collect."""
    facts = {"suite": notice.suite, "file": notice.file, "line": notice.line, "code": notice.code}
    more = {"message": notice.message, "remedy": notice.action, "failure": None}
    return {**facts, **more, "detail": notice.detail[:_DETAIL]}


def newest(runs: Sequence[Mapping[str, Any]], wanted: str) -> Mapping[str, Any] | None:
    """The run of a box that a text names: its id or a part of it; without one the newest, live ones first."""
    known = [
        run
        for run in runs
        if is_run_id(str(run.get("run"))) and run.get("mode") != "discover" and run.get("box")
    ]
    if wanted:
        text = wanted.upper()
        fits = [run for run in known if str(run["run"]).startswith(text) or str(run["run"]).endswith(text)]
        return fits[0] if len(fits) == 1 else None
    return max(known, key=lambda run: (run.get("state") == "live", str(run["run"])), default=None)


def _nothing(which: str, run_id: str, state: RunState) -> Problem:
    """Why there is nothing to run again: a run may be red by what held its tests back alone."""
    what, action = f"nothing is {which} in run {run_id}", f"`tracekit show {run_id}` shows its verdicts"
    held = [notice for notice in state.notices if notice.kind in BLOCKING]
    if held:
        where = held[0].file or held[0].suite
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        what = f"no test is {which} in run {run_id}: what held tests back is {where}{more}: {held[0].message}"
        action = f"once that is mended, `tracekit rerun --all {run_id}` runs everything again"
    return Problem("rerun.nothing", what, run_id, action)


def _keeper(context: Context) -> Keeper:
    from tracekit.engine.keeping import Keeper

    return Keeper(context.history, context.places.now_ns)


def _meant(state: RunState, text: str, run_id: str) -> list[str]:
    """The scenario that a text means in a run, or all of that run that a selector with a field chooses."""
    if text in state.index:
        return [text]
    from tracekit.model.selection import asks_a_field, select

    # A part of an id may look like a field; what is there decides. A suite is written in ids as a field is.
    if asks_a_field(text) and (text.startswith("suite:") or not meant(text, state.ids)):
        found = [state.ids[index] for index in select(state, [text])]
        if not found:
            action = f"`tracekit show {run_id}` shows what there is"
            what = "nothing of this run matches the selector"
            raise ProblemError(Problem("select.nothing", what, text, action))
        return found
    return [one_of(text, state.ids, run_id)]
