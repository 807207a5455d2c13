"""P9: hostile text cannot reach the terminal.

Every payload in every field that comes from outside, every pane, through a real pty: all bytes within the grammar, and
an emulator shows exactly the cells that were meant. Then again with the sanitiser off: what does the last filter do?
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.security.payloads import PAYLOADS
from tests.support.hostile import PANES
from tests.support.terminal import Terminal, escapes, same
from tests.torture.registry import Outcome, scaled

PATIENCE = 120.0
BATCH = 7


def main(scale: float) -> Outcome:
    """All payloads at full scale; a spread of them, each tenth at least, in CI."""
    outcome = Outcome()
    step = max(1, round(1 / max(scale, 0.01)))
    chosen = [number for number in range(len(PAYLOADS)) if number % step == 0][
        : scaled(len(PAYLOADS), scale, 5)
    ]
    escaped = differed = caught = panes = 0
    batches = [chosen[at : at + BATCH] for at in range(0, len(chosen), BATCH)]
    for layer_one in (True, False):
        for batch in batches:
            told = visit(batch, layer_one=layer_one)
            panes += told.panes
            escaped += len(told.escaped)
            differed += len(told.differed)
            caught += told.caught if layer_one else 0
            for fault in (*told.escaped[:5], *told.differed[:5], *told.missing):
                outcome.fault(f"layer 1 {'on' if layer_one else 'off'}: {fault}")
    if caught:
        outcome.fault(f"the last filter had to catch {caught} that layer 1 should have")
    outcome.figures = {
        "payloads": len(chosen),
        "panes": len(PANES),
        "looked_at": panes,
        "escaped": escaped,
        "other_cells": differed,
    }
    return outcome


def run(scale: float) -> str:
    """The promise as one line."""
    return main(scale).line("P9")


@dataclass
class Told:
    """What a batch of payloads did."""

    escaped: list[str] = field(default_factory=list)
    differed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    panes: int = 0
    caught: int = 0


def visit(numbers: Sequence[int], *, layer_one: bool, size: tuple[int, int] = (120, 36)) -> Told:
    """Payloads through every pane, on one pty."""
    told_read, told_write = os.pipe()
    heard_read, heard_write = os.pipe()
    program = (
        "import os, runpy\n"
        f"os.dup2({told_write}, 9); os.dup2({heard_read}, 8)\n"
        "runpy.run_module('tests.support.hostile', run_name='__main__')\n"
    )
    command = ["-c", program, "on" if layer_one else "off", ",".join(map(str, numbers))]
    terminal = Terminal(command, size=size, keep=(told_write, heard_read))
    os.close(told_write)
    os.close(heard_read)
    os.set_blocking(told_read, False)
    try:
        return _watched(terminal, told_read, heard_write)
    finally:
        terminal.close()
        os.close(told_read)
        os.close(heard_write)


def _watched(terminal: Terminal, told: int, answer: int) -> Told:
    result = Told()
    waiting = bytearray()

    def heard() -> bool:
        with contextlib.suppress(BlockingIOError):
            waiting.extend(os.read(told, 1 << 20))
        return b"\n" in waiting

    line = b""
    while terminal.until(heard, PATIENCE):
        line, _, rest = bytes(waiting).partition(b"\n")
        waiting[:] = rest
        if line == b"done":
            break
        name, pane, expected, caught = json.loads(line)
        result.panes += 1
        result.caught = max(result.caught, caught)
        if not terminal.until(_Shows(terminal, expected), 10.0):
            result.differed.append(f"{name}/{pane}: {_difference(terminal.display, expected)}")
        os.write(answer, b"go\n")
    terminal.wait(20.0)
    if line != b"done":
        result.missing.append(f"the console did not come to the end: {bytes(terminal.raw[-600:])!r}")
    result.escaped = escapes(bytes(terminal.raw))
    return result


@dataclass
class _Shows:
    """Whether the emulator shows what was meant."""

    terminal: Terminal
    expected: str

    def __call__(self) -> bool:
        return same(self.terminal.display, self.expected)


def _difference(shown: list[str], expected: str) -> str:
    for number, (left, right) in enumerate(zip(shown, expected.split("\n"), strict=False)):
        if left.rstrip() != right.rstrip():
            return f"row {number}: terminal {left[:160]!r}, meant {right[:160]!r}"
    return "the rows differ in number"


if __name__ == "__main__":
    sys.stdout.write(run(float(sys.argv[1]) if sys.argv[1:] else 1.0) + "\n")
