"""A console over a fake engine: recorded journals through the real fold, a still clock, ports that take notes.

Nothing here waits for time: a test pumps frames and waits until the newest generation is on the screen.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual._compositor import LayoutUpdate
from textual.pilot import Pilot
from textual.strip import Strip

from tests.support.journals import BEGAN, ROOT, SECOND, Journal
from tracekit.engine.archive import Digest
from tracekit.engine.journey import Journey
from tracekit.engine.past import Before as Past
from tracekit.engine.past import Held, Story, Trends
from tracekit.engine.requests import Attach, Cancel, Discover, Launch, Replay, Request, Rerun
from tracekit.engine.saves import Save
from tracekit.engine.view import Resumed
from tracekit.engine.watching import Choice
from tracekit.model.facts import OutputSpan
from tracekit.model.fold import Fold
from tracekit.model.state import RunState
from tracekit.store.tracewindow import Window
from tracekit.ui.app import ConsoleApp
from tracekit.ui.ports import Ports, ViewFace
from tracekit.ui.widgets.events import EventsPane
from tracekit.wire.lines import encode
from tracekit.wire.names import JOURNAL_FILE
from tracekit.wire.problems import Problem, ProblemError

NOW = BEGAN + 42 * SECOND


class FakeView:
    """A run that a test feeds."""

    def __init__(
        self, journal: Journal, *, live: bool | None = None, link: str = "", fed: int | None = None
    ) -> None:
        self.run_id, self.root = journal.run, journal.root
        self.journal = journal
        self.lock = threading.Lock()
        self.fold = Fold()
        self.problem: Problem | None = None
        self.stale = False
        self.expected = 0
        self.shown = threading.Event()
        self.traced: Path | None = None  # where its trace lies
        self.box: Path | None = None
        self.fed = 0
        self.reads = 0
        self.unreadable: OSError | None = None
        self.feed(len(journal.lines) if fed is None else fed)
        self.live = (not self.state.run.ended) if live is None else live
        self.link = link or ("attached" if self.live else "ended")

    @property
    def state(self) -> RunState:
        return self.fold.state

    @property
    def generation(self) -> int:
        return self.fold.state.generation

    def feed(self, lines: int) -> None:
        """Fold the next lines."""
        with self.lock:
            for line in self.journal.lines[self.fed : self.fed + lines]:
                self.fold.feed(line)
        before, self.fed = self.fed, min(self.fed + lines, len(self.journal.lines))
        if self.box is not None:
            self._write(self.box, before)
        if self.state.run.ended:
            self.live, self.link = False, "ended"

    elsewhere: bool = False
    imported = False
    trouble = None
    away: tuple[int, int] | None = None
    resumed: Resumed | None = None
    cut = 0
    box_dir = Path("/srv/runs")

    @property
    def folded(self) -> int:
        return len(self._bytes())

    def _bytes(self) -> bytes:
        return b"".join(encode(line) for line in self.journal.lines[: self.fed])

    def journal_file(self) -> io.BytesIO:
        """The journal as far as it was fed."""
        if self.unreadable is not None:
            raise self.unreadable
        return io.BytesIO(self._bytes())

    def here(self, path: str) -> str:
        return path

    def events(self) -> Window:
        """Through the native view, over files as a box keeps them."""
        place = self.box = Path(tempfile.mkdtemp(prefix="tracekit-box-"))
        weakref.finalize(self, shutil.rmtree, place, ignore_errors=True)
        self._write(place, 0)
        if self.traced:
            shutil.copytree(self.traced, place, dirs_exist_ok=True)
        return Window(place, self.run_id, self.state.run.environment)

    def _write(self, place: Path, start: int) -> None:
        with (place / JOURNAL_FILE).open("ab") as file:
            file.writelines(encode(line) for line in self.journal.lines[start : self.fed])

    def output(self, spans: Iterable[OutputSpan]) -> bytes:
        self.reads += 1
        return b"".join(bytes(self.journal.output[span.offset : span.offset + span.length]) for span in spans)


class Recorded:
    """A run that a test feeds, as whoever reads its journal sees it."""

    def __init__(self, view: FakeView) -> None:
        self._view = view
        self.journal = view.journal_file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)


@dataclass
class FakeRow:
    """A line of the list of runs."""

    run_id: str
    root: str = ROOT
    parent: str | None = None
    started_t: int = BEGAN
    live: bool = False
    reason: str = "finished"
    counts: dict[str, int] = field(default_factory=dict)
    ended_t: int = 0
    ended: bool = True
    environment: str = "local"
    profile: str | None = None
    fingerprint: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    pinned: str | None = None
    imported: int = 0
    disk_bytes: int = 0


class FakeArchive:
    """Recorded runs that a test prepared; notes what was done to them."""

    def __init__(self) -> None:
        self.kept: list[FakeRow] = []
        self.digests: dict[str, Digest] = {}
        self.broken: Problem | Exception | None = None
        self.gone: set[str] = set()  # deleted by somebody else meanwhile
        self.done: list[tuple[Any, ...]] = []
        self.threads: set[str] = set()
        self.held: Held | None = None  # what a comparison finds
        self.trended: Trends | None = None
        self.stories: dict[str, Story] = {}

    def _asked(self, run: str = "") -> None:
        self.threads.add(threading.current_thread().name)
        if isinstance(self.broken, Problem):
            raise ProblemError(self.broken)
        if self.broken is not None:
            raise self.broken
        if run in self.gone:
            raise ProblemError(
                Problem("store.no_run", "no run is called so", run, "`tracekit runs` lists them")
            )

    def rows(self) -> Sequence[FakeRow]:
        self._asked()
        return [row for row in self.kept if row.run_id not in self.gone]

    def digest(self, run: str, tree: Sequence[str] = ()) -> Digest:
        self._asked(run)
        return self.digests.get(run) or Digest(run)

    def compare(self, before: str, after: str) -> Held:
        self._asked(before)
        self._asked(after)
        self.done.append(("compare", before, after))
        assert self.held is not None
        return self.held

    def trends(self, root: str, environment: str) -> Trends:
        self._asked()
        self.done.append(("trends", root, environment))
        return self.trended or Trends(root, environment, ())

    def story(self, scenario: str, root: str, environment: str) -> Story | None:
        self._asked()
        return self.stories.get(scenario)

    def pair_of(self, run: str) -> tuple[str, str]:
        self._asked(run)
        if self.held is None:
            raise ProblemError(
                Problem("runs.no_earlier", "there is no earlier run", run, "choose another one")
            )
        return self.held.before.run_id, run

    def pin(self, run: str, reason: str = "") -> None:
        self._change("pin", run, reason)

    def unpin(self, run: str) -> None:
        self._change("unpin", run, None)

    def _change(self, what: str, run: str, pinned: str | None) -> None:
        self._asked(run)
        self.done.append((what, run))
        self.kept = [replace(row, pinned=pinned) if row.run_id == run else row for row in self.kept]

    def delete(self, runs: Sequence[str], *, pinned: bool = False) -> int:
        for run in runs:
            self._asked(run)
        self.done.append(("delete", *runs, pinned))
        self.kept = [row for row in self.kept if row.run_id not in runs]
        return 4 << 20


class FakeWatch:
    """Saves that a test makes, and the choice that it prepared."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.ready: Future[str] = Future()
        self.ready.set_result("")
        self.saves: list[Save] = []
        self.theirs: list[str] = []
        self.told: list[str] = []
        self.asked: list[tuple[list[str], list[str], list[str]]] = []
        self.choice = Choice("nothing", "nothing to run", ())

    def begin(self) -> None:
        self.told.append("begin")

    def end(self) -> None:
        self.told.append("end")

    def close(self) -> None:
        self.told.append("close")

    def take(self) -> tuple[list[Save], list[str]]:
        taken, self.saves, self.theirs = (self.saves, self.theirs), [], []
        return taken

    def choose(
        self,
        saves: Sequence[Save],
        ran: Sequence[tuple[ViewFace, Sequence[str] | None]],
        marked: Sequence[str],
    ) -> Future[tuple[Choice, Launch]]:
        self.asked.append(([save.path for save in saves], [view.run_id for view, _ in ran], list(marked)))
        future: Future[tuple[Choice, Launch]] = Future()
        future.set_result((self.choice, self.launch._replace(ids=self.choice.ids or ())))
        return future


