"""Packed runs: they read as they did, and whatever happens while one is packed, nothing of it is lost."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.golden import folded
from tests.unit.store.conftest import Recorded
from tracekit.agent.recording import Batch, Recording
from tracekit.agent.redact import Redactor
from tracekit.agent.system import Files, System
from tracekit.engine.history import History, open_path
from tracekit.engine.recovering import recover_at
from tracekit.engine.view import RunView
from tracekit.model.state import OutputSpan
from tracekit.report import files as report_files
from tracekit.report.files import export, export_bundle
from tracekit.store import bundle, checkpoints, packing
from tracekit.store import recorded as seam
from tracekit.store.copies import Copy
from tracekit.store.packing import clear, pack, plain_bytes, unpack
from tracekit.store.recovery import recover
from tracekit.store.runs import RunFolder, RunStore
from tracekit.store.tracing import Trace
from tracekit.store.verify import verify
from tracekit.wire import lines
from tracekit.wire.problems import Problem, ProblemError

OUTPUT = b"".join(b"%06d connected, all is well\n" % number for number in range(20_000))
STEPS = Path(__file__).resolve().parents[2] / "support" / "packed_until.py"


def names(folder: RunFolder) -> list[str]:
    return sorted(path.name for path in folder.box_dir.iterdir())


def packed_now(folder: RunFolder) -> int:
    return pack(folder.box_dir, Files(), smallest=0)


PACKED = ["journal.ndjson.zst", "output.bin.zst"]
PLAIN = ["journal.ndjson", "output.bin"]


@pytest.fixture
def folder(recorded: Recorded) -> RunFolder:
    return recorded(output=OUTPUT)


def told(folder: RunFolder, base: Path) -> dict[str, object]:
    """Every way to one run."""
    store = RunStore(folder.path.parents[1])
    base.mkdir()
    view = History(store).open(folder)
    export_bundle(folder, str(base / "run.bundle"))
    for form in ("junit", "ctrf", "json"):
        export(open_path(folder.path), form, str(base / form))
    checked = verify(folder)
    return {
        "opened": folded(view),
        "by path": folded(open_path(folder.path)),
        "by box": folded(open_path(folder.box_dir)),
        "by journal": folded(open_path(next(folder.box_dir.glob("journal.ndjson*")))),
        "summary": [History(store).summary(folder).counts, view.folded],
        "results": History(store).results(folder),
        "files": {path.name: path.read_bytes() for path in base.iterdir()},
        "verify": [checked.journal_lines, checked.output_bytes, checked.ended, checked.problems],
        "recover": recover_at(store, folder.run_id, {})[1],
    }


def test_pack__then_every_way_to_the_run_gives_the_same(folder: RunFolder, tmp_path: Path) -> None:
    before = told(folder, tmp_path / "before")
    weight = folder.disk_bytes()
    freed = packed_now(folder)
    assert names(folder) == PACKED
    assert weight - folder.disk_bytes() == freed > len(OUTPUT) // 2
    assert told(folder, tmp_path / "after") == before
    assert names(folder) == PACKED


def test_pack__checkpoint_of_the_plain_journal__then_it_fits_the_packed_one(
    folder: RunFolder, store: RunStore
) -> None:
    view = History(store).open(folder)
    checkpoints.save(folder, *view.checkpoint())
    packed_now(folder)
    held = checkpoints.load(folder)
    assert held is not None
    assert held[1] == view.folded
    unpack(folder.box_dir, Files())
    folder.journal.write_bytes(folder.journal.read_bytes().replace(b'"d":5', b'"d":6'))
    packed_now(folder)
    assert checkpoints.load(folder) is None


def test_pack__small_files__then_they_stay_as_they_are(recorded: Recorded) -> None:
    folder = recorded(output=b"hello")
    assert plain_bytes(folder.box_dir) == 0
    assert pack(folder.box_dir, Files()) == 0
    assert names(folder) == PLAIN


def test_pack__empty_files__then_read_as_empty(recorded: Recorded) -> None:
    folder = recorded(output=b"")
    packed_now(folder)
    assert seam.size(folder.box_dir / "output.bin") == 0
    (folder.box_dir / "output.bin").write_bytes(b"")
    packed_now(folder)
    assert names(folder)[0] == PACKED[0]
    assert verify(folder).problems == []


def test_unpacking__any_seek_and_read__then_as_the_plain_file(folder: RunFolder) -> None:
    packed_now(folder)
    chance = random.Random(4711)
    plain = io.BytesIO(OUTPUT)
    with seam.opened(folder.box_dir / "output.bin") as packed:
        for _ in range(200):
            offset, length = chance.randrange(len(OUTPUT) + 10), chance.randrange(100_000)
            assert packed.seek(offset) == plain.seek(offset)
            assert packed.read(length) == plain.read(length)
            assert packed.readline() == plain.readline()
            assert packed.tell() == plain.tell()


@pytest.mark.parametrize("in_memory", [0, 1 << 30])
def test_view__output_anywhere_and_again__then_unpacked_once(
    folder: RunFolder, store: RunStore, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    packed_now(folder)
    view = History(store).open(folder)
    begun: list[str] = []
    real = seam.Unpacking.__init__

    def counted(self: seam.Unpacking, path: Path) -> None:
        begun.append(path.name)
        real(self, path)

    monkeypatch.setattr(seam.Unpacking, "__init__", counted)
    monkeypatch.setattr(seam, "_IN_MEMORY", in_memory)
    chance = random.Random(4711)
    for _ in range(50):
        offset, length = chance.randrange(len(OUTPUT)), chance.randrange(5000)
        assert window(view, offset, length) == OUTPUT[offset : offset + length]
    assert begun == ["output.bin.zst"]
    assert names(folder) == PACKED


def window(view: RunView, offset: int, length: int) -> bytes:
    return view.output([OutputSpan("", offset, length, True, None, 0)])


def test_view__no_room_to_unpack__then_said_and_nothing_made_up(
    folder: RunFolder, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed_now(folder)
    monkeypatch.setattr(seam, "_IN_MEMORY", 0)
    monkeypatch.setattr(seam, "free_space", lambda _: 1000)
    view = History(store).open(folder)
    assert window(view, 0, 5) == b""
    assert view.problem is not None
    assert "no room to unpack" in view.problem.what
    assert view.problem.action


def test_view__packed_while_it_is_open__then_it_reads_on(folder: RunFolder, store: RunStore) -> None:
    view = History(store).open(folder)
    with view.journal() as journal:
        first = journal.readline()
        assert window(view, 0, 6) == OUTPUT[:6]
        packed_now(folder)
        assert window(view, 6, 100) == OUTPUT[6:106]
        rest = journal.read()
    with view.journal() as journal:
        assert journal.read() == first + rest
    unpack(folder.box_dir, Files())
    assert window(view, 106, 9) == OUTPUT[106:115]


# -- nothing is lost


def ended_after(folder: RunFolder, step: int) -> int:
    command = [sys.executable, str(STEPS), str(folder.box_dir), str(step)]
    return subprocess.run(command, check=False, cwd=STEPS.parents[2]).returncode


def test_pack__killed_between_any_two_steps__then_whole_and_the_next_one_ends_it(
    recorded: Recorded, store: RunStore, tmp_path: Path
) -> None:
    step, seen = 0, set()
    code = 9
    while code == 9:
        folder = recorded(step + 1, output=OUTPUT)
        code = ended_after(folder, step)
        left = names(folder)
        seen.add(tuple(left))
        view = History(store).open(folder)
        assert (view.state.run.ended, view.state.counts["failed"]) == (True, 1)
        assert window(view, 0, len(OUTPUT)) == OUTPUT
        assert verify(folder).problems == []
        clear(folder.box_dir)
        assert [name for name in names(folder) if name.endswith(".part")] == []
        assert verify(folder).problems == []
        packed_now(folder)
        assert names(folder) == PACKED
        assert told(folder, tmp_path / str(step))["verify"] == [8, len(OUTPUT), True, []]
        step += 1
    assert code == 0
    assert step > 12
    # A half file, both, and one of each were met.
    assert {tuple(PLAIN), tuple(PACKED), ("journal.ndjson", "output.bin.zst")} <= seen
    assert ("journal.ndjson", "output.bin", "output.bin.zst.part") in seen
    assert ("journal.ndjson", "output.bin", "output.bin.zst") in seen


class Failing(Files):
    """Fails at its N-th call that can fail on a disk."""

    def __init__(self, at: int, fault: int) -> None:
        self.left, self.fault = at, fault

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(self.fault, os.strerror(self.fault))

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        self._count()
        return super().open(path, flags, mode)

    def write(self, descriptor: int, data: bytes) -> int:
        self._count()
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)

    def rename(self, old: str, new: str) -> None:
        self._count()
        super().rename(old, new)


def refused(folder: RunFolder, files: Files) -> Problem | None:
    try:
        pack(folder.box_dir, files, smallest=0)
    except ProblemError as problem:
        return problem.first
    return None


@pytest.mark.parametrize(
    ("fault", "code"), [(errno.ENOSPC, "store.disk_full"), (errno.EIO, "store.not_packed")]
)
def test_pack__disk_fails_from_any_call_on__then_told_and_nothing_lost(
    recorded: Recorded, store: RunStore, fault: int, code: str
) -> None:
    at = 0
    while True:
        folder = recorded(at + 1, output=OUTPUT)
        told = refused(folder, Failing(at, fault))
        if told is None:
            break
        assert told.code == code
        assert told.action
        assert [name for name in names(folder) if name.endswith(".part")] == []
        for name in PLAIN:
            if at < 3:
                assert (folder.box_dir / name).is_file()
        assert verify(folder).problems == []
        assert window(History(store).open(folder), 0, len(OUTPUT)) == OUTPUT
        at += 1
    assert at > 8


def test_pack__other_bytes_read_back_than_written__then_the_plain_file_stays(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lying(Files):
        def write(self, descriptor: int, data: bytes) -> int:
            super().write(descriptor, bytes(len(data)))
            return len(data)

    with pytest.raises(ProblemError) as caught:
        pack(folder.box_dir, Lying(), smallest=0)
    assert caught.value.first.code == "store.damaged_file"
    assert names(folder) == PLAIN
    real = packing._digest
    monkeypatch.setattr(packing, "_digest", lambda *given: (real(*given)[0], "0" * 64))
    with pytest.raises(ProblemError) as caught:
        packed_now(folder)
    assert "read back" in caught.value.first.what
    assert names(folder) == PLAIN


def test_pack__both_there_and_the_same__then_the_plain_one_goes(folder: RunFolder) -> None:
    packed_now(folder)
    (folder.box_dir / "output.bin").write_bytes(OUTPUT)
    assert packed_now(folder) > 0
    assert names(folder) == PACKED


def test_pack__both_there_and_not_the_same__then_both_stay_and_it_is_told(folder: RunFolder) -> None:
    packed_now(folder)
    (folder.box_dir / "output.bin").write_bytes(OUTPUT[:50_000])
    with pytest.raises(ProblemError) as caught:
        packed_now(folder)
    assert caught.value.first.code == "store.two_files"
    assert names(folder) == [PACKED[0], PLAIN[1], PACKED[1]]
    assert "verify.two_files" in [problem.code for problem in verify(folder).problems]


def test_pack__packed_one_is_damaged_and_the_plain_one_there__then_packed_again(folder: RunFolder) -> None:
    (folder.box_dir / PACKED[1]).write_bytes(b"half of it")
    assert "verify.packed" in [problem.code for problem in verify(folder).problems]
    packed_now(folder)
    assert names(folder) == PACKED
    assert verify(folder).problems == []


def test_pack__another_console_is_at_it__then_nothing_happens(folder: RunFolder) -> None:
    descriptor = os.open(folder.box_dir, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert packed_now(folder) == 0
        (folder.box_dir / "output.bin.zst.part").write_bytes(b"being written")
        clear(folder.box_dir)
        assert names(folder) == [*PLAIN, "output.bin.zst.part"]
    finally:
        os.close(descriptor)
    clear(folder.box_dir)
    assert names(folder) == PLAIN


# -- damaged


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def no_end(data: bytes) -> bytes:
    return data[:-1]


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


def longer(data: bytes) -> bytes:
    return data + b"more"


DAMAGES: list[Callable[[bytes], bytes]] = [
    cut,
    no_end,
    flip,
    longer,
    lambda _: b"",
    lambda _: b"no frame at all, but text of some length",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_open__damaged_packed_journal__then_a_problem_names_file_and_action(
    folder: RunFolder, store: RunStore, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    packed_now(folder)
    file = folder.box_dir / PACKED[0]
    file.write_bytes(damage(file.read_bytes()))
    for way in (str(folder.path), folder.run_id):
        with pytest.raises(ProblemError) as caught:
            History(store).replay(way)
        assert caught.value.first.where == str(file)
        assert "the packed file is damaged" in caught.value.first.what
        assert caught.value.first.action
    with pytest.raises(ProblemError) as caught:
        export_bundle(folder, str(tmp_path / "run.bundle"))
    assert (caught.value.first.code, caught.value.first.where) == ("store.damaged_file", str(file))
    assert list(tmp_path.glob("*.bundle*")) == []
    (row,) = History(store).summaries()
    assert row.reason == "damaged"
    told = [(problem.code, problem.where) for problem in verify(folder).problems]
    assert ("verify.packed", str(file)) in told
    assert str(folder.box_dir / PACKED[1]) not in [where for _, where in told]
    before = {name: (folder.box_dir / name).read_bytes() for name in PACKED}
    (folder.box_dir / "spool").mkdir()
    with pytest.raises(ProblemError) as caught:
        recover_at(store, folder.run_id, {})
    assert caught.value.first.where == str(file)
    assert not folder.journal.exists(), "an empty journal would take the place of the damaged one"
    (folder.box_dir / "spool").rmdir()
    copy = Copy(folder.box_dir)
    assert copy.claim()
    copy.close()
    assert file.read_bytes() == before[PACKED[0]]
    assert (folder.box_dir / "output.bin").read_bytes() == OUTPUT


@pytest.mark.parametrize("damage", DAMAGES)
def test_view__damaged_packed_output__then_verdicts_stand_and_it_is_told(
    folder: RunFolder, store: RunStore, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    packed_now(folder)
    file = folder.box_dir / PACKED[1]
    file.write_bytes(damage(file.read_bytes()))
    view = History(store).open(folder)
    assert view.state.counts["failed"] == 1
    assert window(view, 0, 5) == b""
    assert view.unread is not None
    assert view.problem == view.unread
    assert view.unread.where == str(file)
    with pytest.raises(ProblemError) as caught:
        export(view, "junit", str(tmp_path / "junit.xml"))
    assert caught.value.first.where == str(file)
    assert not (tmp_path / "junit.xml").exists()
    assert ("verify.packed", str(file)) in [(each.code, each.where) for each in verify(folder).problems]
    with seam.opened(folder.journal) as journal:
        assert len(journal.readlines()) == 8


# -- who writes


def test_claim__packed_copy__then_its_files_are_plain_again_and_compared_as_they_were(
    folder: RunFolder,
) -> None:
    copy = Copy(folder.box_dir)
    before = copy.held()
    packed_now(folder)
    assert copy.claim()
    try:
        assert names(folder) == PLAIN
        assert copy.held() == before
    finally:
        copy.close()


def test_claim__packing_was_cut_short__then_one_of_each_is_left(folder: RunFolder) -> None:
    plain = (folder.box_dir / "output.bin").read_bytes()
    packed_now(folder)
    (folder.box_dir / "output.bin").write_bytes(plain)
    copy = Copy(folder.box_dir)
    assert copy.claim()
    copy.close()
    assert names(folder) == PLAIN
    assert (folder.box_dir / "output.bin").read_bytes() == OUTPUT


def test_recover__packed_run_without_an_end__then_its_files_are_plain_and_it_has_one(
    folder: RunFolder, store: RunStore
) -> None:
    for name in PLAIN:
        (folder.box_dir / name).unlink()
    recording = Recording(System(), str(folder.box_dir), folder.run_id, "local/daemon/5-6", Redactor({}))
    recording.open()
    recording.commit(
        Batch(own=[{"e": "run.started", "mode": "run"}], output=[OUTPUT], output_size=len(OUTPUT))
    )
    recording.close()
    packed_now(folder)
    (folder.box_dir / "spool").mkdir()
    done = recover(System(), folder.box_dir, folder.run_id, {"e": "run.started"}, {})
    assert (done.whole, done.cut_bytes) == (False, 0)
    assert names(folder) == PLAIN
    assert History(store).open(folder).state.run.ended
    assert (folder.box_dir / "output.bin").read_bytes() == OUTPUT


def test_import__same_run_is_here_and_packed__then_nothing_new(
    folder: RunFolder, store: RunStore, tmp_path: Path
) -> None:
    export_bundle(folder, str(tmp_path / "run.bundle"))
    packed_now(folder)
    assert bundle.bring_in(store, tmp_path / "run.bundle", 1)[1] is False
    (folder.box_dir / PACKED[1]).unlink()
    with pytest.raises(ProblemError) as caught:
        bundle.bring_in(store, tmp_path / "run.bundle", 1)
    assert caught.value.first.code == "bundle.exists"


def test_trace__packed_run_that_was_not_traced__then_the_journals_lines_and_nothing_stays(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def rows() -> list[str]:
        trace = Trace(folder)
        trace.filter("")
        trace.poll()
        return [row.kind for row in trace.rows.rows(0, 100)]

    before = rows()
    assert before[0] == "run.started"
    packed_now(folder)
    assert rows() == before
    assert list((tmp_path / "temporary").iterdir()) == []
    file = folder.box_dir / PACKED[0]
    file.write_bytes(cut(file.read_bytes()))
    with pytest.raises(ProblemError) as caught:
        rows()
    assert caught.value.first.where == str(file)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_trace__packed_while_it_is_shown__then_it_goes_on(folder: RunFolder) -> None:
    trace = Trace(folder)
    trace.filter("")
    before = [row.kind for row in trace.rows.rows(0, 100)]
    assert before[0] == "run.started"
    packed_now(folder)
    assert trace.poll() == 0
    assert [row.kind for row in trace.rows.rows(0, 100)] == before
    trace.filter("kind=run.started")
    assert [row.kind for row in trace.rows.rows(0, 100)] == ["run.started"]
    trace.filter("")
    unpack(folder.box_dir, Files())
    more = lines.encode(
        {"v": 1, "n": 999, "t": 1, "m": 1, "src": "box", "run": folder.run_id, "e": "warning"}
    )
    with folder.journal.open("ab") as journal:
        journal.write(more)
    assert trace.poll() == 1
    assert [row.kind for row in trace.rows.rows(0, 100)] == [*before, "warning"]


def test_trace__packed_between_look_and_opening__then_its_lines_all_the_same(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(Trace(folder).rows)
    real = seam.plain_folder

    def late(file: Path, owner: object) -> Path:
        found = real(file, owner)
        packed_now(folder)
        return found

    monkeypatch.setattr(seam, "plain_folder", late)
    assert len(Trace(folder).rows) == before > 0


def test_export__to_standard_output_of_a_packed_run__then_the_journals_own_lines(
    folder: RunFolder, store: RunStore, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = folder.journal.read_text()
    packed_now(folder)
    report_files.export(History(store).open(folder), "json", "-")
    assert capsys.readouterr().out == plain
