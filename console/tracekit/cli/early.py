"""The way to this machine's agent, begun before a command has read what it is to do: both load at the same time.

Nothing is started on behalf of a run before its configuration is known: until then the other side only loads. A run
that needs no more than that is begun then, and everything that follows it is loaded beside its tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracekit.engine.ahead import Begun
    from tracekit.engine.places import Places
    from tracekit.engine.requests import Launch
    from tracekit.link.bridge import Bridge


@contextmanager
def bridge(environment: str | None) -> Iterator[Bridge | None]:
    """A bridge that waits to be needed; None where another environment is named, or no agent has been built yet.

    What goes wrong inside lets it go.
    """
    found = _waiting() if environment is None else None
    try:
        yield found
    except BaseException:
        if found is not None:
            found.drop()
        raise


def run(bridge: Bridge, request: Launch, places: Places) -> Begun | None:
    """Begin a run before the engine is loaded, where that can be; raises ProblemError when it cannot be run at all.

    Its own signals are caught by then: whoever wants to leave meanwhile finds a run that can be cancelled.
    """
    try:
        from tracekit.engine.ahead import begin

        return begin(bridge, request, places)
    except BaseException:
        bridge.drop()
        raise


def idle() -> float | None:
    """How long an agent without work stays, where somebody said so."""
    told = os.environ.get("TRACEKIT_AGENT_IDLE")
    return float(told) if told and told.isdecimal() else None


def _waiting() -> Bridge | None:
    from pathlib import Path

    from tracekit.config import paths
    from tracekit.link.bridge import Bridge
    from tracekit.wire.problems import ProblemError

    try:
        return Bridge.waiting(
            Path(paths.state_dir(os.environ)), Path(paths.cache_dir(os.environ)), idle=idle()
        )
    except (ProblemError, OSError):
        # What is the matter is said where it is asked for in earnest.
        return None
