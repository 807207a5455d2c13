"""What a silent test waits for, where its stack says so: a person at a debugger's prompt, or a line of input.

It reads the frames, and the line of source that the innermost one is at; it asks nobody.
"""

from __future__ import annotations

import linecache
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

INPUT, DEBUGGER = "input", "debugger"
#: So far from the innermost frame a prompt's own frames reach.
NEAR = 12
_PROMPTS = {
    "pdb.py": frozenset({"interaction", "_cmdloop", "cmdloop", "set_trace", "user_line"}),
    "bdb.py": frozenset({"set_trace", "dispatch_line", "trace_dispatch"}),
    "cmd.py": frozenset({"cmdloop"}),
    "code.py": frozenset({"interact", "raw_input"}),
}
_REMOTE = re.compile(r"[/\\](?:debugpy|pydevd|_pydevd_bundle|rpdb|remote_pdb)[/\\.]")
_FOREIGN = re.compile(r"/(?:site-packages|dist-packages|\.[^/]+|venv|node_modules)/")
_READS = re.compile(r"(?<![\w.])input\s*\(|\bstdin\s*\.\s*(?:buffer\s*\.\s*)?read")


def own_path(file: str, root: str) -> str:
    """A file of the project's own, from its root; empty for any other."""
    below = os.path.relpath(file, root) if root and os.path.isabs(file) else os.pardir
    return "" if below.startswith(os.pardir) or _FOREIGN.search(f"/{below}") else below


def place_of(stacks: Sequence[Mapping[str, Any]], root: str) -> str:
    """`function (file:line)` of the innermost frame in the project's own code; empty where there is none."""
    ordered = sorted(stacks, key=lambda stack: not stack.get("current"))
    for stack in ordered:
        frames = stack.get("frames")
        for frame in frames if isinstance(frames, list) else ():
            below = own_path(str(frame.get("file", "")), root)
            if below:
                return f"{frame.get('function')} ({below}:{frame.get('line')})"
    return ""


def waits_for(stacks: Sequence[Mapping[str, Any]]) -> str:
    """`input`, `debugger`, or empty where the thread that runs the test does something else."""
    current = next((stack for stack in stacks if stack.get("current")), None)
    frames = current.get("frames") if current is not None else None
    if not isinstance(frames, list) or not frames:
        return ""
    for frame in frames[:NEAR]:
        file = str(frame.get("file", ""))
        if _REMOTE.search(file) or frame.get("function") in _PROMPTS.get(os.path.basename(file), ()):
            return DEBUGGER
    innermost = frames[0]
    line = source_line(str(innermost.get("file", "")), int(innermost.get("line") or 0))
    return INPUT if _READS.search(line) else ""


def source_line(file: str, line: int) -> str:
    """A line of source as it stands now: an agent lives for longer than a file stays the same."""
    linecache.checkcache(file)
    return linecache.getline(file, line).strip()
