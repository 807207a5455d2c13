"""A box's followers while its line comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from tracekit.agent.client import Client
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.pipes import Opener
from tracekit.link.session import Session


class Line:
    """Takes what is said; while it does, other tasks go on."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.client = Client("console")
        self.said = 0
        self._meanwhile = meanwhile

    async def send(self, say: Callable[[Client], None]) -> None:
        say(self.client)
        self.said += 1
        await anyio.lowlevel.checkpoint()
        self._meanwhile()


@pytest.mark.parametrize("change", ["ends", "begins"])
def test_resume__a_run_ends_or_begins_meanwhile__then_all_others_are_attached(
    tmp_path: Path, change: str
) -> None:
    async def main() -> None:
        box = Box(cast("Opener", None), "console")
        followers = box._followers
        for number in range(3):
            view = RunView(f"01J0000000000000000000000{number}", "", tmp_path, link="reconnecting")
            followers[view.run_id] = Follower(view, lambda _: None)
        first, second, third = followers
        meanwhile: dict[str, Callable[[], Any]] = {
            "ends": lambda: followers.pop(first, None),
            "begins": lambda: followers.setdefault("another", followers[second]),
        }
        line = Line(meanwhile[change])
        views = [followers[run].view for run in (first, second, third)]
        await box._resume(cast("Session", line))
        assert (line.said, [view.link for view in views]) == (3, ["attached"] * 3)

    anyio.run(main)
