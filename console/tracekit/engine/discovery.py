"""Discovery: a run whose mode is `discover`, kept as an inventory of which only what has changed is asked for again.

A view of an inventory is fed with the same lines that a live discovery writes, so that a tree before the first run and
one in the middle of it are the same thing.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio

from tracekit.config import loader, quarantine
from tracekit.config.paths import config_files
from tracekit.engine.box import Box
from tracekit.engine.context import Context
from tracekit.engine.follow import Follower, rare_collections
from tracekit.engine.plan import Planned, plan_for
from tracekit.engine.requests import Discover
from tracekit.engine.spots import box_name
from tracekit.engine.view import RunView
from tracekit.model.notices import BLOCKING
from tracekit.model.reach import may_hold
from tracekit.model.state import Notice
from tracekit.store.copies import Copy
from tracekit.store.inventory import Inventory, InventoryStore, asked_again, runs_of, telling
from tracekit.store.runs import LOCAL_BOX, unwritable
from tracekit.store.survey import SOURCES, Survey, stale, survey
from tracekit.wire import lines
from tracekit.wire.names import JOURNAL_FILE, LINE_VERSION, E
from tracekit.wire.problems import Problem, ProblemError

# Lines of an inventory that are folded before it is shown, and in one go behind it.
FIRST_LINES = 200
LINES_AT_ONCE = 500
# How long the first rows may take to be painted before the rest is folded all the same.
_PAINTED = 2.0


class Discovery:
    """Gives views of what a project holds, from the cache or by asking its runners."""

    def __init__(self, context: Context, inventories: InventoryStore) -> None:
        self._context = context
        self._inventories = inventories
        self._live: dict[str, Box] = {}
        # What was found stale, and the look that found it so: it is asked for by the same look.
        self._judged: tuple[Inventory, Survey] | None = None

    async def stop(self) -> None:
        """Cancel every discovery that still runs: nobody else waits for it."""
        for run in tuple(self._live):
            await self._live[run].call_off(run)

    async def view(self, request: Discover) -> RunView:
        """A view that holds, or will hold, every scenario of the project."""
        key = inventory_key(request.profile, request.environment)
        kept = None
        if not request.refresh:
            kept = await anyio.to_thread.run_sync(self._inventories.load, request.root, key)
        if kept is not None and request.at_once:
            return await self._shown(request, kept, judged=False)
        judged, self._judged = self._judged, None
        if judged is not None and judged[0] is kept:
            now = judged[1]
        else:
            now = await anyio.to_thread.run_sync(self._look, request.root, kept)
        if kept is not None:
            known = kept.survey
            again = stale(known, now, kept.holding() if known != now else ())
            if not again and not kept.problems:
                return await self._shown(request, kept)
            asked = asked_again(kept, again)
            if asked is not None:
                newer = await self._newer(request, kept, now, asked)
                if newer is not None:
                    changed = {*again.files, *again.gone, *kept.broken()}
                    merged = await anyio.to_thread.run_sync(kept.with_files, newer, changed)
                    await anyio.to_thread.run_sync(self._inventories.save, merged, key)
                    return await self._shown(request, merged)
        asking = await self._start(request, now, narrowed=bool(request.selectors))
        if request.wait:
            await asking.found()
        return asking.view

    def _look(self, root: str, kept: Inventory | None) -> Survey:
        environ = self._context.places.environ
        # Files with scenarios that are no sources of a runner's language are seen nowhere else.
        also = (
            [name for name in kept.survey.sources if not name.endswith(SOURCES)] if kept is not None else ()
        )
        return survey(root, config_files(environ), environ, also)

    def _compare(self, kept: Inventory) -> bool:
        try:
            now = self._look(kept.root, kept)
        except OSError:
            return True  # whoever asks for all of it is told what is wrong
        if now == kept.survey:
            return False
        self._judged = kept, now
        return True

    async def _newer(
        self, request: Discover, kept: Inventory, now: Survey, asked: list[str]
    ) -> Inventory | None:
        """What the changed files hold now; None where asking did not come to a good end."""
        if not asked:
            return kept._replace(survey=now, told=(), runs=(), problems=())
        found = await (await self._start(request, now, asked)).found()
        return None if found is None else found._replace(suites=kept.suites)

    async def _shown(self, request: Discover, inventory: Inventory, *, judged: bool = True) -> RunView:
        """A view of an inventory whose beginning is there at once, and the rest a moment later.

        Unless it was `judged` before, that comes between the two: whoever opens a project waits for the first rows,
        and what has changed is asked for while the rest is taken in.
        """
        box, quarantined = await anyio.to_thread.run_sync(self._configured, request)
        # No run stands behind it: this folder is nowhere, and its name says whose paths the inventory tells.
        view = RunView("", inventory.root, Path(inventory.root) / JOURNAL_FILE / box, link="attached")
        view.settled.set()
        told = _told(inventory, quarantined)
        if not judged:
            view.stale = None
        view.expected = sum(run.scenarios for run in inventory.runs)
        view.feed(b"".join(itertools.islice(told, FIRST_LINES)))
        self._context.tasks.start_soon(self._feed, request, view, told, inventory)
        return view

    async def _feed(
        self, request: Discover, view: RunView, told: Iterator[bytes], inventory: Inventory
    ) -> None:
        def feed(data: bytes) -> None:
            with rare_collections():
                view.feed(data)

        if view.stale is None:
            await anyio.to_thread.run_sync(view.shown.wait, _PAINTED)
            view.stale = bool(inventory.problems) or await anyio.to_thread.run_sync(self._compare, inventory)
            if view.stale and request.environment == LOCAL_BOX:
                # Somebody will ask in a moment, and a runner is asked through the agent.
                self._context.boxes.local.wake()
        while data := b"".join(itertools.islice(told, LINES_AT_ONCE)):
            await anyio.to_thread.run_sync(feed, data)
        view.expected = 0
        view.mark("ended")

    def _configured(self, request: Discover) -> tuple[str, list[dict[str, Any]]]:
        # Quarantine is not a part of the inventory: it changes by the day, without a change of any source.
        places = self._context.places
        flags = {"profile": request.profile, "environment": request.environment}
        config = loader.load(request.root, flags=flags, environ=places.environ, implicit=False)
        box = box_name(config.profile.environment(request.environment))
        return box, quarantine.rows(config.quarantine, places.today())

    async def _start(
        self, request: Discover, now: Survey, only: list[str] | None = None, *, narrowed: bool = False
    ) -> _Asking:
        planned = plan_for(
            request.root,
            request.profile,
            self._context.places,
            mode="discover",
            environment=request.environment,
            only=only,
        )
        whole = only is None
        if narrowed:
            suites = planned.plan["suites"]
            meant = [suite for suite in suites if may_hold(request.selectors, suite["name"], suite["runner"])]
            if not meant:
                raise ProblemError(_none_meant(request, suites))
            whole = len(meant) == len(suites)
            planned.plan["suites"] = meant
        if request.looking is not None:
            request.looking([(suite["runner"], suite["name"]) for suite in planned.plan["suites"]])
        run_id = planned.run_id
        base = self._context.places.cache / "discover" / run_id
        try:
            base.mkdir(parents=True, mode=0o700)
        except OSError as fault:
            raise ProblemError(
                unwritable(self._context.places.cache, fault)._replace(code="store.cache_unwritable")
            ) from fault
        view = RunView(run_id, request.root, base / box_name(planned.environment), link="connecting")
        box = self._live[run_id] = self._context.boxes.of(planned.environment)
        copy = Copy(base / box.name) if box.copying else None
        if copy is not None:
            copy.claim()
        asking = _Asking(view, planned, now, base)
        if whole:
            asking.then = lambda found: self._inventories.save(
                found, inventory_key(request.profile, request.environment)
            )
        if planned.remote:
            from tracekit.engine.bringing import brought

            planned = asking.planned = await brought(planned, box, self._context)
        await box.start(planned.message(base, self._context.console))
        await box.follow(Follower(view, lambda _: self._ended(asking), copy=copy), self._context.tasks)
        return asking

    def _ended(self, asking: _Asking) -> None:
        self._live.pop(asking.view.run_id, None)
        asking.end()


def _none_meant(request: Discover, suites: Sequence[dict[str, Any]]) -> Problem:
    names = ", ".join(suite["name"] or suite["runner"] for suite in suites)
    what = f"nothing matches {' '.join(request.selectors)!r}: no suite can hold it"
    return Problem("select.nothing", what, request.root, f"the suites are {names}; `tracekit list` shows all")


class _Asking:
    """One question to the runners, and what its journal told when it was over."""

    def __init__(self, view: RunView, planned: Planned, now: Survey, base: Path) -> None:
        self.view = view
        self.then: Callable[[Inventory], None] = lambda _: None
        self.planned = planned
        # As they stand here: where a box keeps its copy of the tree says nothing about the files of the project.
        self._suites = tuple(planned.plan["suites"])
        self._now = now
        self._base = base
        self._over = anyio.Event()
        self._inventory: Inventory | None = None

    async def found(self) -> Inventory | None:
        """What was found, once it is over; None where the runners did not come to a good end."""
        await self._over.wait()
        return self._inventory

    def end(self) -> None:
        """Read what the journal told, and take the journal away."""
        try:
            self._inventory = self._read()
            if self._inventory is not None:
                self.then(self._inventory)
        finally:
            shutil.rmtree(self._base, ignore_errors=True)
            self._over.set()
            self.view.settled.set()

    def _read(self) -> Inventory | None:
        with self.view.lock:
            state = self.view.state
            blocking = [notice for notice in state.notices if notice.kind in BLOCKING]
            if not state.run.ended or state.run.reason != "finished" or self.view.problem is not None:
                return None
        # What is told of a file is asked again file by file; where a whole suite is missing nothing is kept.
        if any(notice.kind == "launch" or not notice.file for notice in blocking):
            return None
        try:
            with self.view.journal() as journal:
                told = tuple(telling(journal))
        except OSError:
            return None
        suites = self._suites
        found = Inventory(
            self.planned.root,
            self._now,
            told,
            runs_of(self.planned.root, suites, told),
            suites,
            tuple(notice_json(notice) for notice in blocking),
        )
        return found._replace(survey=self._now.with_files(found.root, found.holding()))


def inventory_key(profile: str | None, environment: str = LOCAL_BOX) -> str:
    """What an inventory is kept under, beside the project's root: another machine may find other scenarios."""
    return (profile or "") + ("" if environment == LOCAL_BOX else f"@{environment}")


