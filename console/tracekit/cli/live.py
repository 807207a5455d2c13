"""Following a run on a plain terminal: one line a scenario, a progress line, or the journal itself.

Ctrl-c and TERM cancel the run and wait for its end; HUP and QUIT leave it running. It decides nothing else.
"""

from __future__ import annotations

import base64
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, Protocol

from tracekit.cli import edge, summary
from tracekit.cli.painting import GLYPHS, SLOW, Paint
from tracekit.cli.signals import Signals
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Cancel
from tracekit.engine.view import RunView
from tracekit.model.state import Notice, OutputSpan, Status
from tracekit.model.words import count, link_words, seconds
from tracekit.wire import lines
from tracekit.wire.names import RED
from tracekit.wire.problems import ProblemError

_TICK = 0.1
# A line for each scenario comes within 100 ms all the same: what tests tell is written every 25.
_PACE = 0.07
_HEARTBEAT = 30.0
#: Behind the last test of a suite a person waits for nothing that is seen: after this long it is said for what.
_NOTHING_RUNS = 5.0
# A third ctrl-c does not wait for the agent any longer.
_PATIENT = 2
_BEING_STARTED = 10.0
_AT_ONCE = 256 * 1024
_LAST_LINES = 2.0
_INLINE = 4 * 1024
#: Since when something runs that has been called slow.
_TOLD = float("inf")
#: Notices that a person wants to see while they are true.
_AT_ONCE_TOLD = frozenset({"stalled", "waiting"})


def pace(*, as_json: bool) -> float:
    """How many seconds apart whoever reads us needs to hear of a run: the journal is told as it grows."""
    return 0.0 if as_json else _PACE


def follow(
    engine: Engine,
    view: RunView,
    signals: Signals,
    *,
    as_json: bool,
    ours: bool = True,
    fail_on_flaky: bool = False,
    stale: Callable[[], bool] | None = None,
) -> int:
    """Show a run until it ends or a signal says otherwise; gives the exit code.

    Ctrl-c and TERM cancel a run that is `ours`; whoever only looks at one leaves it running. `stale` is asked now and
    then whether what runs is of no use any more; it is cancelled then.
    """
    shown = _Journal(view, signals) if as_json else _Progress(view, engine.places)
    try:
        code = _followed(engine, view, signals, shown, ours=ours, stale=stale)
    finally:
        shown.close()
    if code == edge.OK and fail_on_flaky:
        with view.lock:
            flaky = len(summary.flaky(view.state))
        if flaky:
            edge.say_error(f"tracekit: exit 1, because of --fail-on-flaky: {flaky} flaky")
            return edge.RED
    return code


def _followed(
    engine: Engine,
    view: RunView,
    signals: Signals,
    shown: _Shown,
    *,
    ours: bool,
    stale: Callable[[], bool] | None = None,
) -> int:
    asked, told = 0, False
    while not view.done.is_set():
        shown.wait()
        if view.problem is not None and not told:
            told = True
            shown.say(f"! {view.problem.what} ({view.problem.action})")
        if signals.leave:
            return edge.SIGNAL + signals.leave
        if shown.gone:
            edge.say_error(f"tracekit: nobody reads any more; the run goes on: tracekit attach {view.run_id}")
            return edge.SIGNAL + signal.SIGPIPE
        if signals.times and (not ours or signals.times > _PATIENT):
            edge.say_error(f"tracekit: the run goes on: tracekit cancel {view.run_id}")
            return edge.SIGNAL + signals.cancel
        if signals.times > asked:
            asked = signals.times
            shown.say("cancelling the run …")
            engine.submit(Cancel(view.run_id))
        if stale is not None and stale():
            stale = None
            shown.say("a file was saved: this run is cancelled …")
            engine.submit(Cancel(view.run_id))
        shown.tick()
    shown.end()
    if signals.cancel and view.state.run.reason == "cancelled":
        return edge.SIGNAL + signals.cancel
    return summary.outcome(view)


class _Shown(Protocol):
    """A way to show a run; `gone` once nobody can see it."""

    gone: bool

    def wait(self) -> None: ...
    def tick(self) -> None: ...
    def say(self, text: str) -> None: ...
    def end(self) -> None: ...
    def close(self) -> None: ...


