"""A box's followers while its line comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from tracekit.agent.client import Client
from tracekit.agent.protocol import MARKER
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.pipes import Opener
from tracekit.link.session import Session
from tracekit.store.copies import Copy
from tracekit.wire.frames import FrameType, encode_frame
from tracekit.wire.lines import encode
from tracekit.wire.messages import encode_message
from tracekit.wire.names import E
from tracekit.wire.problems import Problem, ProblemError


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


class Agents:
    """A row of agents: each answers with its own bytes and is gone, or cannot be reached."""

    def __init__(self, *answers: bytes | Problem) -> None:
        self.opened = 0
        self.enough: Callable[[], bool] = bool
        self.seen = anyio.Event()
        self._answers = answers

    async def open(self) -> Agents:
        self.opened += 1
        if self.enough():
            self.seen.set()
        answer = self._answers[min(self.opened, len(self._answers)) - 1]
        if isinstance(answer, Problem):
            raise ProblemError(answer)
        self._said = answer
        return self

    async def receive(self, size: int) -> bytes:
        await anyio.lowlevel.checkpoint()
        said, self._said = self._said[:size], self._said[size:]
        if self.enough():
            self.seen.set()
        return said

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()

    async def close(self) -> None:
        await anyio.lowlevel.checkpoint()


RUN = "01J00000000000000000000000"
HELLO = MARKER + encode_message(FrameType.HELLO, {"major": 1, "minor": 0, "runs": []})


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


def followed(place: Path, agents: Agents, *, patience: int) -> RunView:
    """A run that is followed over so many sessions that each of them ends early."""
    view = RunView(RUN, "", place / "box7", link="connecting")

    async def main() -> None:
        copy = Copy(place / "box7")
        assert copy.claim()
        box = Box(agents, "console", name="box7", copying=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(box.serve)
            await box.follow(Follower(view, lambda _: agents.seen.set(), copy=copy), tasks)
            agents.enough = lambda: agents.opened >= patience or view.done.is_set()
            await agents.seen.wait()
            tasks.cancel_scope.cancel()

    anyio.run(main)
    return view


def test_follow__bytes_come_and_every_line_breaks_before_a_word__then_it_goes_on_trying(
    tmp_path: Path,
) -> None:
    agents = Agents(*(piece(at, b"x") for at in range(9)))
    view = followed(tmp_path, agents, patience=8)
    assert (view.link, agents.opened) == ("reconnecting", 8)


def test_follow__agent_fails_inside_itself__then_asked_again_before_the_run_is_given_up(
    tmp_path: Path,
) -> None:
    agents = Agents(piece(0, b"x"), refused("agent.internal"), refused("agent.internal"), piece(1, b"y"))
    assert followed(tmp_path, agents, patience=4).link == "reconnecting"
    agents = Agents(piece(0, b"x"), refused("agent.internal"))
    view = followed(tmp_path / "for good", agents, patience=20)
    assert (view.link, view.problem and view.problem.code, agents.opened) == ("lost", "agent.internal", 5)


def test_follow__box_cannot_be_reached_any_more__then_it_is_said_why_and_tried_on(tmp_path: Path) -> None:
    unreachable = Problem("ssh.unreachable", "no route", "box7", "look at the network")
    agents = Agents(piece(0, b"x"), unreachable)
    view = followed(tmp_path, agents, patience=6)
    assert (view.link, view.trouble, view.problem) == ("reconnecting", unreachable, None)
    view.mark("attached")
    assert view.trouble is None


def test_follow__another_key_than_before__then_nothing_more_is_said_to_it(tmp_path: Path) -> None:
    changed = Problem("ssh.host_key_changed", "it shows another key", "box7", "ask whoever runs it")
    agents = Agents(piece(0, b"x"), changed)
    view = followed(tmp_path, agents, patience=20)
    assert (view.link, view.problem, agents.opened) == ("lost", changed, 2)


def test_follow__agent_has_no_such_run_any_more__then_lost_at_once(tmp_path: Path) -> None:
    agents = Agents(piece(0, b"x"), refused("agent.unknown_run"))
    assert (followed(tmp_path, agents, patience=20).link, agents.opened) == ("lost", 2)


@pytest.mark.parametrize(
    ("major", "action"), [(2, "update tracekit here"), (0, "older console"), ("x", "older console")]
)
def test_reach__agent_of_another_version__then_both_are_named_with_what_to_do(
    major: object, action: str
) -> None:
    hello = {"major": major, "minor": 3, "runs": []}
    agents = Agents(MARKER + encode_message(FrameType.HELLO, hello))

    async def main() -> None:
        box = Box(agents, "console", name="box7", copying=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(box.serve)
            with pytest.raises(ProblemError) as refused:
                await box.reach()
            tasks.cancel_scope.cancel()
        problem = refused.value.first
        assert (problem.code, f"protocol {major}.3" in problem.what, "1.0" in problem.what) == (
            "box.other_version",
            True,
            True,
        )
        assert action in problem.action

    anyio.run(main)
    assert agents.opened == 1


@pytest.mark.parametrize("state", ["live", "ended"])
def test_follow__an_earlier_console_has_brought_everything__then_it_is_shown_without_another_byte(
    tmp_path: Path, state: str
) -> None:
    journal = b"".join(
        encode(
            {
                "v": 1,
                "n": n,
                "src": "box7/main/1-1",
                "t": n,
                "m": n,
                "run": RUN,
                "e": event,
                "scenario": "pytest:a::b",
            }
        )
        for n, event in enumerate((E.SCENARIO_FOUND, E.ATTEMPT_STARTED), 1)
    )
    (tmp_path / "box7").mkdir()
    (tmp_path / "box7" / "journal.ndjson").write_bytes(journal)
    told = {"run": RUN, "files": {"journal.ndjson": len(journal)}, "state": state, "reason": "finished"}
    agents = Agents(HELLO + encode_message(FrameType.LENGTHS, told))
    view = followed(tmp_path, agents, patience=3)
    assert view.folded == len(journal)
    assert view.state.ids == ["pytest:a::b"]
    assert view.link == ("ended" if state == "ended" else "reconnecting")


def test_follow__box_has_another_run_in_its_place__then_what_was_shown_first_goes(tmp_path: Path) -> None:
    def journal(count: int, name: str) -> bytes:
        return b"".join(
            encode({"v": 1, "n": n, "src": "box7/main/1-1", "t": n, "m": n, "run": RUN, "e": E.SCENARIO_FOUND,
                    "scenario": f"pytest:a::{name}{n}", "doc": "x" * 1000})
            for n in range(1, count + 1)
        )  # fmt: skip

    (tmp_path / "box7").mkdir()
    (tmp_path / "box7" / "journal.ndjson").write_bytes(journal(2000, "old"))
    theirs = journal(3000, "new")
    told = {"run": RUN, "files": {"journal.ndjson": len(theirs)}, "state": "live", "reason": ""}
    file = {
        "id": 1,
        "run": RUN,
        "name": "journal.ndjson",
        "kind": "append",
        "start": 0,
        "length": len(theirs),
    }
    said = HELLO + encode_message(FrameType.LENGTHS, told)
    said += encode_message(FrameType.FILE, {**file, "replaced": True})
    for at in range(0, len(theirs), 1 << 15):
        said += encode_frame(FrameType.DATA, theirs[at : at + (1 << 15)], file=1, offset=at)
    said += encode_message(FrameType.LENGTHS, {**told, "state": "ended", "reason": "finished"})
    view = followed(tmp_path, Agents(said, HELLO), patience=999)
    assert (view.link, view.folded, len(view.state.ids)) == ("ended", len(theirs), 3000)
    assert view.state.ids[0] == "pytest:a::new1"
    assert (tmp_path / "box7.old-1" / "journal.ndjson").read_bytes() == journal(2000, "old")


@pytest.mark.parametrize(("start", "sound"), [(0, True), (4, True), (5, False), (1 << 40, False)])
def test_copy__box_goes_on_behind_what_is_here__then_refused_and_nothing_grows(
    tmp_path: Path, start: int, sound: bool
) -> None:
    place = tmp_path / "box7"
    place.mkdir()
    (place / "journal.ndjson").write_bytes(b"1234")
    copy = Copy(place)
    copy.claim()
    if sound:
        copy.begin("journal.ndjson", start, replaced=False)
    else:
        with pytest.raises(ProblemError) as caught:
            copy.begin("journal.ndjson", start, replaced=False)
        assert caught.value.first.code == "box.odd_start"
    assert (place / "journal.ndjson").stat().st_size <= 4
    copy.close()
