"""The seams of the screen: engine, editor, clipboard, trust, clock. The command line injects them, tests fake them.

Nothing here does anything outside the process; a widget that needs the world asks one of these.
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tracekit.engine.requests import Launch, Request
from tracekit.model.state import OutputSpan, RunState
from tracekit.ui.asking import Questions
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.archive import Digest
    from tracekit.engine.past import Before, Held, Story, Trends
    from tracekit.engine.saves import Save
    from tracekit.engine.watching import Choice
    from tracekit.store.tracewindow import Window


class ViewFace(Protocol):
    """One run, live or recorded, as the engine shows it. Read `state` under `lock`."""

    run_id: str
    root: str
    lock: threading.Lock
    shown: threading.Event
    expected: int

    @property
    def stale(self) -> bool | None: ...
    @property
    def live(self) -> bool: ...
    @property
    def link(self) -> str: ...
    @property
    def problem(self) -> Problem | None: ...
    @property
    def state(self) -> RunState: ...
    @property
    def generation(self) -> int: ...
    def output(self, spans: Iterable[OutputSpan]) -> bytes: ...
    def events(self) -> Window: ...
    @property
    def elsewhere(self) -> bool: ...
    @property
    def trouble(self) -> Problem | None: ...
    @property
    def away(self) -> tuple[int, int] | None: ...
    @property
    def resumed(self) -> tuple[int, int, int] | None: ...
    @property
    def folded(self) -> int: ...
    def here(self, path: str) -> str: ...
    @property
    def cut(self) -> int: ...
    @property
    def imported(self) -> bool: ...


class MomentFace(ViewFace, Protocol):
    """A run as it was at a moment."""

    t: int


class JourneyFace(Protocol):
    """The moments of a run; `read` and `go` wait for the disk, and raise ProblemError where it cannot be read."""

    @property
    def times(self) -> Sequence[int]: ...
    @property
    def verdicts(self) -> Sequence[int]: ...
    def __len__(self) -> int: ...
    def read(self) -> int: ...
    def go(self, at: int) -> MomentFace: ...
    def next_verdict(self, at: int, by: int) -> int: ...
    def next_step(self, at: int, scenario: str, by: int) -> int: ...
    def verdicts_at(self, at: int) -> int: ...


class Opened(NamedTuple):
    """A run that is to be shown, and perhaps which of its scenarios."""

    run: str
    live: bool = False
    scenario: str = ""


class RunRow(Protocol):
    """One line of the list of runs."""

    @property
    def run_id(self) -> str: ...
    @property
    def root(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def started_t(self) -> int: ...
    @property
    def ended_t(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def live(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def counts(self) -> Mapping[str, int]: ...
    @property
    def environment(self) -> str: ...
    @property
    def profile(self) -> str | None: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...
    @property
    def pinned(self) -> str | None: ...
    @property
    def imported(self) -> int: ...
    @property
    def disk_bytes(self) -> int: ...


class ArchiveFace(Protocol):
    """The recorded runs. Everything here waits for the disk, and raises ProblemError where it must."""

    def rows(self) -> Sequence[RunRow]: ...
    def digest(self, run: str, tree: Sequence[str] = ()) -> Digest: ...
    def compare(self, before: str, after: str) -> Held: ...
    def trends(self, root: str, environment: str) -> Trends: ...
    def story(self, scenario: str, root: str, environment: str) -> Story | None: ...
    def pair_of(self, run: str) -> tuple[str, str]: ...
    def pin(self, run: str, reason: str = "") -> None: ...
    def unpin(self, run: str) -> None: ...
    def delete(self, runs: Sequence[str], *, pinned: bool = False) -> int: ...


class WatchFace(Protocol):
    """Saves of a project, seen and judged on another thread; `ready` holds why not, where they are not seen."""

    @property
    def ready(self) -> Future[str]: ...
    def begin(self) -> None: ...
    def end(self) -> None: ...
    def take(self) -> tuple[Sequence[Save], Sequence[str]]: ...
    def choose(
        self,
        saves: Sequence[Save],
        ran: Sequence[tuple[ViewFace, Sequence[str] | None]],
        marked: Sequence[str],
    ) -> Future[tuple[Choice, Launch]]: ...
    def close(self) -> None: ...


class PastFace(Protocol):
    """What recorded runs say; it reads the disk, so it is asked on another thread."""

    def before(self, scenario: str, root: str, run_id: str) -> Before: ...


class EngineFace(Protocol):
    """What the screen asks of the engine; every answer comes as a future that the frame pump looks at."""

    def submit(self, request: Request) -> Future[ViewFace]: ...
    def runs(self) -> Sequence[RunRow]: ...
    def archive(self) -> ArchiveFace: ...
    def journey(self, view: ViewFace) -> JourneyFace: ...
    def watch(self, launch: Launch) -> WatchFace: ...
    def past(self) -> PastFace: ...


class BoxRow(Protocol):
    """One environment; without an address it is this machine."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...


class BoxHealth(Protocol):
    """How a box was when somebody looked."""

    @property
    def well(self) -> bool: ...
    @property
    def words(self) -> str: ...
    @property
    def problems(self) -> Sequence[Problem]: ...


class BoxesFace(Protocol):
    """The environments of a project, how they are, and a shell there; all of them wait, `look` for long."""

    def rows(self, root: str) -> Sequence[BoxRow]: ...
    def look(self, root: str, name: str) -> BoxHealth: ...
    def shell(self, root: str, name: str, run: str) -> Problem | None: ...


