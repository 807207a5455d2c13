"""The heap of a process that only collects: it grows until everything is told, and then the process goes.

Tens of thousands of collected tests are millions of objects. To look through them for garbage again and again finds
next to nothing, and to take them apart one by one at the end takes a third of the whole. This is for discovery alone:
where tests run, what is freed when is theirs.
"""

from __future__ import annotations

import gc
from typing import Any, Iterator

import pytest

#: Objects that are added before a look. Whatever garbage a project makes while it is imported is still found.
ADDED_BEFORE_A_LOOK = 50_000


class Growing:
    """Few looks while pytest collects, and none at what was collected behind that."""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Iterator[None]:
        before = gc.get_threshold()
        # A project that never has them looks for itself has its reasons, and keeps what it says.
        raised = gc.isenabled() and 0 < before[0] < ADDED_BEFORE_A_LOOK
        if raised:
            gc.set_threshold(ADDED_BEFORE_A_LOOK, *before[1:])
        within = gc.get_threshold()
        yield
        if raised and gc.get_threshold() == within:
            gc.set_threshold(*before)
        gc.freeze()


def spare(config: Any) -> None:
    """Have this process keep its heap as it grows; nothing where the interpreter has no such heap."""
    if hasattr(gc, "freeze"):
        config.pluginmanager.register(Growing(), "tracekit-heap")
