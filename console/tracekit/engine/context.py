"""What the parts of the engine share on its loop: places, boxes, history, the task group, this console's name."""

from __future__ import annotations

from typing import NamedTuple

from anyio.abc import TaskGroup

from tracekit.engine.boxes import Boxes
from tracekit.engine.history import History
from tracekit.engine.places import Places
from tracekit.store.runs import RunStore


class Context(NamedTuple):
    """Handed to every part that starts or follows runs."""

    places: Places
    store: RunStore
    boxes: Boxes
    history: History
    tasks: TaskGroup
    console: str
