"""Watching a project: wakes whoever waits when something was written, and chooses what a save is to run.

The choice is the same for a key of the console and for a flag of the command: what is marked, else what failed, else
what the saved files concern. It starts no run itself, and shows nothing.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from tracekit.engine.imports import importers
from tracekit.engine.requests import Discover, Launch, Request
from tracekit.engine.saves import Save, is_source
from tracekit.engine.view import RunView
from tracekit.model.notices import BLOCKING
from tracekit.model.rerun import failed
from tracekit.model.selection import select
from tracekit.model.state import Notice, RunState
from tracekit.model.status import Status
from tracekit.store.survey import SKIPPED

if TYPE_CHECKING:
    from watchfiles import Change

# An editor writes beside a file and renames, a checkout writes hundreds: a burst is over when nothing came for so long.
_QUIET_MS = 100
_BURST_MS = 1500
_READY_MS = 200
# Where the system gives no events: too many folders, too few watches.
_LOOK_EVERY = 1.0
_TICK = 0.1
# What a test is called in the text of a file, whatever stands around it.
_TEST = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(test\w*)", re.MULTILINE)


class Watcher:
    """Sets `news` after something below a folder was written; from a thread of its own."""

    def __init__(self, root: str, apart: Sequence[str] = ()) -> None:
        self.news = threading.Event()
        self.ready = threading.Event()
        #: Why files are looked at every second instead; empty where the system tells of changes.
        self.fault = ""
        self._root = f"{root.rstrip('/')}/"
        self._apart = tuple(apart)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="tracekit-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _listen(self) -> None:
        try:
            from watchfiles import watch

            for changes in watch(
                self._root,
                watch_filter=self._worth_a_look,
                step=_QUIET_MS,
                debounce=_BURST_MS,
                rust_timeout=_READY_MS,
                yield_on_timeout=True,
                stop_event=self._stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                # The first turn says that it stands: what was written until then had no event.
                if changes or not self.ready.is_set():
                    self.news.set()
                self.ready.set()
        except (OSError, RuntimeError, ImportError) as fault:
            self.fault = str(fault)
            self.ready.set()
            while not self._stop.wait(_LOOK_EVERY):
                self.news.set()

    def _worth_a_look(self, _: Change, path: str) -> bool:
        if any(path == ours or path.startswith(f"{ours}/") for ours in self._apart):
            return False
        parts = path[len(self._root) :].split("/")
        return not any(part.startswith(".") or part in SKIPPED for part in parts)


class Runs(Protocol):
    """What starts a request and gives its view."""

    def __call__(self, request: Request) -> RunView: ...


@dataclass(frozen=True)
class Choice:
    """What a save is to run and why; `ids` is None for everything, and empty for nothing."""

    why: str
    words: str
    ids: tuple[str, ...] | None = None
    #: What kept a file from being collected.
    notices: list[Notice] = field(default_factory=list)


class Watching:
    """What one watch has learnt over all its runs: which scenarios are red, and what tests are called."""

    def __init__(self, submit: Runs, launch: Launch, *, stopped: Callable[[], bool] = bool) -> None:
        self._submit = submit
        self._launch = launch
        self._stopped = stopped
        self._red: dict[str, str] = {}  # red scenarios and their files
        self._ids: set[str] = set()  # every scenario that was seen

    @property
    def red(self) -> list[str]:
        """What failed last time it ran."""
        return list(self._red)

    def learn(self, view: RunView, asked: Sequence[str] | None) -> None:
        """Take in how a run ended, to its end or not."""
        with view.lock:
            state = view.state
            self._ids.update(state.ids)
            for scenario in failed(state):
                self._red[scenario] = _file(state, state.index[scenario], self._launch.root)
            for scenario in tuple(self._red):
                i = state.index.get(scenario)
                if i is not None and state.status[i] in _ANSWERS and not state.red(i):
                    del self._red[scenario]
            whole = state.run.reason == "finished" and not _blocking(state)
            if whole:
                # It was asked for, everything was collected, and it was not there: it is gone.
                for scenario in state.run.not_run if asked else ():
                    if scenario not in state.index:
                        self._red.pop(scenario, None)
                if asked is None and not self._launch.selectors:
                    self._red = {name: file for name, file in self._red.items() if name in state.index}

    def choose(self, saves: Sequence[Save], files: Sequence[str], marked: Sequence[str] = ()) -> Choice:
        """What these saves are to run; `files` is every file of the project that counts."""
        gone = {save.path for save in saves if save.deleted}
        self._red = {name: file for name, file in self._red.items() if file not in gone}
        if marked:
            return Choice("marked", f"{_counted(len(marked))} marked", tuple(marked))
        if self._red:
            return self._failed([save.path for save in saves if save.path.endswith(".py")])
        strange = [save.path for save in saves if not save.path.endswith(".py")]
        if strange:
            unknown = [path for path in strange if not is_source(path)]
            why = (
                f"what reads {_first(unknown)} is not known"
                if unknown
                else f"{_first(strange)} is about all of them"
            )
            return Choice("everything", f"everything: {why}")
        return self._concerned([save.path for save in saves], gone, files)

    def request(self, choice: Choice) -> Launch:
        """The run of a choice, with everything else as it was asked for at the beginning."""
        if choice.ids is None:
            return self._launch
        return self._launch._replace(ids=choice.ids, selectors=())

    def _failed(self, changed: Sequence[str]) -> Choice:
        """What is red, and beside it the tests that were just written: nobody has asked them yet.

        Only a file with a name in it that no scenario has is collected for that, so that most saves cost nothing.
        """
        red = Choice("failed", f"{_counted(len(self._red))} that failed", tuple(self._red))
        # Parameters stand behind a bracket, sub-tests behind a space; either may hold what parts names.
        names = {one.partition("[")[0].rpartition("::")[2].partition(" ")[0] for one in self._ids}
        added = [path for path in changed if self._tests_in(path) - names]
        view = self._discovered() if added else None
        if view is None:
            return red
        with view.lock:
            state = view.state
            new = [
                state.ids[i]
                for i in select(state, self._launch.selectors)
                if state.ids[i] not in self._ids and _file(state, i, self._launch.root) in added
            ]
        if not new:
            return red
        words = f"{red.words} and {len(new)} new of {_first(added)}"
        return Choice(red.why, words, (*self._red, *new))

    def _tests_in(self, path: str) -> set[str]:
        try:
            text = Path(self._launch.root, path).read_text(encoding="utf-8", errors="replace")
            return set(_TEST.findall(text))
        except OSError:
            return set()

    def _discovered(self) -> RunView | None:
        """What there is now; None where nobody watches any more."""
        launch = self._launch
        view = self._submit(Discover(launch.root, launch.profile, launch.environment))
        while not view.done.wait(_TICK):
            if self._stopped():
                return None
        return view

    def _concerned(self, changed: Sequence[str], gone: set[str], files: Sequence[str]) -> Choice:
        launch = self._launch
        view = self._discovered()
        if view is None:
            return Choice("nothing", "not watched any more", ())
        with view.lock:
            state = view.state
            rows = select(state, launch.selectors)
            by_file: dict[str, list[str]] = {}
            for i in rows:
                by_file.setdefault(_file(state, i, launch.root), []).append(state.ids[i])
            notices = _blocking(state)
            broken = {_below(state, notice, launch.root) for notice in notices if notice.file}
        tests = [path for path in changed if path in by_file or path in broken or _named_as_test(path)]
        modules = [path for path in changed if path not in tests]
        ids = [scenario for path in tests for scenario in by_file.get(path, ())]
        words = [f"{_counted(len(ids))} of {_first(tests)}"] if ids else []
        if modules:
            led = importers(launch.root, files, modules)
            above = [path for path in by_file if path in led] if led is not None else []
            more = [scenario for path in above if path not in tests for scenario in by_file[path]]
            if not more:
                found = (
                    "too many files to look through"
                    if led is None
                    else f"no test is seen to import {_first(modules)}"
                )
                return Choice("everything", f"everything: {found}", None)
            ids += more
            words.append(
                f"{_counted(len(more))} of {_counted(len(above), 'file')} that import {_first(modules)}"
            )
        if ids:
            return Choice("importers" if modules else "changed", " and ".join(words), tuple(ids), notices)
        if notices:
            return Choice("nothing", f"{_first(tests)} could not be collected", (), notices)
        left = "deleted" if gone.issuperset(changed) else "without a scenario that is asked for"
        return Choice("nothing", f"nothing to run: {_first(changed)} is {left}", ())


_ANSWERS = frozenset(status for status in Status if status.over) - {
    Status.CANCELLED,
    Status.NOTRUN,
    Status.LOST,
    Status.SKIPPED,
}


def _blocking(state: RunState) -> list[Notice]:
    return [notice for notice in state.notices if notice.kind in BLOCKING]


def _file(state: RunState, i: int, root: str) -> str:
    """A scenario's file from the project's root on."""
    facts = state.facts[i]
    return os.path.relpath(Path(state.directory_of(facts.suite) or root, facts.file), root)


def _below(state: RunState, notice: Notice, root: str) -> str:
    return os.path.relpath(Path(state.directory_of(notice.suite) or root, notice.file), root)


def _named_as_test(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith("test_") or name.endswith("_test.py")


def _counted(count: int, word: str = "scenario") -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _first(files: Sequence[str]) -> str:
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return f"{files[0]}{more}" if files else ""
