"""The tasks of event loops as text, behind the stacks of the threads: where each of them waits.

It is called from the background thread while a test hangs, reads what asyncio itself keeps, and never imports it.
"""

from __future__ import annotations

import sys
from typing import Any, List

#: The last line of an answer, whether there are tasks or not.
END = "End"
MOST_TASKS = 200
MOST_FRAMES = 50


def text() -> str:
    """Every task that is not done, its frames the innermost first, in the fault handler's own form."""
    lines: List[str] = []
    try:
        for task in _tasks()[:MOST_TASKS]:
            lines.append(f"Task [{_line(task.get_name())}] {_line(_name(task.get_coro()))}")
            lines += [
                f'  File "{_line(frame.f_code.co_filename)}", line {line} in {_line(frame.f_code.co_name)}'
                for frame, line in reversed(_frames(task.get_coro()))
            ]
    except Exception as error:
        lines.append(f"no tasks: {type(error).__name__}")
    return "\n".join([*lines, END, ""])


def _tasks() -> List[Any]:
    module: Any = sys.modules.get("asyncio.tasks")
    if module is None:
        return []
    known: Any = getattr(module, "_all_tasks", None)
    if known is None:
        known = getattr(module, "_scheduled_tasks", ())
    for _ in range(10):
        try:
            found = list(known)
        except RuntimeError:  # another thread made a task meanwhile
            continue
        return sorted((task for task in found if not task.done()), key=lambda task: str(task.get_name()))
    return []


def _frames(coroutine: Any) -> List[Any]:
    """From the coroutine that the task runs down to what it awaits."""
    frames: List[Any] = []
    while coroutine is not None and len(frames) < MOST_FRAMES:
        frame = next(
            (
                getattr(coroutine, name)
                for name in ("cr_frame", "gi_frame", "ag_frame")
                if getattr(coroutine, name, None) is not None
            ),
            None,
        )
        if frame is None:
            break
        frames.append((frame, frame.f_lineno))
        coroutine = next(
            (
                getattr(coroutine, name)
                for name in ("cr_await", "gi_yieldfrom", "ag_await")
                if getattr(coroutine, name, None) is not None
            ),
            None,
        )
    return frames


def _name(coroutine: Any) -> str:
    return str(getattr(coroutine, "__qualname__", None) or type(coroutine).__name__)


def _line(said: object) -> str:
    """One line of it, and no more than a line holds."""
    return str(said).replace("\n", " ").replace("\r", " ")[:500]
