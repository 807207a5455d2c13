"""Profiles that mean harm, each with what it tries, and a judge that says how each was answered."""

from __future__ import annotations

import re
import time
import tracemalloc
from typing import TYPE_CHECKING

from tracekit.config.loader import check_text

if TYPE_CHECKING:
    from tracekit.wire.problems import Problem

MIB = 1 << 20
PLACE = re.compile(r"tracekit\.toml:\d+(:|$)")
LONGEST_PROBLEM = 1000
HOSTILE: dict[str, str] = {
    "dotted keys": ".".join(["a"] * 100_000) + " = 1",
    "dotted header": "[" + ".".join(["suite"] * 100_000) + "]",
    "deep dotted keys": "\n".join(".".join([f"a{number}"] * 64) + " = 1" for number in range(60)),
    "deep header": "["
    + ".".join(["a"] * 60)
    + "]\n"
    + "\n".join(f"k{number}.a.b = 1" for number in range(900)),
    "brackets": "a = " + "[" * 100_000,
    "closed brackets": "a = " + "[" * 50_000 + "]" * 50_000,
    "braces": "a = " + "{ a = " * 100_000,
    "tables": "[[a]]\n" * 100_000,
    "keys": "\n".join(f"k{number} = 1" for number in range(80_000)),
    "elements": "a = [" + "1," * 400_000 + "]",
    "digits": "a = " + "9" * 1_000_000,
    "hexadecimal": "a = 0x" + "f" * 1_000_000,
    "float": "a = 1." + "9" * 1_000_000,
    "escapes": 'a = "' + "\\u0041" * 150_000 + '"',
    "quotes": 'a = """' + '""\\' * 300_000,
    "open string": 'a = "' + "x" * 1_000_000,
    "long key": "k" * 1_000_000 + " = 1",
    "escaped key": '"' + "\\u0041" * 100_000 + '" = 1',
    "spaces": "a = " + " " * 1_000_000 + "]",
    "suites": "".join(f"[suite.s{number}]\nneeds = ['s{number + 1}']\n" for number in range(5_000)),
    "parents": "[suite.a]\ncwd = '" + "../" * 300 + "'",
    "proxy command": "[env.box]\nhost = '-oProxyCommand=touch /tmp/x'",
    "pattern": "[env.local.service.a]\nstart = ['x']\nready = { log = '" + "(" * 900 + "' }",
    "nothing": "\0" * 10_000,
    "carriage returns": "\r" * 100_000,
    "terminal": '[suite."\x7f\\u001b]52;c;x\\u0007"]\n"\\u202E" = 1',
}


def judge(data: bytes) -> list[str]:
    """Everything that is wrong with the answer to a hostile profile, time aside."""
    tracemalloc.start()
    try:
        _, problems = check_text(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    faults = [] if problems else ["accepted"]
    faults += [fault for problem in problems for fault in _judge_problem(problem)]
    if peak > 4 * len(data) + MIB:
        faults.append(f"{peak} bytes of memory for {len(data)} bytes")
    return faults


def _judge_problem(problem: Problem) -> list[str]:
    faults = []
    if not PLACE.match(problem.where):
        faults.append(f"no file:line in {problem.where!r}")
    if not str(problem).isprintable() or len(str(problem)) > LONGEST_PROBLEM:
        faults.append(f"not safe to show: {str(problem)[:200]!r}")
    return faults


def milliseconds(data: bytes) -> float:
    """CPU time of one answer: the best of three, so that what else the machine does is left out."""
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        check_text(data)
        best = min(best, time.process_time() - started)
    return best * 1000
