"""P11: hostile frames are refused, at once, in little memory, and nobody else notices; a box that lies, too."""

from __future__ import annotations

import random
import socket
import tempfile
import time
import tracemalloc
from pathlib import Path

from tests.support.agents.driving import Box, box
from tests.support.agents.hostile import HOSTILE
from tests.torture.p11_boxes import STREAMS, lies, streams
from tests.torture.registry import Outcome, scaled
from tracekit.agent.protocol import Session
from tracekit.wire.frames import FrameError

LIMIT_MS = 10.0
LIMIT_BYTES = 1 << 20
ROUNDS = 201
SEED = 11


def _alone(outcome: Outcome, rounds: int) -> tuple[float, int]:
    """The state machine by itself, in any chunking: time and memory of each refusal."""
    chooser = random.Random(SEED)
    slowest, largest = 0.0, 0
    for name, data in HOSTILE.items():
        times: list[float] = []
        for number in range(rounds):
            size = chooser.choice((len(data), 4096, 97)) if number else len(data)
            session = Session({"runs": []}, lambda: {"t": 0, "m": 0})
            measured = number == 0
            if measured:
                tracemalloc.start()
            began = time.process_time()
            try:
                for at in range(0, len(data), size):
                    session.receive(data[at : at + size])
                outcome.fault(f"{name}: accepted")
            except FrameError:
                pass
            taken = (time.process_time() - began) * 1e3
            if measured:
                largest = max(largest, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
            elif size == len(data):
                times.append(taken)
        # The middle one: what else the machine does in between is not ours.
        slowest = max(slowest, sorted(times)[len(times) // 2])
    return slowest, largest


def _daemon(outcome: Outcome, made: Box) -> int:
    """The same against a real daemon: it hangs up, and goes on serving."""
    link = made.link()
    pid = link.hello()["pid"]
    path = str(made.notes()[0]["socket"])
    before = _resident(pid)
    for name, data in HOSTILE.items():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(10)
            peer.connect(path)
            try:
                peer.sendall(data)
                while peer.recv(1 << 16):
                    pass
            except TimeoutError:
                outcome.fault(f"{name}: the daemon did not hang up")
            except OSError:
                pass
    link.client.ping(1)
    link.until(lambda event: event["type"] == "pong")
    return _resident(pid) - before


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def main(scale: float) -> Outcome:
    """Every hostile stream, alone in many chunkings and against a daemon."""
    outcome = Outcome()
    rounds = scaled(ROUNDS, scale, 30)
    slowest, largest = _alone(outcome, rounds)
    with tempfile.TemporaryDirectory() as base, box(Path(base)) as made:
        grown = _daemon(outcome, made)
    with tempfile.TemporaryDirectory() as base:
        lied = lies(Path(base), outcome)
    here = streams(outcome)
    slowest, largest = max(slowest, here[0]), max(largest, here[1])
    if slowest > LIMIT_MS:
        outcome.fault(f"refused only after {slowest:.1f} ms")
    if largest > LIMIT_BYTES or grown > 4 * LIMIT_BYTES:
        outcome.fault(f"{largest} bytes for one refusal, daemon grew by {grown}")
    outcome.figures = {
        "streams": len(HOSTILE) + len(STREAMS),
        "lies": lied,
        "rounds": rounds,
        "slowest_ms": f"{slowest:.2f}",
        "largest_kib": largest // 1024,
        "daemon_grew_kib": grown // 1024,
    }
    return outcome
