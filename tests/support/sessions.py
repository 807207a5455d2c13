"""A row of agents that a box finds, one for each session, and a run that is followed over all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from tracekit.agent.carry import MARKER
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.store.copies import Copy
from tracekit.wire.frames import FrameType, encode_frame
from tracekit.wire.messages import encode_message
from tracekit.wire.problems import Problem, ProblemError

RUN = "01J00000000000000000000000"
HELLO = MARKER + encode_message(FrameType.HELLO, {"major": 1, "minor": 0, "runs": []})


class Agents:
    """A row of agents: each answers with its own bytes and is gone, or cannot be reached."""

    def __init__(self, *answers: bytes | Problem) -> None:
        self.opened = 0
        self.early: list[bytes] = []
        self.enough: Callable[[], bool] = bool
        self.seen = anyio.Event()
        self._answers = answers

    async def open(self, early: bytes = b"") -> Agents:
        self.opened += 1
        self.early.append(early)
        if self.enough():
            self.seen.set()
        answer = self._answers[min(self.opened, len(self._answers)) - 1]
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        self._said = answer
        return self

    async def receive(self) -> Sequence[bytes]:
        await anyio.lowlevel.checkpoint()
        # A frame at a time: what is sound is heard, whatever comes behind it.
        length = len(MARKER) if self._said.startswith(MARKER) else 4 + int.from_bytes(self._said[:4], "big")
        said, self._said = self._said[:length], self._said[length:]
        if self.enough():
            self.seen.set()
        return [said] if said else []

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()


def refused(code: str) -> bytes:
    problems = [{"code": code, "what": "w", "where": "", "action": "a"}]
    return HELLO + encode_message(FrameType.ERROR, {"for": "ATTACH", "run": RUN, "problems": problems})


def piece(offset: int, data: bytes) -> bytes:
    told = {"id": 1, "run": RUN, "name": "journal.ndjson", "kind": "append", "start": offset, "length": 9}
    return (
        HELLO
        + encode_message(FrameType.FILE, told)
        + encode_frame(FrameType.DATA, data, file=1, offset=offset)
    )


def followed(
    place: Path, agents: Agents, *, patience: int, copy: Copy | None = None, facts: list[Any] | None = None
) -> RunView:
    """A run that is followed over so many sessions that each of them ends early."""
    view = RunView(RUN, "", place / "box7", link="connecting")

    async def main() -> None:
        kept = copy or Copy(place / "box7")
        assert kept.claim()
        box = Box(agents, "console", name="box7", copying=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(box.serve)
            told: list[Any] = facts if facts is not None else []

            def note(event: str, more: Any) -> None:
                told.append((event, dict(more)))

            await box.follow(Follower(view, lambda _: agents.seen.set(), note, kept), tasks)
            agents.enough = lambda: agents.opened >= patience or view.done.is_set()
            await agents.seen.wait()
            tasks.cancel_scope.cancel()

    anyio.run(main)
    return view


def ended(files: dict[str, int]) -> bytes:
    told = {"run": RUN, "files": files, "state": "ended", "reason": "finished"}
    return encode_message(FrameType.LENGTHS, told)