class FakePast:
    """What was recorded before, as a test prepared it."""

    def __init__(self) -> None:
        self.answer: Past | Problem = Past()
        self.asked: list[tuple[str, str, str]] = []

    def before(self, scenario: str, root: str, run_id: str) -> Past:
        self.asked.append((scenario, root, run_id))
        if isinstance(self.answer, Problem):
            raise ProblemError(self.answer)
        return self.answer


class FakeEngine:
    """Answers each kind of request with what the test prepared; remembers what it was asked."""

    def __init__(self, **answers: FakeView | Problem | Exception | None) -> None:
        self.answers = answers
        self.asked: list[Request] = []
        self.shelf = FakeArchive()
        self.watches: list[FakeWatch] = []
        self.before = FakePast()
        self.waiting: Future[ViewFace] = Future()

    def submit(self, request: Request) -> Future[ViewFace]:
        self.asked.append(request)
        future: Future[ViewFace] = Future()
        kind = type(request).__name__.lower()
        answer = self.answers.get("again" if getattr(request, "wait", False) else kind)
        if kind == "discover":
            self.waiting = future
        if isinstance(answer, Problem):
            future.set_exception(ProblemError(answer))
        elif isinstance(answer, Exception):
            future.set_exception(answer)
        elif answer is not None:
            future.set_result(answer)
        return future

    @property
    def rows(self) -> list[FakeRow]:
        return self.shelf.kept

    @rows.setter
    def rows(self, rows: list[FakeRow]) -> None:
        self.shelf.kept = rows

    def runs(self) -> Sequence[FakeRow]:
        return self.shelf.rows()

    def archive(self) -> FakeArchive:
        return self.shelf

    def past(self) -> FakePast:
        return self.before

    def journey(self, view: ViewFace) -> Journey:
        assert isinstance(view, FakeView)
        return Journey(Recorded(view))  # type: ignore[arg-type]

    def watch(self, launch: Launch) -> FakeWatch:
        self.watches.append(FakeWatch(launch))
        return self.watches[-1]