def show_recorded(view: RunView, *, as_json: bool) -> None:
    """Print a recorded run as it would have been printed live."""
    if as_json:
        _Journal(view, Signals()).end()
        return
    shown = _Progress(view)
    shown.tick()
    shown.end()


class _Journal:
    """Prints the journal's lines as they come, output inline, from a thread of its own.

    A reader that has stopped reading must hold up nobody: neither the engine, nor the signal that ends us.
    """

    def __init__(self, view: RunView, signals: Signals) -> None:
        self._view = view
        self._signals = signals
        self._out = sys.stdout.fileno()
        self._printed = 0
        self._recorded: BinaryIO | None = None
        self._news = threading.Event()
        self._over = threading.Event()
        self.deaf = False
        self.gone = False
        self._thread = threading.Thread(target=self._print, name="tracekit-journal", daemon=True)
        self._thread.start()
        view.tap(lambda _: self._news.set())
        self._news.set()

    def _print(self) -> None:
        while not self.gone:
            self._news.wait(_TICK)
            self._news.clear()
            over = self._over.is_set()
            while self._some():
                pass
            if over:
                break
        if self._recorded is not None:
            self._recorded.close()

    def _some(self) -> bool:
        """Print the next whole lines that are folded; says whether there were any."""
        left = self._view.folded - self._printed
        if left <= 0 or self.deaf or self.gone:
            return False
        try:
            with self._journal() as file:
                file.seek(self._printed)
                data = file.read(min(left, _AT_ONCE))
                data = data[: lines.whole_lines(data)] or data + file.readline()
        except OSError:
            self.gone = True
            return False
        self._printed += len(data)
        self._write(b"".join(map(self._with_output, data.splitlines(keepends=True))))
        return True

    def _journal(self) -> AbstractContextManager[BinaryIO]:
        if self._view.live:
            return self._view.journal()
        # Nothing is written any more: it is opened once, for it may be packed.
        if self._recorded is None:
            self._recorded = self._view.journal()
        return nullcontext(self._recorded)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left and not self.gone:
            try:
                left = left[os.write(self._out, left) :]
            except BlockingIOError:
                time.sleep(0.01)
            except BrokenPipeError:
                self.gone = True
            except OSError as fault:
                # A disk that takes no more is no reason to lose the verdict: the run is followed to its end.
                self.deaf = True
                edge.say_error(f"tracekit: standard output cannot be written: {fault.strerror}")
                return

    def _with_output(self, line: bytes) -> bytes:
        if b'"e":"output"' not in line:
            return line
        try:
            fact = lines.decode(line)
        except lines.LineError:
            return line
        offset, length = fact.get("offset"), fact.get("length")
        if fact.get("e") != "output" or not isinstance(offset, int) or not isinstance(length, int):
            return line
        span = OutputSpan("", offset, min(length, _INLINE), True, None, 0)
        # Of a box the line comes before the bytes that it speaks of: they are on their way.
        while len(data := self._view.output([span])) < span.length and self._view.live and not self.gone:
            if self._over.wait(_TICK):
                # The end came while we waited, and the bytes before it.
                data = self._view.output([span])
                break
        return lines.encode({**fact, **_inline(data)})

    def wait(self) -> None:
        """Until the end, or until it is time to look whether a signal came."""
        self._view.done.wait(_TICK)

    def tick(self) -> None:
        """Nothing to do: lines are printed when they come."""

    def say(self, text: str) -> None:
        """Keep standard output for the journal alone."""
        edge.say_error(f"tracekit: {text}")

    def end(self) -> None:
        """Print what is left, for as long as somebody reads; who wants to leave waits a moment only."""
        self._over.set()
        self._news.set()
        while self._thread.is_alive() and not self._signals.asked:
            self._thread.join(_TICK)
        self._thread.join(_LAST_LINES)

    def close(self) -> None:
        """A writer that is stuck in a full pipe ends with the process."""
        self._over.set()


def _inline(data: bytes) -> dict[str, Any]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