def notice_json(notice: Notice) -> dict[str, Any]:
    """A notice as it is printed with `--json`."""
    return {
        "kind": notice.kind,
        "suite": notice.suite,
        "what": notice.message,
        "detail": notice.detail,
        "action": notice.action,
        "file": notice.file,
        "line": notice.line,
        "code": notice.code,
    }


def _told(inventory: Inventory, quarantined: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    # The lines that a discovery would have written: who reads the view need not know that it is a memory.
    head = {"v": LINE_VERSION, "src": "local/inventory/0-0", "t": 0, "m": 0, "run": ""}
    suites = list(inventory.suites)
    started = {"n": 1, "e": E.RUN_STARTED, "mode": "discover", "root": inventory.root, "suites": suites}
    if quarantined:
        started["quarantine"] = list(quarantined)
    yield lines.encode({**head, **started})
    start = lines.encode(head)[:-2] + b',"n":'
    for number, line in enumerate(inventory.told, 2):
        yield b"%s%d,%s" % (start, number, line[1:])
    rest: list[dict[str, Any]] = [
        {"e": E.DISCOVER_FAILED, **_failed(problem)} for problem in inventory.problems
    ]
    rest.append({"e": E.RUN_ENDED, "reason": "finished", "verdicts": {}})
    for number, fact in enumerate(rest, 2 + len(inventory.told)):
        yield lines.encode({**head, "n": number, **fact})


def _failed(problem: dict[str, Any]) -> dict[str, Any]:
    return {
        "suite": problem["suite"],
        "file": problem["file"],
        "message": problem["what"],
        "remedy": problem["action"],
        "code": problem["code"],
        "line": problem.get("line", 0),
        "failure": {"text": problem["detail"]},
    }
