"""Mutated profiles: whatever the bytes are, the answer is a profile or problems, soon and in little memory."""

from __future__ import annotations

import time
import tracemalloc

from tests.torture.mutate import Mutator
from tracekit.config.loader import check_text

SEED = 20_240_607
# One in so many is measured: a tracing allocator makes each ten times slower.
MEASURED = 50
MOST_SECONDS = 0.5  # CPU; the promise for whole hostile documents is told by P12
CORPUS = [
    b"""\
description = "a shop"
[suite.api]
runner = "pytest"
paths = ["tests/api", 'tests/web']
args = ["-x", "-k", "not slow"]
timeout = "120s"
stall = "off"
needs = ["migrate"]
[suite.api.env]
LOG = "debug"
DB_PASSWORD = { secret = true, from = "env:DB_PASSWORD" }
[suite.migrate]
idempotent = true
""",
    b"""\
[env.box7]
host = "box7.lab"
user = "ci"
port = 22
fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
prepare = ["uv sync"]
path_map = { "/srv/app" = ".", "/srv/lib" = "lib" }
protected = true
[env.local.service.db]
start = ["postgres", "-D", "{tmp}/pg"]
ready = { tcp = "127.0.0.1:{port}", within = "10s" }
health = { http = "http://127.0.0.1:{port}/", every = "2s" }
export = { DATABASE_URL = "postgres://127.0.0.1:{port}" }
""",
    b"""\
# settings
settings.trace = "calls"
settings.run_lease = "12h"
settings . seed = 0x7f
suite."a.b".env = { A = '''x
y''', B = \"\"\"
z\\u00e9\\
  w\"\"\" }
[[suite.list]]
when = 1979-05-27 07:32:00Z
numbers = [1_000, -0.5, inf, 1e9, 0b1, # note
  { deep = [[], [[]]] }]
""",
]


def _again(data: bytes) -> float:
    started = time.process_time()
    check_text(data)
    return time.process_time() - started


def torture_profile(n: int) -> dict[str, int | float | list[str]]:
    """Check `n` mutated profiles. Gives the figures, and in `faults` every way in which the promise was broken."""
    mutator = Mutator(CORPUS, SEED)
    faults: list[str] = []
    good = refused = fattest = 0
    slowest = 0.0
    for number in range(n):
        data = mutator.draw()
        measured = number % MEASURED == 0
        if measured:
            tracemalloc.start()
        started = time.process_time()
        try:
            profile, problems = check_text(data)
        except Exception as error:  # noqa: BLE001 - any exception at all is the fault that is looked for
            faults.append(f"input {number}: {type(error).__name__}: {error}")
            continue
        finally:
            taken = time.process_time() - started
            peak = tracemalloc.get_traced_memory()[1] if measured else 0
            if measured:
                tracemalloc.stop()
        fattest = max(fattest, peak)
        good += not problems
        refused += bool(problems)
        if profile is None and not problems:
            faults.append(f"input {number}: neither a profile nor a problem")
        if not all(problem.where and problem.what for problem in problems):
            faults.append(f"input {number}: a problem without place or words")
        if not all(str(problem).isprintable() for problem in problems):
            faults.append(f"input {number}: a problem with text that is not safe to show")
        if peak > 4 * len(data) + (1 << 20):
            faults.append(f"input {number}: {peak} bytes for {len(data)}")
        if taken > MOST_SECONDS:
            # The machine's own hiccups count as ours: only what is slow every time is.
            taken = min(_again(data) for _ in range(3))
        if taken > MOST_SECONDS:
            faults.append(f"input {number}: {taken:.3f} s")
        slowest = max(slowest, taken)
    return {
        "inputs": n,
        "good": good,
        "refused": refused,
        "peak_bytes": fattest,
        "slowest_ms": round(slowest * 1000, 1),
        "faults": faults,
    }
