"""Discovery: a run whose mode is `discover`, kept as an inventory until the sources change.

A view of an inventory is fed with the same lines that a live discovery writes, so that a tree before the first run and
one in the middle of it are the same thing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio

from tracekit.config.paths import config_files
from tracekit.engine.box import Box
from tracekit.engine.boxes import box_name
from tracekit.engine.context import Context
from tracekit.engine.follow import Follower
from tracekit.engine.plan import Planned, plan_for
from tracekit.engine.requests import Discover
from tracekit.engine.view import RunView
from tracekit.model.state import Notice, ScenarioFacts
from tracekit.store.copies import Copy
from tracekit.store.fingerprint import fingerprint
from tracekit.store.inventory import Inventory, InventoryStore, row
from tracekit.store.runs import LOCAL_BOX, unwritable
from tracekit.wire import lines
from tracekit.wire.names import JOURNAL_FILE, LINE_VERSION, E
from tracekit.wire.problems import ProblemError


class Discovery:
    """Gives views of what a project holds, from the cache or by asking its runners."""

    def __init__(self, context: Context, inventories: InventoryStore) -> None:
        self._context = context
        self._inventories = inventories
        self._live: dict[str, Box] = {}

    async def stop(self) -> None:
        """Cancel every discovery that still runs: nobody else waits for it."""
        for run in tuple(self._live):
            await self._live[run].cancel(run, None)

    async def view(self, request: Discover) -> RunView:
        """A view that holds, or will hold, every scenario of the project."""
        environ = self._context.places.environ
        mark = await anyio.to_thread.run_sync(fingerprint, request.root, config_files(environ), environ)
        key = inventory_key(request.profile, request.environment)
        if not request.refresh:
            kept = self._inventories.load(request.root, key)
            if kept is not None and kept.fingerprint == mark:
                return inventory_view(kept)
        return await self._ask(request, mark, key)

    async def _ask(self, request: Discover, mark: str, key: str) -> RunView:
        planned = plan_for(
            request.root,
            request.profile,
            self._context.places,
            mode="discover",
            environment=request.environment,
        )
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
        await box.start(planned.message(base, self._context.console))
        ended = Follower(view, lambda _: self._keep(view, planned, mark, key, base), copy=copy)
        await box.follow(ended, self._context.tasks)
        return view

    def _keep(self, view: RunView, planned: Planned, mark: str, key: str, base: Path) -> None:
        self._live.pop(view.run_id, None)
        with view.lock:
            state = view.state
            whole = state.run.ended and state.run.reason == "finished" and view.problem is None
            rows = tuple(row(fact(facts)) for facts in state.facts)
            problems = tuple(notice_json(notice) for notice in state.notices)
        # What could not be collected may be whole again without a change of the sources: ask again next time.
        if whole and not problems:
            self._inventories.save(
                Inventory(planned.root, mark, rows, problems, tuple(planned.plan["suites"])), key
            )
        shutil.rmtree(base, ignore_errors=True)


def inventory_key(profile: str | None, environment: str = LOCAL_BOX) -> str:
    """What an inventory is kept under, beside the project's root: another machine may find other scenarios."""
    return (profile or "") + ("" if environment == LOCAL_BOX else f"@{environment}")


def inventory_view(inventory: Inventory) -> RunView:
    """An inventory as a view; no run stands behind it."""
    view = RunView("", inventory.root, Path(inventory.root) / JOURNAL_FILE, link="ended")
    view.feed(b"".join(_told(inventory)))
    return view


def notice_json(notice: Notice) -> dict[str, Any]:
    """A notice as it is printed with `--json`."""
    return {
        "kind": notice.kind,
        "suite": notice.suite,
        "what": notice.message,
        "detail": notice.detail,
        "action": notice.action,
    }


def fact(facts: ScenarioFacts) -> dict[str, Any]:
    return {
        "scenario": facts.id,
        "suite": facts.suite,
        "runner": facts.runner,
        "path": list(facts.path),
        "file": facts.file,
        "line": facts.line,
        "tags": list(facts.tags),
        "doc": facts.doc,
    }


def _told(inventory: Inventory) -> Iterator[bytes]:
    # The lines that a discovery would have written: who reads the view need not know that it is a memory.
    facts: list[dict[str, Any]] = [
        {"e": E.RUN_STARTED, "mode": "discover", "root": inventory.root, "suites": list(inventory.suites)}
    ]
    for raw in inventory.rows:
        fact = json.loads(raw)
        kept = {name: fact[name] for name in ("suite", "runner", "path", "file", "line", "tags", "doc")}
        facts.append({"e": E.SCENARIO_FOUND, "scenario": fact["id"], **kept})
    facts.append({"e": E.RUN_ENDED, "reason": "finished", "verdicts": {}})
    head = {"v": LINE_VERSION, "src": "local/inventory/0-0", "t": 0, "m": 0, "run": ""}
    for number, fact in enumerate(facts, 1):
        yield lines.encode({**head, "n": number, **fact})
