"""The engine: one thread with its own loop that owns every run this console starts, follows or opens.

Requests come in from any thread and give a view; what happens afterwards is seen by looking at the view. The engine
never calls into a screen.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self, assert_never

import anyio
from anyio.abc import TaskGroup
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tracekit.engine.boxes import Boxes
from tracekit.engine.context import Context
from tracekit.engine.history import History
from tracekit.engine.places import Places
from tracekit.engine.requests import Attach, Cancel, Discover, Launch, Replay, Request, Rerun
from tracekit.engine.view import RunView
from tracekit.store.runs import RunStore
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.archive import Archive
    from tracekit.engine.discovery import Discovery
    from tracekit.engine.journey import Journey
    from tracekit.engine.launching import Launching
    from tracekit.engine.past import Past
    from tracekit.engine.savefeed import SaveFeed
    from tracekit.link.bridge import Bridge
    from tracekit.link.ssh import Asker
    from tracekit.store.catalogue import RunSummary

_LAST_WORDS = 2.0


class Engine:
    """Use it as a context manager, or call `start` and `close`."""

    def __init__(
        self,
        places: Places,
        *,
        asker: Asker | None = None,
        accept_new: bool = False,
        begun: Bridge | None = None,
        once: set[str] | None = None,
        pace: float = 0.0,
        console: str = "",
    ) -> None:
        """`console` is in whose name something has been begun already."""
        self.places = places
        #: How many seconds apart this console wants to hear what is new; 0.0 is as soon as it is.
        self.pace = pace
        #: The way to this machine's agent, where it was started before anything else was loaded.
        self.begun = begun
        self.asker = asker
        self.accept_new = accept_new
        #: Host keys that a person trusts for as long as this console lives.
        self.once: set[str] = once if once is not None else set()
        self.store = RunStore(places.state)
        self.console = console or places.console_name()
        #: What goes on, and what was asked for last.
        self.views: dict[str, RunView] = {}
        self._stack = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None
        self._core: _Core | None = None
        self._opened = threading.Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the thread; nothing is connected before it is needed."""
        with self._opened:
            if self._portal is None:
                with _undisturbed():
                    self._portal = self._stack.enter_context(
                        start_blocking_portal("asyncio", name="tracekit-engine")
                    )
                    core = self._portal.wrap_async_context_manager(_core(self))
                    self._core = self._stack.enter_context(core)

    def close(self) -> None:
        """Let go of every link; runs go on without this console."""
        with self._opened:
            self._portal = self._core = None
            self._stack.close()

    def submit(self, request: Request) -> Future[RunView]:
        """Hand a request over; the future gives the view, or raises ProblemError."""
        self.start()
        if self._portal is None or self._core is None:
            raise ProblemError(_closed())
        return self._portal.start_task_soon(self._core.handle, request)

    def runs(self) -> list[RunSummary]:
        """Every run of this machine, newest first, live ones marked as such."""
        return History(self.store).summaries()

    def watch(self, launch: Launch) -> SaveFeed:
        """Saves of a project; whoever asked closes it."""
        from tracekit.engine.savefeed import SaveFeed

        ours = (str(self.places.state), str(self.places.cache))
        return SaveFeed(self.submit, launch, self.places.environ, ours)

    def past(self) -> Past:
        """What recorded runs say together: a scenario's story, two runs compared, the trend. Reads the disk."""
        from tracekit.engine.past import Past
        from tracekit.store.sources import SourceStore

        return Past(History(self.store), sources=SourceStore(self.places.cache))

    def journey(self, view: RunView) -> Journey:
        """The moments of a run that is shown; nothing is read before it is asked."""
        from tracekit.engine.journey import Journey

        return Journey(view)

    def archive(self) -> Archive:
        """The recorded runs as a screen shows them. Reads the disk."""
        from tracekit.engine.archive import Archive

        return Archive(self.store, self.places.now_ns)


