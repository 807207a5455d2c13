"""What the fold costs: microseconds an event beside `json.loads` of the same lines, and a restore beside a fold.

The journal is that of a run of trivial tests: found, started, a line of output every fourth test, ended, one failure in
two hundred. Lines are made once, in memory; nothing here reads a disk.
"""

from __future__ import annotations

import gc
import json
import time
from statistics import median
from typing import TYPE_CHECKING, Any

from tests.bench.figures import Figure
from tracekit.engine.follow import rare_collections
from tracekit.model.fold import Fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 256 * 1024
FOLD_LIMIT = 1.5  # reading a recorded run cold, over `json.loads` of the same file


def events(scenarios: int) -> Iterator[dict[str, Any]]:
    """The journal of a run, as a daemon would write it."""
    started = 1_763_674_123_123_456_789
    probe, daemon = "local/main/4711-99183", "local/daemon/4700-99100"
    yield _line(1, daemon, started, "run.started", environment="local", root="/project", mode="run", seed=7)
    ids = [f"pytest:tests/test_{i // 50:04}.py::TestGroup::test_case[{i}]" for i in range(scenarios)]
    n = 0
    for first in range(0, scenarios, 50):
        n += 1
        file = f"tests/test_{first // 50:04}.py"
        names = [f"test_case[{i}]" for i in range(first, min(first + 50, scenarios))]
        group = {
            "id": f"pytest:{file}::TestGroup::",
            "suite": "",
            "runner": "pytest",
            "path": [file, "TestGroup"],
        }
        more = {"file": file, "tags": ["db"], "names": names, "lines": [3] * len(names)}
        marks = {"marks": {"parametrize": list(range(len(names)))}}
        yield _line(n, probe, started + n * 1000, "scenarios.found", **group, **more, **marks)
    for i, scenario in enumerate(ids):
        at = started + (n + i) * 1_000_000
        of = {"scenario": scenario, "attempt": 1}
        n += 1
        yield _line(n, probe, at, "attempt.started", **of, pid=4711, worker="main", launch="L1")
        if i % 4 == 0:
            n += 1
            span = {
                "stream": "stdout",
                "offset": i * 40,
                "length": 40,
                "attribution": "exact",
                "step": "call",
            }
            yield _line(n, probe, at + 10, "output", **of, **span)
        verdict = "passed"
        if i % 200 == 7:
            verdict, n = "failed", n + 1
            frame = {
                "file": "tests/a.py",
                "line": 3,
                "function": "test_case",
                "own": True,
                "code": "assert a == b",
            }
            chain = [{"type": "AssertionError", "message": f"assert {i} == 1000", "frames": [frame] * 4}]
            yield _line(
                n, probe, at + 20, "failure", **of, step="call", when="call", cause="assertion", chain=chain
            )
        n += 1
        durations = {"setup": 81_000, "call": 412_000, "teardown": 60_000}
        yield _line(
            n,
            probe,
            at + 30,
            "attempt.ended",
            **of,
            verdict=verdict,
            cause=None,
            d=553_000,
            durations=durations,
        )
    yield _line(2, daemon, started + 10**12, "run.ended", reason="finished", verdicts={}, not_run=[], why="")


def journal(scenarios: int) -> bytes:
    """The same as bytes."""
    return b"".join(json.dumps(event, separators=(",", ":")).encode() + b"\n" for event in events(scenarios))


def measure(scenarios: int = 60_000, rounds: int = 5) -> list[Figure]:
    """Median microseconds an event, beside `json.loads` alone; restoring a checkpoint beside folding again."""
    data = journal(scenarios)
    count = data.count(b"\n")
    fold = Fold()
    fold.feed_bytes(data)
    saved = fold.checkpoint()
    parts: dict[str, Callable[[], object]] = {
        "loads": lambda: [json.loads(line) and None for line in data.splitlines()],
        "fold": lambda: folded(data),
        "checkpoint": fold.checkpoint,
        "restore": lambda: Fold.restore(saved),
    }
    times: dict[str, list[float]] = {name: [] for name in parts}
    # Interleaved, so that a busy machine slows all of them alike.
    for _ in range(rounds):
        for name, part in parts.items():
            times[name].append(_cpu(part))
    taken = {name: median(values) for name, values in times.items()}
    each = {name: seconds / count * 1e6 for name, seconds in taken.items()}
    return [
        Figure("fold-over-loads", round(taken["fold"] / taken["loads"], 3), "ratio", 1.0, FOLD_LIMIT),
        Figure("fold", round(each["fold"], 2), "us/event", round(each["loads"], 2)),
        Figure("restore", round(taken["restore"], 3), "s", round(taken["fold"], 3)),
        Figure("checkpoint", round(taken["checkpoint"], 3), "s", round(taken["fold"], 3)),
    ]


def folded(data: bytes) -> Fold:
    """A fold fed as a reader of a file feeds it."""
    fold, at = Fold(), 0
    with rare_collections():
        while at < len(data):
            taken = fold.feed_bytes(data[at : at + CHUNK])
            at += taken
    return fold


def _line(n: int, src: str, t: int, event: str, **fields: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "n": n,
        "src": src,
        "t": t,
        "m": t // 7,
        "run": "01K5A3V2Q8Z6Y1X0W9V7T5S3R1",
        "e": event,
    } | fields


def _cpu(part: Callable[[], object]) -> float:
    gc.collect()
    before = time.process_time()
    kept = part()
    after = time.process_time()
    del kept
    return after - before
