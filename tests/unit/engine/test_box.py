"""A box's followers while its line comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from tests.support.sessions import HELLO, RUN, Agents, followed, piece, refused
from tracekit.agent.carry import MARKER
from tracekit.agent.client import Client
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.pipes import Opener
from tracekit.link.session import Session
from tracekit.wire.frames import FrameDecoder, FrameType, encode_frame
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
    tried = away(view)
    assert tried[1] > 1
    view.mark("reconnecting")
    assert away(view) == (tried[0], tried[1] + 1)
    view.mark("attached")
    assert view.trouble is None
    assert view.away is None


def away(view: RunView) -> tuple[int, int]:
    assert view.away is not None
    return view.away


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


def test_follow__bridge_says_what_is_the_matter_again_and_again__then_it_is_said_while_it_is_tried(
    tmp_path: Path,
) -> None:
    problems = [{"code": "agent.no_daemon", "what": "the disk there is full", "where": "", "action": "a"}]
    said = MARKER + encode_message(FrameType.ERROR, {"for": "bridge", "run": "", "problems": problems})
    view = followed(tmp_path, Agents(piece(0, b"x"), said), patience=4)
    assert view.trouble is not None
    assert (view.link, view.trouble.what) == ("reconnecting", "the disk there is full")


def test_follow__line_was_cut__then_the_run_is_asked_for_before_the_agent_has_greeted(tmp_path: Path) -> None:
    agents = Agents(piece(0, b"x"), piece(1, b"y"))
    followed(tmp_path, agents, patience=3)
    assert agents.early[0] == b""
    (frame,) = FrameDecoder().feed(agents.early[1])
    assert frame.type == FrameType.ATTACH
    assert json.loads(frame.payload)["files"]["journal.ndjson"]["length"] == 1


@pytest.mark.parametrize(("code", "longest"), [("ssh.needs_a_person", 60.0), ("ssh.refused", 2.0)])
def test_serve__line_does_not_come_back__then_a_login_is_tried_far_less_often_than_a_line(
    code: str, longest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    enough = anyio.Event()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) > 14:
            enough.set()
        await anyio.lowlevel.checkpoint()

    class Closed:
        async def open(self, _first: bytes) -> Any:
            raise ProblemError(Problem(code, "no", "box7", "mend it"))

    async def serve() -> None:
        box = Box(cast("Opener", Closed()), "c", name="box7")
        box._wanted.set()
        async with anyio.create_task_group() as tasks:
            box._greeted = True  # it was there before
            view = RunView(RUN, "", Path("/nowhere"), link="attached")
            box._followers[RUN] = Follower(view, lambda _: None)
            monkeypatch.setattr("anyio.sleep", sleep)
            tasks.start_soon(box.serve)
            await enough.wait()
            tasks.cancel_scope.cancel()

    anyio.run(serve)
    assert max(waited) == longest
    assert sorted(waited) == waited
