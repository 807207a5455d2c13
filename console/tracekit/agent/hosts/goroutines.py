"""What a program of Go prints when it is told to quit: where each of its goroutines is."""

from __future__ import annotations

import re
from typing import Any

_HEAD = re.compile(r"^goroutine (?P<number>\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[(?P<state>[^\]]*)\]:$")
_CALL = re.compile(r"^(?:created by )?(?P<function>\S.*?)(?:\([^()]*\)| in goroutine \d+)?$")
_PLACE = re.compile(r"^\t(?P<file>.+):(?P<line>\d+)(?: \+0x[0-9a-f]+)?(?: fp=\S+ sp=\S+ pc=\S+)?$")
_RUNTIME = re.compile(r"(?:internal/)?runtime[./]")
_MOST, _FRAMES = 200, 48


def parse(text: str, test: str) -> list[dict[str, Any]]:
    """The goroutines with their frames, the innermost first; the one that runs the test stands before the others."""
    found: list[dict[str, Any]] = []
    function = ""
    for line in text.splitlines():
        head = _HEAD.match(line)
        if head is not None:
            name = f"goroutine {head.group('number')} [{head.group('state')}]"
            found.append({"thread": head.group("number"), "name": name, "current": False, "frames": []})
            function = ""
            continue
        if not found or not line:
            function = ""
            continue
        place = _PLACE.match(line)
        if place is None:
            call = _CALL.match(line)
            function = call.group("function") if call is not None else ""
        elif function:
            frame = {"file": place.group("file"), "line": int(place.group("line")), "function": function}
            if len(found[-1]["frames"]) < _FRAMES:
                found[-1]["frames"].append(frame)
            # The test's own function, or a part of it that was written within.
            own = re.search(rf"\.{re.escape(test)}(?:\.func[\d.]+)?$", function) if test else None
            found[-1]["current"] = found[-1]["current"] or own is not None
            function = ""
    # Those of the runtime itself say nothing of the program.
    told = [one for one in found if any(not _RUNTIME.match(frame["function"]) for frame in one["frames"])][
        :_MOST
    ]
    return sorted(told, key=lambda one: not one["current"])