class _Progress:
    """One line a scenario; on a terminal only red ones, above a line that tells how far the run is."""

    def __init__(self, view: RunView, places: Places | None = None) -> None:
        self._view = view
        self._monotonic = places.monotonic if places is not None else time.monotonic
        self._now_ns = places.now_ns if places is not None else time.time_ns
        self._terminal = edge.is_terminal(sys.stdout) and os.environ.get("TERM", "dumb") != "dumb"
        self._paint = Paint(on=edge.colours())
        self._started = self._beat = self._monotonic()
        self._status: dict[int, int] = {}
        self._running: dict[int, float] = {}
        self._line = ""
        self._width = 0
        self._link = view.link
        self._resumed = view.resumed
        self._trouble = ""
        self._noticed = 0
        self._not_run = 0
        # How many scenarios had ended when nothing was left to run, and since when.
        self._quiet = (0, 0.0)
        self._named: dict[int, Notice] = {}
        # The stack last printed of each attempt that was silent.
        self._stacks: dict[tuple[str, int], str] = {}
        self.deaf = False
        self.gone = False

    def wait(self) -> None:
        """Until something changes, or until it is time to look at the clock."""
        self._view.moved.wait(_TICK)
        self._view.moved.clear()

    def tick(self) -> None:
        """Print what has changed since the last tick."""
        self._guarded(self._tick)

    def _guarded(self, write: Callable[[], None]) -> None:
        if self.deaf:
            return
        try:
            write()
        except BrokenPipeError:
            self.gone = True
        except OSError as fault:
            self.deaf = True
            edge.swallow_output()
            edge.say_error(f"tracekit: standard output cannot be written: {fault.strerror}")

    def say(self, text: str) -> None:
        """A word of ours between the lines."""
        self._guarded(lambda: self._print([text]))

    def end(self) -> None:
        """The last lines and the summary."""
        self._guarded(self._end)

    def _end(self) -> None:
        self._tick()
        self._erase()
        for line in summary.lines(self._view, self._paint, self._named):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def close(self) -> None:
        """Nothing is kept open."""

    def _tick(self) -> None:
        with self._view.lock:
            rows = list(self._changed())
            rows += self._late()
            rows += self._silent()
            progress = self._progress() if self._terminal else ""
            beat = [*self._waited_for(), *self._heartbeat()]
        trouble = self._view.trouble
        if self._view.link != self._link or (trouble is not None and trouble.code != self._trouble):
            known, self._link = self._link, self._view.link
            self._trouble = trouble.code if trouble is not None else ""
            if {known, self._link} & {"reconnecting", "lost"}:
                why = f": {trouble.what} ({trouble.action})" if trouble is not None else ""
                link = link_words(self._view.link, self._view.away, self._view.folded, whole=True)
                rows.append(self._paint.dim(edge.clean(f"link: {link}{why}")))
        if self._view.resumed is not self._resumed:
            self._resumed = self._view.resumed
            if self._resumed is not None:
                caught = f"{count(self._resumed.events, 'event')} caught up"
                rows.append(
                    self._paint.dim(f"link: resumed, {caught} after {seconds(self._resumed.away_ns)}")
                )
        if rows or beat or (self._terminal and progress != self._line):
            self._print([*rows, *beat], progress)

    def _changed(self) -> Iterator[str]:
        state = self._view.state
        for index in sorted(state.take_changed()):
            code = state.status[index]
            # Of a test and its sub-tests only the test: it is the one that can be named and stopped.
            if code == Status.RUNNING and state.facts[index].parent < 0:
                self._running.setdefault(index, self._monotonic())
            else:
                self._running.pop(index, None)
            if code in {Status.PENDING, Status.RUNNING} or self._status.get(index) == code:
                continue
            self._status[index] = code
            word = Status(code).word
            if self._terminal and word not in RED:
                continue
            if code == Status.NOTRUN:
                # The summary counts them; thousands of lines would only push away what ran.
                self._not_run += 1
                if self._not_run > summary.MAX_NOT_RUN:
                    continue
            glyph = self._paint.verdict(word, f"{GLYPHS[word]} {word:8}")
            took = self._paint.dim(seconds(state.duration[index]).rjust(8))
            yield f"{glyph} {took}  {edge.clean(state.ids[index])}{summary.mark(state, index, self._paint)}"

    def _late(self) -> Iterator[str]:
        """Whoever has been running for longer than its suite calls slow, once."""
        now, state = self._monotonic(), self._view.state
        for index, since in list(self._running.items()):
            if (now - since) * 1e9 > (state.slow_ns(index) or math.inf):
                self._running[index] = _TOLD
                took = self._paint.dim(seconds(int((now - since) * 1e9)).rjust(8))
                yield f"{SLOW} slow     {took}  {edge.clean(state.ids[index])}"

    def _silent(self) -> Iterator[str]:
        """Whoever has just been found to say nothing: a person who waits for it wants to know where it is."""
        notices = self._view.state.notices
        if len(notices) != self._noticed:
            self._noticed = len(notices)
            for notice in [
                each for each in notices if each.kind in _AT_ONCE_TOLD and id(each) not in self._named
            ]:
                self._named[id(notice)] = notice
                if notice.kind == "waiting":
                    yield edge.clean(f"… {notice.suite or 'the run'} {notice.message}")
                else:
                    yield from summary.stalls([notice], self._paint, known=self._stacks)

    def _waited_for(self) -> list[str]:
        """Everything that is known has ended and the run goes on: said once, each time that comes to be so."""
        state, now = self._view.state, self._monotonic()
        # Looked for and not counted: thousands of rows many times a second would take their time from the tests.
        goes_on = Status.PENDING in state.status or Status.RUNNING in state.status
        ended = 0 if self._terminal or state.run.ended or goes_on else len(state.status)
        if ended != self._quiet[0]:
            self._quiet = (ended, now)
        if not ended or now - self._quiet[1] < _NOTHING_RUNS:
            return []
        self._quiet = (ended, math.inf)
        several = len(state.run.suites) > 1
        what = "the next suite, or for a runner to end" if several else "its runner to end"
        return [self._paint.dim(f"… no test runs: waits for {what}")]

    def _heartbeat(self) -> list[str]:
        """Where nobody can see a line that changes: now and then how far the run is, and who has run the longest."""
        now = self._monotonic()
        if self._terminal or now - self._beat < _HEARTBEAT:
            return []
        self._beat = now
        state, running = self._view.state, len(self._running)
        told = f"{self._progress()}  {running} running" if running else self._progress()
        since = {
            index: state.attempts(index)[-1].started_t for index in self._running if state.attempts(index)
        }
        if since:
            oldest = min(since, key=lambda index: (since[index], index))
            age = seconds(max(0, self._now_ns() - since[oldest]))
            told += f", the oldest for {age}: {edge.clean(state.ids[oldest])}"
        return [self._paint.dim(told)]

    def _progress(self) -> str:
        counts = self._view.state.counts
        total = sum(counts.values())
        left = counts.get("pending", 0) + counts.get("running", 0)
        red = sum(counts.get(word, 0) for word in RED)
        took = seconds(int((self._monotonic() - self._started) * 1e9))
        return (
            f"▶ {total - left}/{total}  ✗ {red}  {took.split('.')[0].rstrip('s')}s  run {self._view.run_id}"
        )

    def _print(self, rows: list[str], progress: str = "") -> None:
        self._erase()
        for row in rows:
            sys.stdout.write(row + "\n")
        self._line = progress
        if self._terminal and progress:
            width = max(10, _columns() - 1)
            sys.stdout.write(progress[:width])
            self._width = min(len(progress), width)
        sys.stdout.flush()

    def _erase(self) -> None:
        if self._width:
            sys.stdout.write("\r" + " " * self._width + "\r")
            self._width = 0


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80


def submitted(engine: Engine, request: Any, signals: Signals | None = None) -> RunView:
    """Hand a request over and wait for its view; a ProblemError comes out as it is, a signal as a SystemExit."""
    future = engine.submit(request)
    while True:
        if signals is not None and (number := signals.cancel or signals.leave):
            _give_back(engine, future, cancel=signals.cancel != 0)
            raise SystemExit(edge.SIGNAL + number)
        try:
            return future.result(timeout=_TICK)
        except TimeoutError:
            if future.done():
                raise


def _give_back(engine: Engine, future: Future[RunView], *, cancel: bool) -> None:
    """A signal came while a run was being started: if it starts all the same, it is not left running."""
    if not cancel:
        return
    try:
        view = future.result(timeout=_BEING_STARTED)
        if view.live:
            engine.submit(Cancel(view.run_id))
            view.done.wait(_BEING_STARTED)
    except (TimeoutError, CancelledError, ProblemError):
        return
