"""What a console takes back of what it asked a box, when it leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import anyio

from tracekit.agent.client import Client
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.pipes import Opener
from tracekit.link.session import Session


class Line:
    """Notes how often something was said."""

    said = 0

    async def send(self, _say: Callable[[Client], None]) -> None:
        self.said += 1


def test_call_off__agent_may_have_heard_of_the_run_or_never_did__then_waited_for_it_or_not(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        box = Box(cast("Opener", None), "console")
        await box.call_off("01J00000000000000000000000")  # nobody answers: whoever waits here waits for ever
        view = RunView("01J00000000000000000000001", "", tmp_path, link="reconnecting")
        box._followers[view.run_id] = Follower(view, lambda _: None)
        line = Line()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(box.call_off, view.run_id)
            await anyio.wait_all_tasks_blocked()
            box._session = cast("Session", line)
            box._ready.set()
        assert line.said == 1

    anyio.run(main)
