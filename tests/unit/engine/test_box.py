"""A box's followers while its line comes back."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from tracekit.agent.carry import MARKER
from tracekit.agent.client import Client
from tracekit.engine import box as box_module
from tracekit.engine import follow as follow_module
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.pipes import Opener
from tracekit.link.session import Session
from tracekit.store.copies import Copy
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


BLOB = "blobs/" + hashlib.blake2b(b"what it is", digest_size=32).hexdigest()


def blob(data: bytes, told: str = BLOB, number: int = 2) -> bytes:
    file = {"id": number, "run": RUN, "name": told, "kind": "append", "start": 0, "length": len(data)}
    return encode_message(FrameType.FILE, file) + encode_frame(FrameType.DATA, data, file=number)


def ended(files: dict[str, int]) -> bytes:
    told = {"run": RUN, "files": files, "state": "ended", "reason": "finished"}
    return encode_message(FrameType.LENGTHS, told)


class Full(Copy):
    """The copy on a disk that takes so many more bytes, until somebody frees it."""

    free = 0
    refusals = 0
    freed_after = 1 << 30

    def write(self, name: str, offset: int, *pieces: bytes) -> bool:
        if self.refusals < self.freed_after and sum(map(len, pieces)) > self.free:
            self.refusals += 1
            raise ProblemError(self._unwritable(OSError(28, "No space left on device")))
        return super().write(name, offset, *pieces)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_module, "_LONGEST_RETRY", 0.01)


@pytest.mark.usefixtures("impatient")
def test_follow__disk_here_is_full_for_a_while__then_said_and_tried_until_it_is_not(tmp_path: Path) -> None:
    copy = Full(tmp_path / "box7")
    copy.freed_after = 9
    end = ended({"journal.ndjson": 1})
    view = followed(tmp_path, Agents(piece(0, b"x") + end), patience=99, copy=copy)
    assert (view.link, view.trouble, view.problem, copy.refusals) == ("ended", None, None, 9)


@pytest.mark.usefixtures("impatient")
def test_follow__disk_here_stays_full__then_given_up_in_words_and_another_attach_goes_on(
    tmp_path: Path,
) -> None:
    copy = Full(tmp_path / "box7")
    agents = Agents(piece(0, b"x"))
    view = followed(tmp_path, agents, patience=99, copy=copy)
    assert view.problem is not None
    assert (view.link, view.problem.code, agents.opened) == ("lost", "store.copy", 15)
    assert "free space there" in view.problem.action
    assert f"tracekit attach {RUN}" in view.problem.action
    again = followed(tmp_path, Agents(piece(0, b"x") + ended({"journal.ndjson": 1})), patience=99)
    assert (again.link, (tmp_path / "box7" / "journal.ndjson").read_bytes()) == ("ended", b"x")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("said", "code", "tries"),
    [
        (blob(b"something else"), "box.bad_blob", 4),
        (blob(b"what it is") + encode_frame(FrameType.DATA, b"more", file=2, offset=10), "box.gap", 4),
        (encode_frame(FrameType.DATA, b"x", file=9), "box.odd_talk", 4),
        (b"no frame at all, and rather long", "box.odd_talk", 4),
    ],
)
def test_follow__box_says_the_same_nonsense_again_and_again__then_given_up_and_what_came_stands(
    tmp_path: Path, said: bytes, code: str, tries: int
) -> None:
    agents = Agents(piece(0, b"x") + said, piece(1, b"") + said)
    view = followed(tmp_path, agents, patience=99)
    assert view.problem is not None
    assert (view.link, view.problem.code, bool(view.problem.action)) == ("lost", code, True)
    assert agents.opened in {tries, tries + 1}
    assert (tmp_path / "box7" / "journal.ndjson").read_bytes() == b"x"


class Staying(Agents):
    """Stays on the line when all is said."""

    async def receive(self) -> Sequence[bytes]:
        if not (pieces := await super().receive()):
            await anyio.sleep_forever()
        return pieces


@pytest.mark.usefixtures("impatient")
def test_follow__one_run_cannot_be_kept__then_another_of_the_same_box_goes_on(tmp_path: Path) -> None:
    other = "01J00000000000000000000009"
    file = {"id": 7, "run": other, "name": "journal.ndjson", "kind": "append", "start": 0, "length": 2}
    told = {"run": other, "files": {"journal.ndjson": 2}, "state": "ended", "reason": "finished"}
    rest = encode_message(FrameType.FILE, file) + encode_frame(FrameType.DATA, b"yz", file=7)
    agents = Staying(
        piece(0, b"x" * 5000) + encode_message(FrameType.LENGTHS, {**told, "state": "live"}) + rest
        + encode_message(FrameType.LENGTHS, told)
    )  # fmt: skip

    async def main() -> list[RunView]:
        views: list[RunView] = []
        over = anyio.Event()

        def ended_too(_: Follower) -> None:
            if all(view.done.is_set() for view in views):
                over.set()

        box = Box(agents, "console", name="box7", copying=True)
        async with anyio.create_task_group() as tasks:
            for run, most in ((RUN, 5000), (other, 1 << 20)):
                view = RunView(run, "", tmp_path / run / "box7", link="connecting")
                kept = Copy(view.box_dir, most)
                view.box_dir.parent.mkdir()
                assert kept.claim()
                tasks.start_soon(box.follow, Follower(view, ended_too, copy=kept), tasks)
                views.append(view)
            await anyio.lowlevel.checkpoint()
            tasks.start_soon(box.serve)
            await over.wait()
            tasks.cancel_scope.cancel()
        return views

    first, second = anyio.run(main)
    assert first.problem is not None
    assert (first.link, first.problem.code, second.link) == ("lost", "box.quota", "ended")
    assert (agents.opened, (second.box_dir / "journal.ndjson").read_bytes()) == (1, b"yz")


class Quick(Agents):
    """Says all of an answer at once, in pieces as a line carries them."""

    async def receive(self) -> Sequence[bytes]:
        await anyio.lowlevel.checkpoint()
        said, self._said = self._said, b""
        if self.enough():
            self.seen.set()
        return [said[at : at + 32768] for at in range(0, len(said), 32768)]


def flooded(data: bytes, start: int = 0) -> bytes:
    told = {"id": 2, "run": RUN, "name": "output.bin", "kind": "append", "start": start, "length": len(data)}
    frames = [
        encode_frame(FrameType.DATA, data[at : at + 60_000], file=2, offset=at)
        for at in range(start, len(data), 60_000)
    ]
    return encode_message(FrameType.FILE, told) + b"".join(frames)


class Watched(Copy):
    """The copy of one who asks, while output is written, whether the loop goes on."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.written: list[tuple[str, int, bool]] = []
        self.loop: Callable[[], object] = bool

    def write(self, name: str, offset: int, *pieces: bytes) -> bool:
        beside = threading.current_thread() is not threading.main_thread()
        if beside:
            self.loop()
        self.written.append((name, offset, beside))
        return super().write(name, offset, *pieces)


