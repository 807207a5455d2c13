"""Following a run on a plain terminal: one line a scenario, a progress line, or the journal itself.

Ctrl-c and TERM cancel the run and wait for its end; HUP and QUIT leave it running. It decides nothing else.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tracekit.cli import edge, summary
from tracekit.cli.painting import GLYPHS, Paint, seconds
from tracekit.engine.engine import Engine
from tracekit.engine.requests import Cancel
from tracekit.engine.view import RunView
from tracekit.model.state import OutputSpan, Status
from tracekit.wire import lines
from tracekit.wire.names import RED

_TICK = 0.1
_HEARTBEAT = 30.0
_INLINE = 4 * 1024
_CANCELS = (signal.SIGINT, signal.SIGTERM)
_LEAVES = (signal.SIGHUP, signal.SIGQUIT)


class Signals:
    """What the signals of this process have asked for so far."""

    def __init__(self) -> None:
        self.cancel = 0
        self.times = 0
        self.leave = 0

    @contextmanager
    def caught(self) -> Iterator[Signals]:
        """Catch them for as long as the block runs."""
        before = {number: signal.signal(number, self._take) for number in (*_CANCELS, *_LEAVES)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _take(self, number: int, _: FrameType | None) -> None:
        if number in _CANCELS:
            self.cancel = number
            self.times += 1
        else:
            self.leave = number


def follow(engine: Engine, view: RunView, signals: Signals, *, as_json: bool) -> int:
    """Show a run until it ends or a signal says otherwise; gives the exit code."""
    shown = _Journal(view) if as_json else _Progress(view)
    asked = 0
    while not view.done.wait(_TICK):
        if signals.leave:
            return edge.SIGNAL + signals.leave
        if shown.gone:
            return edge.SIGNAL + signal.SIGPIPE
        if signals.times > asked:
            asked = signals.times
            shown.say("cancelling the run …")
            engine.submit(Cancel(view.run_id))
        shown.tick()
    shown.end()
    if signals.cancel and view.state.run.reason == "cancelled":
        return edge.SIGNAL + signals.cancel
    return summary.outcome(view)


def show_recorded(view: RunView, *, as_json: bool) -> None:
    """Print a recorded run as it would have been printed live."""
    if as_json:
        _Journal(view)  # a tap is told what is folded already
        return
    shown = _Progress(view)
    shown.tick()
    shown.end()


class _Journal:
    """Prints the journal's lines as they come, output inline; whole lines only, from the engine's thread."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._out = sys.stdout.fileno()
        self._lock = threading.Lock()
        self.gone = False
        view.tap(self._take)

    def _take(self, data: bytes) -> None:
        if b'"e":"output"' in data:
            data = b"".join(map(self._with_output, data.splitlines(keepends=True)))
        left = memoryview(data)
        with self._lock:
            while left and not self.gone:
                try:
                    left = left[os.write(self._out, left) :]
                except BlockingIOError:
                    time.sleep(0.01)
                except OSError:
                    self.gone = True

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
        data = self._view.output([OutputSpan("", offset, min(length, _INLINE), True, None, 0)])
        return lines.encode({**fact, **_inline(data)})

    def tick(self) -> None:
        """Nothing to do: lines are printed when they come."""

    def say(self, text: str) -> None:
        """Keep standard output for the journal alone."""
        edge.say_error(f"tracekit: {text}")

    def end(self) -> None:
        """Everything is printed."""


def _inline(data: bytes) -> dict[str, Any]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


class _Progress:
    """One line a scenario; on a terminal only red ones, above a line that tells how far the run is."""

    def __init__(self, view: RunView) -> None:
        self._view = view
        self._terminal = edge.is_terminal(sys.stdout) and os.environ.get("TERM", "dumb") != "dumb"
        self._paint = Paint(on=edge.colours())
        self._started = self._beat = time.monotonic()
        self._status: dict[int, int] = {}
        self._line = ""
        self._width = 0
        self._link = view.link
        self.gone = False

    def tick(self) -> None:
        """Print what has changed since the last tick."""
        try:
            self._tick()
        except OSError:
            self.gone = True

    def say(self, text: str) -> None:
        """A word of ours between the lines."""
        self._print([text])

    def end(self) -> None:
        """The last lines and the summary."""
        try:
            self._tick()
            self._erase()
            for line in summary.lines(self._view, self._paint):
                sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except OSError:
            self.gone = True

    def _tick(self) -> None:
        with self._view.lock:
            rows = list(self._changed())
            progress = self._progress()
        if self._view.link != self._link:
            known, self._link = self._link, self._view.link
            if {known, self._link} & {"reconnecting", "lost"}:
                rows.append(self._paint.dim(f"link: {self._link}"))
        now = time.monotonic()
        if rows or (self._terminal and progress != self._line):
            self._print(rows, progress)
            self._beat = now
        elif not self._terminal and now - self._beat >= _HEARTBEAT:
            self._print([progress])
            self._beat = now

    def _changed(self) -> Iterator[str]:
        state = self._view.state
        for index in sorted(state.take_changed()):
            code = state.status[index]
            if code in {Status.PENDING, Status.RUNNING} or self._status.get(index) == code:
                continue
            self._status[index] = code
            word = Status(code).word
            if self._terminal and word not in RED:
                continue
            glyph = self._paint.verdict(word, f"{GLYPHS[word]} {word:8}")
            took = self._paint.dim(seconds(state.duration[index]).rjust(8))
            yield f"{glyph} {took}  {edge.clean(state.ids[index])}"

    def _progress(self) -> str:
        counts = self._view.state.counts
        total = sum(counts.values())
        left = counts.get("pending", 0) + counts.get("running", 0)
        red = sum(counts.get(word, 0) for word in RED)
        took = seconds(int((time.monotonic() - self._started) * 1e9))
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
        number = signals.cancel or signals.leave if signals is not None else 0
        if number:
            raise SystemExit(edge.SIGNAL + number)
        try:
            return future.result(timeout=_TICK)
        except TimeoutError:
            if future.done():
                raise
