"""How many scenarios of a suite run at once, where somebody said so: which runners can hold it, and in which words.

A number is an upper bound that is reached wherever there is as much to do. It is pure; adapters and hosts ask it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

#: What the probe in a pytest is told.
VARIABLE = "TRACEKIT_AT_ONCE"
#: libtest's own, which documentation tests hear as well.
THREADS = "RUST_TEST_THREADS"


def of(suite: Mapping[str, Any]) -> int:
    """How many of a suite; 0 where that is its runner's own to say. A plan of another version may hold anything."""
    found = suite.get("at_once")
    return found if type(found) is int and found > 0 else 0


def refused(suite: Mapping[str, Any], size: int) -> Optional[tuple[str, str]]:
    """Why a suite cannot hold this number, and what to do instead; None where it can."""
    runner = suite.get("runner")
    if runner == "command":
        return (
            "how many a command runs at once is its own to say",
            "leave -j out, and put the command's own option into `run` or `args` of the suite",
        )
    if runner == "unittest" and size > 1:
        return (
            "unittest runs one scenario at a time",
            "leave -j out, or run the suite by pytest, which spreads it over processes with pytest-xdist",
        )
    if runner == "mocha" and size > 1:
        return (
            "mocha runs whole files at once, and only where nothing was chosen of them",
            'leave -j out, or put `"--parallel", "--jobs=N"` into `args` of the suite',
        )
    return None


def go(size: int, args: Sequence[str], packages: int) -> list[str]:
    """The arguments of `go test`, with what bounds packages and the tests within one, which multiply."""
    if not size:
        return list(args)
    own = ["-p=1", f"-parallel={size}"] if packages == 1 else [f"-p={size}", "-parallel=1"]
    return [*args, *own]  # the last word counts


def script(runner: str, size: int, version: int) -> list[str]:
    """What a tool of JavaScript is told; node's files are started by our host, one by one."""
    if not size:
        return []
    if runner == "vitest":
        # Until 4 there is a least number, too, which must not be more than the most.
        least = ["--minWorkers=1"] if version < 4 else []
        return [*least, f"--maxWorkers={size}", "--maxConcurrency=1"]
    if runner == "jest":
        return [f"--maxWorkers={size}", "--maxConcurrency=1"]
    return ["--no-parallel"] if runner == "mocha" else []
