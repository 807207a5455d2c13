"""A run of this machine that is begun before the engine is loaded: its tests start while that goes on.

The same plan, run directory and message as of a launch through the engine, said into the bridge that was started early.
The engine finds the run begun, hears the agent's answer to it, and says it again only where the bridge was lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracekit.agent.carry import base_of
from tracekit.agent.client import Client
from tracekit.engine.plan import Planned, plan_of
from tracekit.store.runs import RunFolder, RunStore

if TYPE_CHECKING:
    from tracekit.engine.places import Places
    from tracekit.engine.requests import Launch
    from tracekit.link.bridge import Bridge


class Begun(NamedTuple):
    """A run that the agent has been asked for, and the console in whose name that was done."""

    planned: Planned
    folder: RunFolder
    console: str


def begin(bridge: Bridge, request: Launch, places: Places) -> Begun | None:
    """Begin what the request names; None where only the engine can, as what must be found first.

    Raises ProblemError before anything is started when it cannot be run.
    """
    if request.selectors or "," in request.environment or not _ours(bridge, places):
        return None
    planned = plan_of(request, places, request.ids or None)
    if planned.environment is not None:
        return None
    console = places.console_name()
    folder = RunStore(places.state).create(planned.run_id, planned.facts(console))
    client = Client(console)
    client.start(planned.message(folder.path, console))
    bridge.say(client.take())
    return Begun(planned, folder, console)


def _ours(bridge: Bridge, places: Places) -> bool:
    """Whether a daemon that is there is of our own agent: what another version has to be told, its first word says."""
    try:
        note = (Path(base_of(str(places.state))) / "daemon.json").read_text("ascii")
    except (OSError, ValueError):
        return True
    return f'"agent":"{bridge.agent}"' in note