class Trust(Protocol):
    """Whether a project's code may be run by looking for its scenarios; asked once for each project."""

    def known(self, root: str) -> bool: ...
    def remember(self, root: str) -> None: ...
    def preview(self, root: str) -> tuple[Sequence[str], bool]: ...
    def starts(self, root: str) -> Sequence[tuple[str, str]]: ...


class Editor(Protocol):
    """Opens a file of the project at a line; `takes_terminal` says whether the screen must step aside."""

    takes_terminal: bool

    def open(self, root: str, file: str, line: int) -> Problem | None: ...


class Notice(Protocol):
    """Tells of the end of a run that went on for longer than `after` seconds."""

    @property
    def after(self) -> float: ...
    def tell(self, title: str, text: str, write: Callable[[str], None]) -> None: ...


class Picture(Protocol):
    """The first frame of the last time, which stands on the terminal until the screen takes it over."""

    #: Whether the first frame of this time is worth keeping.
    wanted: bool

    def taken(self) -> bool: ...
    def keep(self, lines: Sequence[str], size: tuple[int, int]) -> None: ...


class Debugger(Protocol):
    """Runs one scenario in the foreground of this terminal, with its debugger, until it is over."""

    def debug(self, root: str, run: str, scenario: str) -> Problem | None: ...


class Clipboard(Protocol):
    """Takes text that a person asked to copy; `how` says by what way the last one went, in words behind `copied`."""

    how: str
    write: Callable[[str], None] | None  # to the terminal itself, where there is one

    def copy(self, text: str) -> Problem | None: ...


def same_root(one: str, other: str) -> bool:
    """Whether two folders are the same project, as far as their names tell."""
    return one.rstrip("/") == other.rstrip("/")


def quote(word: str) -> str:
    """One word for a POSIX shell, with nothing in it that a terminal would obey when it is pasted."""
    if word.isprintable():
        return shlex.quote(word)
    shown = (
        char
        if char.isprintable() and char not in "\\'"
        else "".join(f"\\{byte:03o}" for byte in _bytes_of(char))
        for char in word
    )
    return "$'" + "".join(shown) + "'"


def _bytes_of(char: str) -> bytes:
    return char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "replace")


def run_command(root: str, ids: Sequence[str], profile: str | None = None) -> str:
    """The command that runs exactly these scenarios of a project."""
    words = ["tracekit", "run", root or "."]
    if profile:
        words += ["--profile", profile]
    for scenario in ids:
        words += ["-s", scenario]
    return " ".join(quote(word) for word in words)


class NoDebugger:
    """Stands where no debugger was injected."""

    def debug(self, root: str, run: str, scenario: str) -> Problem | None:
        return Problem("debug.none", "no debugger was injected", scenario, "")


class NoPicture:
    """A terminal that shows nothing of before."""

    wanted = False

    def taken(self) -> bool:
        """There is none."""
        return False

    def keep(self, lines: Sequence[str], size: tuple[int, int]) -> None:
        """Nobody remembers it."""


class NoEditor:
    """Stands where no editor was injected."""

    takes_terminal = False

    def open(self, root: str, file: str, line: int) -> Problem | None:
        return Problem("ui.no_editor", "no editor is set", f"{file}:{line}", "set EDITOR")


class NoClipboard:
    """Stands where no clipboard was injected."""

    how = ""
    write: Callable[[str], None] | None = None

    def copy(self, text: str) -> Problem | None:
        return Problem("ui.no_clipboard", "no clipboard was found", "", text)


class NoNotice:
    """Stands where nobody wants to be told."""

    after = float("inf")

    def tell(self, title: str, text: str, write: Callable[[str], None]) -> None:
        return


class NoBoxes:
    """Stands where no boxes were injected."""

    def rows(self, root: str) -> Sequence[BoxRow]:
        return ()

    def look(self, root: str, name: str) -> BoxHealth:
        raise ProblemError(_no_box(name))

    def shell(self, root: str, name: str, run: str) -> Problem | None:
        return _no_box(name)


def _no_box(name: str) -> Problem:
    return Problem("env.no_box", "no box is called so", name, "`tracekit box add` adds one")


class Trusting:
    """Stands where trust was decided before: the command line's explicit commands do not ask."""

    def known(self, root: str) -> bool:
        return True

    def remember(self, root: str) -> None:
        return

    def preview(self, root: str) -> tuple[Sequence[str], bool]:
        return (), True

    def starts(self, root: str) -> Sequence[tuple[str, str]]:
        return ()


@dataclass(frozen=True)
class Ports:
    """Everything the screen needs from outside itself."""

    engine: EngineFace
    trust: Trust = field(default_factory=Trusting)
    editor: Editor = field(default_factory=NoEditor)
    clipboard: Clipboard = field(default_factory=NoClipboard)
    command: Callable[[str, Sequence[str], str | None], str] = run_command
    now: Callable[[], int] = time.time_ns
    mask: Callable[[str], str] = str  # secrets of this machine, out of a text that goes elsewhere
    notice: Notice = field(default_factory=NoNotice)
    boxes: BoxesFace = field(default_factory=NoBoxes)
    questions: Questions = field(default_factory=Questions)
    debugger: Debugger = field(default_factory=NoDebugger)
    picture: Picture = field(default_factory=NoPicture)
