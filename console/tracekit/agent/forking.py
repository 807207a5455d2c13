"""How the agent's processes come to be: forked without exec, so that they start at once and need no file again.

A forked child runs one body and exits, whatever happens in it: it must never run on in its parent's code.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable

from tracekit.agent.system import System, become_background, close_inherited


def fork(system: System, name: str, log: str, body: Callable[[], None], keep: Iterable[int] = ()) -> int:
    """Run `body` in a child of its own session; gives its pid. Of our descriptors it keeps only `keep`."""
    pid = os.fork()
    if pid:
        return pid
    try:
        become_background(log)
        close_inherited(keep)
        system.processes.set_name(name)
        body()
    except BaseException:  # noqa: BLE001 - see above
        report(log)
    finally:
        os._exit(0)


def orphan(system: System, name: str, log: str, body: Callable[[], None]) -> None:
    """The same in a process that belongs to nobody: its parent is gone before it begins."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        fork(system, name, log, body)
    finally:
        os._exit(0)


def report(log: str) -> None:
    """Keep what went wrong where a person can find it."""
    import traceback  # a process that does well never needs it

    with contextlib.suppress(OSError), open(log, "a", encoding="utf-8") as file:
        file.write(f"{time.time():.3f} pid {os.getpid()}\n{traceback.format_exc()}\n")
