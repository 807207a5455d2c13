"""What the parts of the engine share on its loop: places, boxes, history, the task group, this console's name."""

from __future__ import annotations

from dataclasses import dataclass

from anyio.abc import TaskGroup

from tracekit.engine.boxes import Boxes
from tracekit.engine.history import History
from tracekit.engine.places import Places
from tracekit.store.runs import RunStore


@dataclass(frozen=True, slots=True)
class Context:
    """Handed to every part that starts or follows runs."""

    places: Places
    store: RunStore
    boxes: Boxes
    history: History
    tasks: TaskGroup
    console: str
