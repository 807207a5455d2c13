"""Brings an exception of the server's process into the client's: type, message, and where it passed."""

from __future__ import annotations

import builtins
import traceback
from pathlib import Path
from types import CodeType, FunctionType, TracebackType
from typing import Any

HERE = Path(__file__).parent
PLAIN = (int, float, str, bool)


class RemoteError(Exception):
    """An exception of the server's whose type the client does not know."""


def describe(error: BaseException) -> dict[str, Any]:
    """The exception as the server puts it into an answer: the shop's own code only, with its plain values."""
    frames = []
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if (file := Path(code.co_filename)).parent == HERE:
            place = {
                "file": file.name,
                "line": line,
                "function": code.co_qualname,
                "first": code.co_firstlineno,
            }
            frames.append({**place, "values": {k: v for k, v in frame.f_locals.items() if type(v) in PLAIN}})
    return {"type": type(error).__name__, "message": str(error), "frames": frames}


def rebuild(told: dict[str, Any]) -> Exception:
    """The exception as if it had been raised here, with a traceback that leads into the server's code."""
    kind = getattr(builtins, told["type"], None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        error: Exception = kind(told["message"])
    else:
        error = RemoteError(f"{told['type']}: {told['message']}")
    try:
        _walk(told["frames"], error)
    except type(error) as raised:
        return raised.with_traceback(_without_this_file(raised.__traceback__))
    return error


def _walk(frames: list[dict[str, Any]], error: Exception) -> None:
    # A traceback tells the places of code that ran: a function is made for each place, and calls the next.
    if not frames:
        return
    place, rest = frames[0], frames[1:]
    body = "\n" * (place["line"] - place["first"]) + (" _onward()" if rest else " raise _error")
    source = f"def _({', '.join(place['values'])}):{body}"
    made = compile(source, str(HERE / place["file"]), "exec")
    (code,) = (part for part in made.co_consts if isinstance(part, CodeType))
    function: str = place["function"]
    name = function.rpartition(".")[2]
    code = code.replace(co_name=name, co_qualname=function, co_firstlineno=place["first"])
    FunctionType(code, {"_onward": lambda: _walk(rest, error), "_error": error})(**place["values"])


def _without_this_file(trace: TracebackType | None) -> TracebackType | None:
    if trace is None:
        return None
    rest = _without_this_file(trace.tb_next)
    if trace.tb_frame.f_code.co_filename == __file__:
        return rest
    return TracebackType(rest, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
