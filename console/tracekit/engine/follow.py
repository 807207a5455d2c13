"""Following one run: from committed lengths to folded lines, in slices that never hold the lock for long.

The follower reads the run directory in place, exactly as far as the agent says it is committed. It owns nothing but the
place it has reached.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.lowlevel
import anyio.to_thread

from tracekit.engine.view import RunView
from tracekit.model.fold import Fold
from tracekit.store import recorded
from tracekit.store.copies import Copy
from tracekit.wire.names import JOURNAL_FILE, E
from tracekit.wire.problems import Problem

# About a hundred lines: a reader waits at most a millisecond for the lock.
SLICE = 16 * 1024
# To hand it to a thread and back costs as much as writing less than that.
_MUCH = 128 * 1024
# A thread that writes needs a processor: where there are two, the loop has one and whoever sends the other, and to hand
# over costs more than it gains.
_BESIDE = (os.cpu_count() or 1) > 2
_ADDED_BEFORE_A_LOOK = 1_000_000

Ended = Callable[["Follower"], None]
# Writes one of this console's own facts beside the run: what the link did is not the box's to tell.
Note = Callable[[str, Mapping[str, Any]], None]


class Follower:
    """Folds one run's journal into its view until the agent says that it has ended.

    A run of this machine is read in place; of another box there is a copy, which grows by what the link brings.
    """

    def __init__(
        self, view: RunView, ended: Ended, note: Note = lambda *_: None, copy: Copy | None = None
    ) -> None:
        self.view = view
        self.note = note
        self.copy = copy
        self.end: dict[str, Any] = {}
        #: How often in a row the agent would not let this one follow.
        self.refused = 0
        #: How often in a row what came could not be kept, and nothing that is new came between.
        self.faults = 0
        #: How often something new has come.
        self.news = 0
        self._reached: dict[str, int] = {}
        self._ended = ended
        self._committed = 0
        # Of a link that came back: since when it was away, and how long the journal was then. Behind that nothing was
        # missed.
        self._missed = (0, 0)
        # The file that is being read is another box's by now.
        self._replaced = False
        self._wake = anyio.Event()

    def lengths(self, event: dict[str, Any]) -> None:
        """Take what the agent says of the run's files and state."""
        self.refused = 0
        files = event.get("files")
        length = files.get(JOURNAL_FILE, 0) if isinstance(files, dict) else 0
        if isinstance(length, int) and self._missed[0] != self.view.missed_since:
            self._missed = (self.view.missed_since, length)
        if isinstance(length, int) and (self.copy is None or event.get("state") == "ended"):
            # Of a copy the end is told behind its last byte, which an earlier console may have brought.
            self._committed = max(self._committed, length)
        elif isinstance(length, int) and self.copy is not None and not self._committed:
            # What one has brought is shown at once; a box that has something else says so with its first bytes.
            self._committed = min(length, self.copy.size(JOURNAL_FILE))
        if event.get("state") == "ended":
            self.end = event
        elif event.get("incomplete"):
            # Said while something can be done about it; at the end it is said how the verdicts stand.
            why = f": {event['why']}" if isinstance(event.get("why"), str) else ""
            what = f"parts of this run are not recorded{why}"
            action = "free space on that disk: what comes then is kept"
            self._say(Problem("run.recording_incomplete", what, str(self.view.box_dir), action))
        self._wake.set()

    async def arrived(self, event: dict[str, Any]) -> None:
        """Take bytes of the box, or the announcement of a file; raises ProblemError when they cannot be kept.

        Where there are processors for both, much of it is written beside the loop, which brings the next of it
        meanwhile. It is waited for all the same: nothing overtakes it, no more is taken than has been written, and what
        went wrong is this event's. The journal is read here while it grows, and is written here.
        """
        if self.copy is None:
            return
        if event["type"] == "file":
            # A session that came after the word of the end begins what is here anew, and says that word again.
            self.end = {}
        refused = len(self.copy.allowance.refused)
        much = event["type"] == "data" and sum(map(len, event["pieces"])) >= _MUCH
        if _BESIDE and much and event.get("name") != JOURNAL_FILE:
            aside = await anyio.to_thread.run_sync(self._keep, self.copy, event)
        else:
            aside = self._keep(self.copy, event)
        self._kept(self.copy, event, aside=aside, refused=refused)

    @staticmethod
    def _keep(copy: Copy, event: dict[str, Any]) -> bool:
        """Put it where it belongs; says whether something was set aside for it."""
        name = str(event.get("name", ""))
        if event["type"] == "file":
            length = event.get("length")
            size = length if isinstance(length, int) else 0
            replaced = bool(event.get("replaced"))
            return copy.begin(name, int(event["start"]), replaced=replaced, size=size)
        return copy.write(name, int(event["offset"]), *event["pieces"])

    def _kept(self, copy: Copy, event: dict[str, Any], *, aside: bool, refused: int) -> None:
        """Let everybody know what is here now."""
        name = str(event.get("name", ""))
        if aside:
            self._say(_aside(copy))
        if aside or (name == JOURNAL_FILE and event.get("replaced")):
            # Of a file that points into another: what was folded may be neither's.
            self._committed = 0
            self._replaced = True
            self.view.resume(Fold(), 0)
        if len(copy.allowance.refused) > refused:
            self._say(copy.too_much())
            self.note(E.GAP, {"what": name, "why": "quota", "kinds": sorted(copy.allowance.refused)})
        if name == JOURNAL_FILE:
            self._committed = copy.length(name)
            self._wake.set()
        if name not in self._reached or self._reached[name] < copy.length(name):
            self._reached[name] = copy.length(name)
            self.faults = 0
            self.news += 1

    def _say(self, problem: Problem) -> None:
        """Something is to be known of the copy; following goes on."""
        with self.view.lock:
            self.view.problem = self.view.problem or problem
        self.view.moved.set()

    @property
    def whole(self) -> bool:
        """Whether everything that the box says there is has come here: only then need it not keep it."""
        files = self.end.get("files")
        if self.copy is None or not isinstance(files, dict):
            return True
        return all(self.copy.size(name) >= length for name, length in files.items())

    def read_ended(self) -> bool:
        """Read a run that the agent has let go of; says whether it has its end."""
        if not self.read_on():
            return False
        self._finish()
        return True

    def read_on(self) -> bool:
        """Fold what another console of this machine has written by now; says whether the end is there."""
        with contextlib.suppress(OSError):
            fold_file(self.view, self.view.box_dir / JOURNAL_FILE)
        return self.view.state.run.ended

    def let_go(self, problem: Problem) -> None:
        """Take the agent's word that it does not have the run: it has ended on the disk, or it is lost."""
        if not self.view.done.is_set() and not self.read_ended():
            self.view.mark("lost", problem)
        self._wake.set()

    def distrust(self, problem: Problem) -> None:
        """Follow no more: what is here stands, and why nothing comes is said. Another attach may go on from here."""
        if not self.view.done.is_set():
            self.view.mark("lost", problem)
            self._ended(self)
        if self.copy is not None:
            self.copy.close()
        self._wake.set()

    async def run(self) -> None:
        """Fold until the end; a journal that goes missing ends the view with its problem."""
        while True:
            await self._wake.wait()
            if self.view.done.is_set():
                return
            self._wake = anyio.Event()
            self._replaced = False
            try:
                with rare_collections(), self.view.journal() as file:
                    await self._catch_up(file)
                self._have_caught_up()
            except FileNotFoundError:
                if not self.end:
                    continue
            except OSError as fault:
                self._fail(fault)
                return
            if self.end and not self._replaced:
                self._finish()
                return

    def _have_caught_up(self) -> None:
        """Tell what a link that came back has brought, once all of it is folded."""
        since, length = self._missed
        if since and since == self.view.missed_since and (self.view.folded >= length or self.end):
            self.view.caught_up()

    async def _catch_up(self, file: BinaryIO) -> None:
        size = SLICE
        while (left := self._committed - self.view.folded) > 0 and not self._replaced:
            file.seek(self.view.folded)
            data = file.read(min(size, left))
            taken = self.view.feed(data)
            if taken:
                size = SLICE
            elif len(data) < size:
                return  # what is committed ends in a whole line: the file is shorter than it was
            else:
                size *= 2  # one line longer than a slice
            await anyio.lowlevel.checkpoint()

    def _finish(self) -> None:
        if self.copy is not None:
            self.copy.end()
            self.copy.close()
            if self.copy.allowance.refused:
                self._say(self.copy.too_much())
        if self.end.get("incomplete"):
            # The journal may lack them; the agent has counted them all the same.
            counted = ", ".join(
                f"{many:,} {word}" for word, many in sorted(self.end.get("verdicts", {}).items())
            )
            stand = "" if self.end.get("failed_to_start") else "; its verdicts stand"
            stand += f": {counted}" if stand and counted else ""
            problem = Problem(
                "run.recording_incomplete",
                f"parts of this run could not be recorded{stand}",
                str(self.view.box_dir),
                "free space on that disk before the next run",
            )
            self.view.close(self.end, problem)
        else:
            self.view.close(self.end)
        self._ended(self)

    def _fail(self, fault: OSError) -> None:
        problem = Problem(
            "run.unreadable",
            f"the run directory cannot be read: {fault.strerror or fault}",
            str(self.view.box_dir),
            f"`tracekit verify {self.view.run_id}` shows what is left",
        )
        self.view.mark("lost", problem)
        self._ended(self)


def _aside(copy: Copy) -> Problem:
    what = f"the box has other files of this run than before; what was here is kept as {copy.set_aside}"
    where = str(copy.place.with_name(copy.set_aside))
    return Problem("box.set_aside", what, where, "look there for what the box no longer has")


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """A fold only adds to a growing heap: looking for garbage every 700 objects finds none and doubles the cost."""
    before = gc.get_threshold()
    gc.set_threshold(_ADDED_BEFORE_A_LOOK, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def fold_file(view: RunView, journal: Path) -> None:
    """Fold a recorded journal to its last whole line, at once; raises OSError."""
    with rare_collections(), recorded.opened(journal) as file:
        file.seek(view.folded)
        rest = b""
        while data := file.read(1 << 20):
            rest += data
            rest = rest[view.feed(rest) :]
