"""Saves for a screen: looks and choices are made on one thread of their own, and are taken frame by frame.

A screen asks often and never waits; it starts the runs and says whether one goes on. Nothing outlives `close`.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from tracekit.config.loader import load
from tracekit.engine.requests import Launch, Request
from tracekit.engine.saves import Look, Save, Saves
from tracekit.engine.view import RunView
from tracekit.engine.watching import Choice, Watcher, Watching
from tracekit.wire.problems import Problem, ProblemError

_TICK = 0.1


def watched_here(root: str, profile: str | None, environment: str) -> None:
    """Raises ProblemError where runs are on another machine than the files that are saved."""
    for name in environment.split(","):
        where = load(root, flags={"profile": profile}, implicit=False).profile.environment(name)
        if where is not None and where.remote:
            what = "files are watched on this machine, and this environment is another one"
            raise ProblemError(Problem("cli.watch_remote", what, name, "watch with --env local"))


class SaveFeed:
    """Watches one project until it is closed."""

    def __init__(
        self,
        submit: Callable[[Request], Future[RunView]],
        launch: Launch,
        environ: Mapping[str, str],
        apart: Sequence[str] = (),
    ) -> None:
        self._submit_soon = submit
        self._launch = launch
        self._environ = environ
        self._apart = tuple(os.path.realpath(path) for path in apart)
        self._root = os.path.realpath(launch.root)
        self._stop = threading.Event()
        self._running = False
        self._looks: queue.SimpleQueue[Look] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._watching = Watching(self._submit, launch, stopped=self._stop.is_set)
        self._saves: Saves | None = None
        #: Done when saves are seen from then on; holds why not, where it cannot be watched.
        self.ready: Future[str] = Future()
        self._thread = threading.Thread(target=self._work, name="tracekit-saves", daemon=True)
        self._thread.start()

    # -- from the screen's thread

    def close(self) -> None:
        """Watch no more; what was being chosen is chosen for nobody."""
        self._stop.set()

    def begin(self) -> None:
        """A run begins: what it writes itself is no save."""
        self._running = True
        self._tasks.put(self._begun)

    def end(self) -> None:
        """No run goes on any more; what changed until now is looked at as its doing."""
        if self._running:
            self._tasks.put(lambda: self._look(running=True))
            self._running = False

    def take(self) -> tuple[list[Save], list[str]]:
        """Saves since the last time, and files that were found to be the tests' own."""
        saves: list[Save] = []
        theirs: list[str] = []
        while not self._looks.empty():
            look = self._looks.get()
            saves += look.saves
            theirs += look.theirs
        return saves, theirs

    def choose(
        self,
        saves: Sequence[Save],
        ran: Sequence[tuple[RunView, Sequence[str] | None]],
        marked: Sequence[str],
    ) -> Future[tuple[Choice, Launch]]:
        """What these saves are to run, after what ran and what each of those runs was asked for."""
        future: Future[tuple[Choice, Launch]] = Future()

        def work() -> None:
            try:
                for view, asked in ran:
                    self._watching.learn(view, asked)
                choice = self._watching.choose(saves, self._saves.files if self._saves else (), marked)
                future.set_result((choice, self._watching.request(choice)))
            except Exception as fault:  # noqa: BLE001 - whatever it is, the screen must not wait for an answer
                future.set_exception(fault)

        self._tasks.put(work)
        return future

    # -- on its own thread

    def _work(self) -> None:
        try:
            watched_here(self._launch.root, self._launch.profile, self._launch.environment)
            with Watcher(self._root, self._apart) as watcher:
                while not watcher.ready.wait(_TICK):
                    if self._stop.is_set():
                        return
                self._saves = Saves(self._root, self._environ, self._apart)
                self.ready.set_result(watcher.fault)
                while not self._stop.is_set():
                    self._turn(watcher)
        except Exception as fault:  # noqa: BLE001 - told by `ready`; the console goes on without it
            if not self.ready.done():
                self.ready.set_exception(fault)

    def _turn(self, watcher: Watcher) -> None:
        try:
            self._tasks.get(timeout=_TICK)()
        except queue.Empty:
            if watcher.news.is_set():
                watcher.news.clear()
                self._look(running=self._running)

    def _begun(self) -> None:
        if self._saves is not None:
            self._saves.begin()

    def _look(self, *, running: bool) -> None:
        if self._saves is not None:
            self._looks.put(self._saves.look(running=running))

    def _submit(self, request: Request) -> RunView:
        future = self._submit_soon(request)
        while not self._stop.is_set():
            try:
                return future.result(_TICK)
            except TimeoutError:
                if future.done():
                    raise
        raise ProblemError(Problem("watch.stopped", "the project is not watched any more"))