def test_follow__much_output_comes__then_it_is_written_beside_the_loop_and_nothing_overtakes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_module, "_BESIDE", True)
    data = os.urandom(5_000_000)
    tail = encode_frame(FrameType.DATA, b"yz", file=1, offset=1)
    end = ended({"journal.ndjson": 3, "output.bin": len(data)})
    copy = Watched(tmp_path / "box7")
    copy.loop = lambda: anyio.from_thread.run(anyio.lowlevel.checkpoint)
    view = followed(tmp_path, Quick(piece(0, b"x") + flooded(data) + tail + end), patience=99, copy=copy)
    assert (view.link, view.problem) == ("ended", None)
    assert (tmp_path / "box7" / "output.bin").read_bytes() == data
    names = [name for name, _, _ in copy.written]
    assert (names[0], names[-1], set(names[1:-1])) == ("journal.ndjson", "journal.ndjson", {"output.bin"})
    assert {beside for name, _, beside in copy.written if name == "journal.ndjson"} == {False}
    offsets = [at for name, at, _ in copy.written if name == "output.bin"]
    assert offsets == sorted(offsets)
    assert any(beside for _, _, beside in copy.written)


class Small(Copy):
    """The copy on a disk that takes so many bytes of a call, and none for a while."""

    room = 1_000_000
    refusals = 0

    def _append(self, descriptor: int, file: Any, pieces: Sequence[bytes]) -> None:
        data = b"".join(pieces)
        if self.refusals < 5 and len(data) > self.room:
            self.refusals += 1
            super()._append(descriptor, file, [data[: self.room]])
            self.room = 0
            raise OSError(28, "No space left on device")
        super()._append(descriptor, file, pieces)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("beside", [True, False])
def test_follow__disk_here_is_full_amid_much_output__then_what_was_written_stands_and_the_rest_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    monkeypatch.setattr(follow_module, "_BESIDE", beside)
    data = os.urandom(5_000_000)

    class Resuming(Quick):
        """Goes on where the copy ends."""

        async def open(self, early: bytes = b"") -> Agents:
            path = tmp_path / "box7" / "output.bin"
            start = path.stat().st_size if path.exists() else 0
            end = ended({"journal.ndjson": 1, "output.bin": len(data)})
            self._answers = (piece(0, b"x") + flooded(data, start) + end,)
            return await super().open(early)

    copy = Small(tmp_path / "box7")
    copy.room = 1_000_000
    view = followed(tmp_path, Resuming(), patience=99, copy=copy)
    assert (view.link, view.trouble, view.problem, copy.refusals) == ("ended", None, None, 5)
    assert (tmp_path / "box7" / "output.bin").read_bytes() == data


def test_follow__box_sends_more_output_than_is_taken__then_the_journal_goes_on_and_it_is_said(
    tmp_path: Path,
) -> None:
    output = {"id": 2, "run": RUN, "name": "output.bin", "kind": "append", "start": 0, "length": 100_000}
    flood = encode_message(FrameType.FILE, output)
    for at in range(0, 100_000, 10_000):
        flood += encode_frame(FrameType.DATA, b"o" * 10_000, file=2, offset=at)
    tail = encode_frame(FrameType.DATA, b"j" * 500, file=1, offset=1)
    said = piece(0, b"x") + flood + tail + ended({"journal.ndjson": 501, "output.bin": 100_000})
    facts: list[Any] = []
    view = followed(tmp_path, Agents(said), patience=99, copy=Copy(tmp_path / "box7", 60_000), facts=facts)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "box7").iterdir()}
    assert (sizes["journal.ndjson"], sizes["output.bin"]) == (501, 40_000)
    assert view.problem is not None
    assert (view.link, view.problem.code) == ("ended", "box.quota")
    assert "not whole: output" in view.problem.what
    assert "copy_size" in view.problem.action
    assert [more for event, more in facts if event == E.GAP] == [
        {"what": "output.bin", "why": "quota", "kinds": ["output"]}
    ]


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
