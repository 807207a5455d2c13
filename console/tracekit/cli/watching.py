"""`run --watch`: runs, waits for a save, cancels what is stale, and runs what the save concerns, until ctrl-c.

What is chosen is the engine's thought; here it becomes lines. Nothing runs any more when it ends.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tracekit.cli import edge, summary
from tracekit.cli.live import follow, submitted
from tracekit.cli.painting import Paint
from tracekit.cli.signals import Signals
from tracekit.engine.engine import Engine
from tracekit.engine.requests import Launch, Request
from tracekit.engine.savefeed import watched_here
from tracekit.engine.saves import Look, Save, Saves, paths
from tracekit.engine.view import RunView
from tracekit.engine.watching import Choice, Watcher, Watching
from tracekit.report.files import export
from tracekit.wire.problems import ProblemError

SCHEMA = "tracekit.watch/1"
_TICK = 0.1
_MOST_NAMED = 3


def watch(engine: Engine, signals: Signals, launch: Launch, *, as_json: bool, junit: str | None) -> int:
    """Run, wait and run again; gives 128 and the number of the signal that ended it."""
    watched_here(launch.root, launch.profile, launch.environment)
    root = os.path.realpath(launch.root)
    places = engine.places
    written = [*([os.path.abspath(junit)] if junit else ()), *_printed_into()]
    ours = (str(places.state), str(places.cache), *written)
    apart = tuple(map(os.path.realpath, ours))
    with Watcher(root, apart) as watcher:
        # What is written from here on is seen: by an event, or by the first look.
        while not watcher.ready.wait(_TICK):
            if signals.asked:
                return _left(signals)
        saves = Saves(root, places.environ, apart)
        return _Loop(engine, signals, launch, junit).go(watcher, saves, _Words(as_json=as_json))


def _printed_into() -> list[str]:
    """The files that take what is printed here: one in the project is nobody's save."""
    found = []
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(number).st_mode):
                found.append(str(Path(f"/proc/self/fd/{number}").readlink()))
    return found


def _left(signals: Signals) -> int:
    return edge.SIGNAL + (signals.cancel or signals.leave)


class _Loop:
    """One watch."""

    def __init__(self, engine: Engine, signals: Signals, launch: Launch, junit: str | None) -> None:
        self._engine = engine
        self._signals = signals
        self._launch = launch
        self._junit = junit
        self._watching = Watching(self._submit, launch)
        self._pending: dict[str, Save] = {}

    def go(self, watcher: Watcher, saves: Saves, words: _Words) -> int:
        """Until a signal says otherwise."""
        self._watcher, self._saves, self._words = watcher, saves, words
        if watcher.fault:
            words.looks_itself(watcher.fault)
        self._run(self._launch, None)
        while not self._signals.asked:
            if not self._pending:
                self._words.waiting(self._launch.root)
                self._wait()
            if self._pending:
                self._answer()
        return _left(self._signals)

    def _submit(self, request: Request) -> RunView:
        return submitted(self._engine, request, self._signals)

    def _wait(self) -> None:
        while not self._pending and not self._signals.asked:
            if self._watcher.news.wait(_TICK):
                self._watcher.news.clear()
                self._take(self._saves.look(running=False))

    def _answer(self) -> None:
        saved = tuple(self._pending.values())
        self._pending.clear()
        try:
            choice = self._watching.choose(saved, self._saves.files)
        except ProblemError as fault:
            edge.complain(fault.problems)
            return
        self._words.saved(saved, choice)
        if choice.ids != () and not self._run(self._watching.request(choice), choice.ids):
            # What it was to answer is not answered: the next run does.
            self._pending = {**{save.path: save for save in saved}, **self._pending}

    def _run(self, request: Launch, asked: Iterable[str] | None) -> bool:
        """Run and follow; gives whether it came to its end, stale or not."""
        self._saves.begin()
        ended = True
        try:
            view = self._submit(request)
            follow(self._engine, view, self._signals, as_json=self._words.as_json, stale=self._stale)
            if view.done.is_set():
                self._watching.learn(view, None if asked is None else tuple(asked))
                with view.lock:
                    ended = view.state.run.reason != "cancelled"
                if self._junit is not None:
                    export(view, "junit", self._junit)
        except ProblemError as fault:
            # What is wrong may well be what the next save mends.
            edge.complain(fault.problems)
        self._watcher.news.clear()
        self._take(self._saves.look(running=True))
        return ended or not self._pending

    def _stale(self) -> bool:
        if not self._watcher.news.is_set():
            return False
        self._watcher.news.clear()
        self._take(self._saves.look(running=True))
        return bool(self._pending)

    def _take(self, look: Look) -> None:
        self._pending.update((save.path, save) for save in look.saves)
        if look.theirs:
            self._words.theirs(look.theirs)


class _Words:
    """What is said between runs: a line each, or a JSON line each."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._paint = Paint(on=edge.colours())

    def looks_itself(self, fault: str) -> None:
        """The system gives no events."""
        edge.say_error(f"tracekit: no file events ({fault}): files are looked at every second")

    def waiting(self, root: str) -> None:
        """Nothing runs."""
        self._say({"state": "waiting"}, lambda: f"waiting for a save in {edge.clean(root)} (ctrl-c ends)")

    def saved(self, saves: Iterable[Save], choice: Choice) -> None:
        """What was seen, what runs, and why."""
        saves = list(saves)
        fact: dict[str, object] = {
            "state": "saved",
            "saved": [save.path for save in saves if not save.deleted],
            "deleted": [save.path for save in saves if save.deleted],
            "why": choice.why,
            "what": choice.words,
            "scenarios": None if choice.ids is None else len(choice.ids),
            "problems": [{"file": one.file, "what": one.message} for one in choice.notices],
        }
        names = paths(saves)
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        told = f"saved: {', '.join(names[:_MOST_NAMED])}{more} → {choice.words}"
        self._say(fact, lambda: self._paint.bold(edge.clean(told)))
        if not self.as_json:
            for notice in choice.notices:
                for line in summary.trouble(notice, self._paint):
                    edge.write(line)
            sys.stdout.flush()

    def theirs(self, files: Iterable[str]) -> None:
        """Files that the tests write."""
        files = list(files)
        named = edge.clean(", ".join(files[:_MOST_NAMED]))
        self._say(
            {"state": "written-by-tests", "files": files},
            lambda: self._paint.dim(f"written by the tests, so not watched while they run: {named}"),
        )

    def _say(self, fact: dict[str, object], line: Callable[[], str]) -> None:
        if self.as_json:
            edge.say_json(SCHEMA, fact)
        else:
            edge.write(line())
        sys.stdout.flush()
