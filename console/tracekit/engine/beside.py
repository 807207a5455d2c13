"""A run that another console of this machine is bringing here: read as it grows, and brought on when that one goes.

A copy has one writer. Whoever comes second reads the same files, and asks for the lock now and then; it writes nothing
before it holds it.
"""

from __future__ import annotations

import anyio
from anyio.abc import TaskGroup

from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.store.copies import Copy
from tracekit.wire.problems import ProblemError

_LOOK = 0.1


def beside(follower: Follower, copy: Copy, box: Box, tasks: TaskGroup) -> None:
    """Follow a run in the files that another console writes."""
    tasks.start_soon(_beside, follower, copy, box, tasks)


async def _beside(follower: Follower, copy: Copy, box: Box, tasks: TaskGroup) -> None:
    view = follower.view
    view.mark("attached")
    while True:
        follower.read_on()
        try:
            if copy.claim():
                # It is done, or it is gone. What is here may end in half a line, or want its last output: the box
                # knows, or has let go of the run because everything is here.
                await box.follow(follower, tasks)
                return
        except ProblemError as fault:
            view.mark("lost", fault.first)
            return
        await anyio.sleep(_LOOK)
