"""One run as readers see it: the folded state, the link's state, and windows into the recorded output.

The engine's thread folds; the console's thread reads under `lock`, which is never held longer than a slice of the fold.
A view never decides anything: it is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

from tracekit.model.fold import Fold
from tracekit.model.state import OutputSpan, RunState
from tracekit.store import recorded
from tracekit.store.runs import LOCAL_BOX
from tracekit.wire.names import JOURNAL_FILE, OUTPUT_FILE
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from tracekit.store.tracewindow import Window

LinkState = Literal["connecting", "attached", "reconnecting", "lost", "replay", "ended"]
Tap = Callable[[bytes], None]


class Resumed(NamedTuple):
    """A link that came back, and everything that was missed with it."""

    events: int
    away_ns: int
    t: int


# A window of output that is painted or printed at once; the rest is read when somebody scrolls there.
MAX_WINDOW = 8 * 1024 * 1024


class RunView:
    """A run that somebody watches; live, ended or replayed, the reader cannot tell the difference."""

    def __init__(self, run_id: str, root: str, box_dir: Path, *, link: LinkState) -> None:
        self.run_id = run_id
        self.root = root
        self.box_dir = box_dir
        #: What a profile says of paths on the box, and where each is below the project's root here.
        self.paths: tuple[tuple[str, str], ...] = ()
        self.lock = threading.Lock()
        self.link: LinkState = link
        #: Recorded elsewhere: nothing of it is run again here.
        self.imported = False
        #: A run is shown as far as it is; a moment of one is cut there.
        self.cut = 0
        self.live = link not in {"replay", "ended"}
        self.problem: Problem | None = None
        #: Why the link is down, as long as it is.
        self.trouble: Problem | None = None
        #: Since when the line is down, and how often it was tried to have it back; nothing while it is there.
        self.away: tuple[int, int] | None = None
        #: The last time that what was missed without a link was all here.
        self.resumed: Resumed | None = None
        #: Since when what comes now was missed; 0 unless the link is back and not all of that is here yet.
        self.missed_since = 0
        self._missed_events = 0
        # What of the recording could not be read when somebody wanted to see it.
        self.unread: Problem | None = None
        self._window = recorded.Window(box_dir / OUTPUT_FILE)
        self.end: dict[str, Any] = {}
        self.done = threading.Event()
        #: Set with every change; whoever waits for the next one clears it.
        self.moved = threading.Event()
        # Set when what a discovery found has been kept, or will not be.
        self.settled = threading.Event()
        # An inventory that was shown at once: whether the sources are others now; None until that is known.
        self.stale: bool | None = False
        #: How many scenarios there are in all while a memory of them is being taken in; 0 where nobody knows.
        self.expected = 0
        # Set by a screen that has painted the first rows: until then nothing else takes the interpreter from it.
        self.shown = threading.Event()
        self._fold = Fold()
        self._taps: list[Tap] = []
        self._folded = 0
        if not self.live:
            self.done.set()

    @property
    def state(self) -> RunState:
        """The folded state; hold `lock` while reading more than one thing of it."""
        return self._fold.state

    @property
    def generation(self) -> int:
        """Grows with every change that a reader could see."""
        return self._fold.state.generation

    @property
    def folded(self) -> int:
        """Bytes of the journal that the state holds."""
        return self._folded

    def tap(self, tap: Tap) -> None:
        """Tell `tap` of each piece that is folded from now on; on the engine's thread, so it must not wait."""
        with self.lock:
            self._taps.append(tap)

    def resume(self, fold: Fold, folded: int) -> None:
        """Begin with a state that a checkpoint held."""
        with self.lock:
            self._fold, self._folded = fold, folded

    def feed(self, data: bytes) -> int:
        """Fold whole lines; gives how many bytes were taken."""
        with self.lock:
            taken = self._fold.feed_bytes(data)
            self._folded += taken
            if self.missed_since:
                self._missed_events += data.count(b"\n", 0, taken)
            taps = tuple(self._taps)
        if taken:
            self.moved.set()
            for tap in taps:
                tap(data[:taken])
        return taken

    def checkpoint(self) -> tuple[bytes, int]:
        """The state as bytes, and the journal's length that it stands for."""
        with self.lock:
            return self._fold.checkpoint(), self._folded

    def mark(
        self, link: LinkState, problem: Problem | None = None, *, trouble: Problem | None = None
    ) -> None:
        """Note what became of the link; a reader sees it at its next look."""
        with self.lock:
            if link == "attached" and self.away is not None:
                self.missed_since, self._missed_events = self.away[0], 0
            elif link != "attached":
                self.missed_since = 0
            self.link, self.trouble = link, trouble
            since, tried = self.away or (time.time_ns(), 0)
            self.away = (since, tried + 1) if link == "reconnecting" else None
            self.live = link not in {"replay", "ended", "lost"}
            if problem is not None:
                self.problem = problem
            self._fold.state.mark_lost(link == "lost")
        if not self.live:
            self.done.set()
        self.moved.set()

    def caught_up(self) -> None:
        """Note that everything is here that was missed without a link."""
        with self.lock:
            now = time.time_ns()
            self.resumed = Resumed(self._missed_events, max(0, now - self.missed_since), now)
            self.missed_since = 0
        self.moved.set()

    def close(self, end: dict[str, Any], problem: Problem | None = None) -> None:
        """Note the agent's own word on how the run ended, which stands where the disk could not take the journal's."""
        self.end = end
        self.mark("ended", problem)

    def verdicts(self) -> dict[str, int]:
        """How many scenarios have which verdict; the agent's count where the recording is incomplete."""
        if self.end.get("incomplete") and isinstance(self.end.get("verdicts"), dict):
            return dict(self.end["verdicts"])
        with self.lock:
            return dict(self.state.counts)

    def not_run_count(self) -> int:
        """How many scenarios did not run, or ended without anybody who could write it down."""
        told = self.end.get("not_run_count") if self.end.get("incomplete") else None
        with self.lock:
            return max(self.state.run.not_run_count, told if isinstance(told, int) else 0)

    @property
    def failed_unrecorded(self) -> bool:
        """Whether a launch failed and the recording, which is incomplete, may not say so."""
        return bool(self.end.get("incomplete") and self.end.get("failed_to_start"))

    @property
    def elsewhere(self) -> bool:
        """Whether another machine ran it, whose words name any path there is."""
        return self.box_dir.name != LOCAL_BOX

    def here(self, path: str) -> str:
        """Where a path of the machine that ran this is on this one."""
        from tracekit.engine.relocate import here

        return here(path, self.root, self.paths, self.state.run.root) if self.root else path

    def events(self) -> Window:
        """A window into what was recorded inside its processes; raises ProblemError when it cannot be read."""
        from tracekit.store.tracewindow import Window

        run = self.state.run
        return Window(self.box_dir, self.run_id, run.environment, run.root or self.root)

    def output(self, spans: Iterable[OutputSpan], limit: int = MAX_WINDOW) -> bytes:
        """The recorded bytes of these spans, joined, at most `limit`; missing bytes are simply not there yet."""
        pieces: list[bytes] = []
        left = limit
        try:
            with self._window.opened() as file:
                for span in spans:
                    if left <= 0:
                        break
                    file.seek(span.offset)
                    piece = file.read(min(span.length, left))
                    left -= len(piece)
                    pieces.append(piece)
        except FileNotFoundError:
            pass
        except OSError as fault:
            self._missed(fault)
        return b"".join(pieces)

    def journal(self) -> BinaryIO:
        """The journal, opened to be read from its start; raises OSError."""
        return recorded.opened(self.box_dir / JOURNAL_FILE)

    def _missed(self, fault: OSError) -> None:
        if isinstance(fault, recorded.DamagedFileError):
            self.unread = fault.problem
        else:
            where = str(fault.filename or self.box_dir / OUTPUT_FILE)
            action = "make it readable, or free space there, and open the run again"
            what = f"the recorded output cannot be read: {fault.strerror or fault}"
            self.unread = Problem("run.output_unreadable", what, where, action)
        if self.problem is None:
            self.problem = self.unread
