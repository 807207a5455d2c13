"""What a box sends is kept here while disks fill, while it lies, and while there is more of it than is taken."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from tests.support.cli import PATIENCE
from tests.support.sessions import RUN, Agents, ended, followed, piece
from tracekit.engine import box as box_module
from tracekit.engine import follow as follow_module
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.store.copies import Copy
from tracekit.wire.frames import FrameType, encode_frame
from tracekit.wire.messages import encode_message
from tracekit.wire.names import E
from tracekit.wire.problems import ProblemError


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
            # This box answers before it is asked: both have to be waiting for it, and each reads its files first.
            while len(box._attaches) < 2:
                await anyio.lowlevel.checkpoint()
            tasks.start_soon(box.serve)
            with anyio.fail_after(PATIENCE):
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