class _Core:
    """What lives on the engine's loop."""

    def __init__(self, engine: Engine, tasks: TaskGroup) -> None:
        self._engine = engine
        places = engine.places
        self._boxes = Boxes(
            places,
            engine.console,
            tasks,
            asker=engine.asker,
            accept_new=engine.accept_new,
            begun=engine.begun,
            once=engine.once,
            pace=engine.pace,
        )
        self._history = History(engine.store)
        context = Context(places, engine.store, self._boxes, self._history, tasks, engine.console)
        self._context = context
        self._finder: Discovery | None = None
        self._launcher: Launching | None = None
        self._scopes: set[anyio.CancelScope] = set()
        self._over = False

    def _discovery(self) -> Discovery:
        """Loaded when something is to be found: a run of everything asks for nothing before it."""
        if self._finder is None:
            from tracekit.engine.discovery import Discovery
            from tracekit.store.inventory import InventoryStore

            self._finder = Discovery(self._context, InventoryStore(self._context.places.cache))
        return self._finder

    def _launching(self) -> Launching:
        """Loaded when something is launched: whoever opens a project waits for its first rows."""
        if self._launcher is None:
            from tracekit.engine.launching import Launching

            self._launcher = Launching(self._context, self._discovery, self._live)
        return self._launcher

    async def handle(self, request: Request) -> RunView:
        """Carry out one request; raises ProblemError when the engine closes in the middle of it."""
        if self._over:
            raise ProblemError(_closed())
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                return await self._carry_out(request)
            finally:
                self._scopes.discard(scope)
        raise ProblemError(_closed())

    async def stop(self) -> None:
        """End what only this console wants: its waiting requests, and discoveries that still run."""
        for scope in tuple(self._scopes):
            scope.cancel()
        with anyio.move_on_after(_LAST_WORDS):
            if self._finder is not None:
                await self._finder.stop()
            await self._boxes.settle()

    def failed(self) -> None:
        """Nothing goes on here any more: who waits for a request or a run is told."""
        self._over = True
        for scope in tuple(self._scopes):
            scope.cancel()
        for view in tuple(self._engine.views.values()):
            if view.live:
                view.mark("lost", _fault(view.run_id))

    async def _carry_out(self, request: Request) -> RunView:
        match request:
            case Discover():
                return self._known(await self._discovery().view(request))
            case Launch():
                return self._known(await self._launching().launch(request))
            case Rerun():
                return self._known(await self._launching().rerun(request))
            case Attach():
                return await self._attach(request)
            case Cancel():
                return await self._cancel(request)
            case Replay():
                return self._known(await anyio.to_thread.run_sync(self._history.replay, request.target))
            case _:
                assert_never(request)

    async def _attach(self, request: Attach) -> RunView:
        if request.environment is not None:
            return self._known(await self._launching().attach_there(request))
        folder = self._engine.store.find(request.run)
        here = await self._launching().here(folder.run_id)
        if here is not None:
            return here
        if folder.imported:
            # It names a host and a plan that are a stranger's: nothing is connected for it.
            return self._known(await anyio.to_thread.run_sync(self._history.replay, folder.run_id))
        box = self._boxes.noted(folder.facts())
        there = folder.run_id in {str(run.get("run")) for run in await box.live_runs()}
        # Somebody else may have asked for it in the meantime.
        here = await self._launching().here(folder.run_id)
        if here is not None:
            return here
        if there:
            return self._known(await self._launching().attach(folder))
        return self._known(await anyio.to_thread.run_sync(self._history.replay, folder.run_id))

    async def _cancel(self, request: Cancel) -> RunView:
        folder = self._engine.store.find(request.run)
        view = await self._attach(Attach(folder.run_id))
        if view.live:
            await self._boxes.noted(folder.facts()).cancel(folder.run_id, request.scenario)
        return view

    def _live(self, run_id: str) -> RunView | None:
        known = self._engine.views.get(run_id)
        return known if known is not None and known.live else None

    def _known(self, view: RunView) -> RunView:
        # Of those that have ended, whoever shows one holds it: a console that is open for days keeps the others' room.
        for run_id in [run_id for run_id, known in self._engine.views.items() if not known.live]:
            del self._engine.views[run_id]
        self._engine.views[view.run_id] = view
        return view


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep a Ctrl-C for afterwards: in the middle of a start it would wait for a thread that nobody has told to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    import signal

    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


@contextlib.asynccontextmanager
async def _core(engine: Engine) -> AsyncIterator[_Core]:
    core: _Core | None = None
    try:
        async with anyio.create_task_group() as tasks:
            core = _Core(engine, tasks)
            yield core
            await core.stop()
            tasks.cancel_scope.cancel()
    except Exception:
        # A fault of ours, which whoever closes the engine is given: until then nobody may wait for it.
        if core is not None:
            core.failed()
        raise


def _fault(run: str) -> Problem:
    what = "the engine of this console has failed; the run goes on"
    return Problem("engine.fault", what, run, f"`tracekit attach {run}` follows it")


def _closed() -> Problem:
    return Problem("engine.closed", "the engine is closed", "", "start the console again")