@dataclass
class FakeTrust:
    """Remembers what it was told."""

    trusted: bool = False
    asked: list[str] = field(default_factory=list)

    def known(self, root: str) -> bool:
        return self.trusted

    def remember(self, root: str) -> None:
        self.trusted = True
        self.asked.append(root)

    def preview(self, root: str) -> tuple[Sequence[str], bool]:
        seen = ("chat/test_ws.py  4 tests", "chat/test_rooms.py  6 tests", "auth/test_tokens.py  3 tests")
        return seen, True

    def starts(self, root: str) -> Sequence[tuple[str, str]]:
        return (("pytest", "imports conftest.py, plugins and the test code"),)


@dataclass
class FakeEditor:
    """Notes what was opened."""

    takes_terminal: bool = False
    opened: list[tuple[str, str, int]] = field(default_factory=list)

    def open(self, root: str, file: str, line: int) -> Problem | None:
        self.opened.append((root, file, line))
        return None


@dataclass
class FakeDebugger:
    """Notes what was to be debugged."""

    debugged: list[tuple[str, str, str]] = field(default_factory=list)
    answer: Problem | None = None

    def debug(self, root: str, run: str, scenario: str) -> Problem | None:
        self.debugged.append((root, run, scenario))
        return self.answer


@dataclass
class FakeClipboard:
    """Notes what was copied."""

    copied: list[str] = field(default_factory=list)
    how: str = ""
    write: Callable[[str], None] | None = None

    def copy(self, text: str) -> Problem | None:
        self.copied.append(text)
        return None


