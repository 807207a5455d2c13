"""Where a Python process was when a signal killed it: its fault handler's own words, as the failure of that test.

The handler writes to standard error, which no test owns. A dump is given to a test only where nothing else is meant:
it names the test's function in its file, or it is the only dump behind the only death.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from tracekit.agent.runners.base import Exit, Progress
from tracekit.agent.stacks import parse
from tracekit.agent.waiting import own_path, source_line
from tracekit.wire.ids import split_scenario_id
from tracekit.wire.names import E

_HEAD = re.compile(r"Fatal Python error: (?P<what>[^\n]*)\n")
#: What stands behind the frames: the names of loaded extension modules, and whatever other processes print.
_FRAME = re.compile(r'^  (?:File "|\.\.\.)[^\n]*\n?', re.MULTILINE)
#: Frames of a recursion that ended in a full stack say the same again and again.
MOST_FRAMES = 60
LONGEST = 16 * 1024


def failures(progress: Progress, exit: Exit) -> list[dict[str, Any]]:
    """A `failure` for each crashed attempt of a launch whose process said where it was."""
    died = dict(progress.crashed)
    died.update((scenario, started.get("attempt", 1)) for scenario, started in progress.running.items())
    dumps = _dumps(exit.stderr_tail.decode("utf-8", "replace")) if died else []
    if not dumps:
        return []
    root = str(progress.suite.get("cwd", ""))
    found: dict[str, str] = {}
    fitting = {scenario: [dump for dump in dumps if _names(dump, scenario)] for scenario in died}
    for scenario, fits in fitting.items():
        rivals = [other for other, theirs in fitting.items() if theirs == fits]
        if len(fits) == len(rivals) == 1 or (len(fits) >= len(rivals) and _alike(fits)):
            found[scenario] = fits[-1]
    if not found and len(died) == len(dumps) == 1 and progress.running and exit.signal is not None:
        # It died in a fixture, or in another thread than the test's.
        found[next(iter(died))] = dumps[0]
    return [_failure(scenario, died[scenario], dump, root) for scenario, dump in found.items()]


def _dumps(text: str) -> list[str]:
    heads = [found.start() for found in _HEAD.finditer(text)]
    parts = [text[start:end] for start, end in zip(heads, [*heads[1:], len(text)])]
    return [_frames_only(part) for part in parts]


def _frames_only(part: str) -> str:
    ends = [found.end() for found in _FRAME.finditer(part)]
    return part[: ends[-1]] if ends else part.partition("\n")[0]


def _current(dump: str) -> list[dict[str, Any]]:
    """The frames of the thread that died, the innermost first."""
    threads = [thread for thread in parse(dump) if thread["current"]]
    return threads[0]["frames"] if threads else []


def _names(dump: str, scenario: str) -> bool:
    path, *names = split_scenario_id(scenario)[2].split("::")
    function = names[-1].partition("[")[0] if names else ""
    end = os.sep + path
    return any(frame["function"] == function and frame["file"].endswith(end) for frame in _current(dump))


def _alike(dumps: Sequence[str]) -> bool:
    return bool(dumps) and all(_current(dump) == _current(dumps[0]) for dump in dumps)


def _failure(scenario: str, attempt: int, dump: str, root: str) -> dict[str, Any]:
    head = _HEAD.match(dump + "\n")
    return {
        "e": E.FAILURE,
        "scenario": scenario,
        "attempt": attempt,
        "step": None,
        "when": "call",
        "cause": "crash",
        "chain": [
            {
                "type": "Fatal Python error",
                "message": head.group("what").strip() if head is not None else "",
                "module": "",
                "notes": [],
                "relation": None,
                "frames": [_frame(frame, root) for frame in reversed(_current(dump)[:MOST_FRAMES])],
            }
        ],
        "text": dump[:LONGEST],
    }


def _frame(frame: dict[str, Any], root: str) -> dict[str, Any]:
    below = own_path(frame["file"], root)
    return {
        **frame,
        "file": below or frame["file"],
        "own": bool(below),
        "code": source_line(frame["file"], frame["line"]) if below else "",
    }