@dataclass(frozen=True)
class FakeBox:
    """An environment, and how it is."""

    name: str
    address: str = ""
    well: bool = True
    words: str = ""
    problems: tuple[Problem, ...] = ()


class FakeBoxes:
    """Boxes that a test prepared; notes what was opened."""

    def __init__(self, *rows: FakeBox) -> None:
        self.prepared = {row.name: row for row in rows}
        self.looked: list[str] = []
        self.shells: list[tuple[str, str]] = []

    def rows(self, root: str) -> Sequence[FakeBox]:
        return list(self.prepared.values())

    def look(self, root: str, name: str) -> FakeBox:
        self.looked.append(name)
        found = self.prepared[name]
        if not found.words:
            raise ProblemError(found.problems)
        return found

    def shell(self, root: str, name: str, run: str) -> Problem | None:
        self.shells.append((name, run))
        return None


@dataclass
class Console:
    """An application with its fakes."""

    app: ConsoleApp
    engine: FakeEngine
    trust: FakeTrust
    editor: FakeEditor
    clipboard: FakeClipboard
    clock: list[int]
    waiting: list[Any] = field(default_factory=list)

    def screen_text(self) -> str:
        """What a person sees, as text."""
        return screen_text(self.app)

    def strips(self) -> list[Strip]:
        """What a person sees, as the compositor has it."""
        return strips_of(self.app)


def screen_text(app: ConsoleApp) -> str:
    """What an application shows, as text."""
    rows = ["".join(segment.text for segment in strip).rstrip() for strip in strips_of(app)]
    return "\n".join(rows) + "\n"


def strips_of(app: ConsoleApp) -> list[Strip]:
    """The compositor's strips of the screen, with what lies beneath a dialog."""
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    assert isinstance(update, LayoutUpdate)
    return [Strip.join(list(row)).simplify() for row in update.strips]


def console(
    start: Request | None = None,
    *,
    trusted: bool = True,
    engine: FakeEngine | None = None,
    boxes: FakeBoxes | None = None,
    **options: Any,
) -> Console:
    """Build an application; its pump stands still until `settle`."""
    engine = engine or FakeEngine()
    trust, editor, clipboard, clock = FakeTrust(trusted), FakeEditor(), FakeClipboard(), [NOW]
    ports = Ports(
        engine,
        trust,
        editor,
        clipboard,
        now=lambda: clock[0],
        boxes=boxes or FakeBoxes(),
        debugger=FakeDebugger(),
    )
    app = ConsoleApp(ports, start, pumped=False, **options)
    return Console(app, engine, trust, editor, clipboard, clock)


def showing(view: FakeView, **options: Any) -> Console:
    """A console that opens on one run; its requests to stop are taken."""
    return console(
        Replay(view.run_id), engine=FakeEngine(replay=view, cancel=view), root=view.root, **options
    )


async def settle(pilot: Pilot[Any], shown: Console) -> None:
    """Pump until every generation is on the screen and every message is worked off."""
    for _ in range(200):
        await pilot.pause()
        before = shown.app.pump.frames
        shown.app.pump.tick()
        shown.app.board_screen.scenarios.settle(force=True)
        await shown.app.workers.wait_for_complete()
        await pilot.pause()
        detail = shown.app.board_screen.detail
        busy = detail.query_one("#events-pane", EventsPane).behind or detail.reading
        if shown.app.pump.idle and shown.app.pump.frames > before and not busy:
            await pilot.pause()
            return
    raise AssertionError("the screen did not come to rest")


async def press(pilot: Pilot[Any], shown: Console, *keys: str) -> None:
    """Press keys one by one, each fully worked off."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot, shown)


Before = Callable[[Pilot[Any], Console], Any]
__all__ = [
    "NOW",
    "Attach",
    "Before",
    "Cancel",
    "Console",
    "Discover",
    "FakeArchive",
    "FakeEngine",
    "FakeRow",
    "FakeTrust",
    "FakeView",
    "Launch",
    "Replay",
    "Rerun",
    "console",
    "press",
    "settle",
    "showing",
]
