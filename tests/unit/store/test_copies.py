"""The copy of a box's run: nothing that a box ever said is lost, nothing more is taken than may be."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracekit.store.allowance import FILE
from tracekit.store.copies import Copy
from tracekit.wire.problems import ProblemError

JOURNAL, OUTPUT, SEGMENT = "journal.ndjson", "output.bin", "trace/seg-000001.tks"


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Copy]:
    made = Copy(tmp_path / "box7", 1 << 20)
    assert made.claim()
    yield made
    made.close()


def brought(copy: Copy, name: str, data: bytes, start: int = 0, **more: bool) -> None:
    copy.begin(name, start, replaced=more.get("replaced", False), size=start + len(data))
    copy.write(name, start, data)


def again(copy: Copy) -> Copy:
    """Another console takes over."""
    copy.close()
    made = Copy(copy.place, copy.allowance.most)
    assert made.claim()
    return made


def blob_of(data: bytes) -> str:
    return "blobs/" + hashlib.blake2b(data, digest_size=32).hexdigest()


@pytest.mark.parametrize("name", [JOURNAL, SEGMENT, "strings.tkd"])
@pytest.mark.parametrize("replaced", [False, True])
@pytest.mark.parametrize("theirs", [b"others", b"012others", b"0123456789 and on", b"0123"])
def test_begin__box_begins_before_the_end_of_what_is_here__then_what_differs_is_kept_aside(
    copy: Copy, name: str, replaced: bool, theirs: bytes
) -> None:
    ours = b"0123456789"
    brought(copy, name, ours)
    copy.begin(name, 0, replaced=replaced)
    for at in range(0, len(theirs), 4):
        copy.write(name, at, theirs[at : at + 4])
    copy.end()
    assert (copy.place / name).read_bytes() == theirs
    kept = [path.read_bytes() for path in copy.place.parent.glob(f"box7.old-*/{name}")]
    assert kept == ([] if theirs.startswith(ours) else [ours])
    assert copy.set_aside == ("box7.old-1" if kept else "")


def test_begin__box_begins_anew_and_is_cut_before_it_is_as_far__then_what_is_here_stays(copy: Copy) -> None:
    brought(copy, OUTPUT, b"0123456789")
    brought(copy, OUTPUT, b"0123")
    other = again(copy)
    assert other.size(OUTPUT) == 10
    other.close()


def test_blobs__thousands_at_once__then_a_few_files_are_open_and_all_are_whole(copy: Copy) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 80, hard))
    try:
        copy.allowance.most = 1 << 30
        contents = [b"%d" % number for number in range(400)]
        for each in contents:
            copy.begin(blob_of(each), 0, replaced=False, size=len(each))
        for each in contents:
            copy.write(blob_of(each), 0, each)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {(copy.place / blob_of(each)).read_bytes() for each in contents} == set(contents)


def test_blob__came_in_parts_over_two_consoles__then_read_again_before_it_has_its_name(copy: Copy) -> None:
    name = blob_of(b"first second")
    copy.begin(name, 0, replaced=False, size=12)
    copy.write(name, 0, b"first ")
    other = again(copy)
    assert other.held()[name]["length"] == 6
    other.begin(name, 6, replaced=False, size=12)
    other.write(name, 6, b"second")
    assert (other.unsealed, (other.place / name).exists()) == ([name], False)
    other.seal(other.unsealed.pop())
    assert (other.place / name).read_bytes() == b"first second"
    other.close()


def test_quota__box_floods__then_least_first_is_refused_and_the_journal_is_last(copy: Copy) -> None:
    most = copy.allowance.most
    brought(copy, JOURNAL, b"j")
    refused = []
    for name, number in ((SEGMENT, 1), (OUTPUT, 2), ("trace/seg-000002.tks", 3)):
        copy.begin(name, 0, replaced=False)
        for at in range(0, most, 1 << 14):
            copy.write(name, at, bytes(1 << 14))
        refused.append((number, sorted(copy.allowance.refused)))
    assert refused == [(1, ["trace"]), (2, ["output", "trace"]), (3, ["output", "trace"])]
    assert not (copy.place / "trace/seg-000002.tks").exists()
    sizes = [copy.size(name) for name in (SEGMENT, OUTPUT)]
    assert most * 0.5 - (1 << 15) < sizes[0] <= most * 0.5 < sum(sizes) <= most * 0.875
    copy.write(JOURNAL, 1, b"still")
    with pytest.raises(ProblemError) as refusal:
        copy.write(JOURNAL, 6, bytes(most // 4))
    assert (refusal.value.first.code, copy.size(JOURNAL)) == ("box.quota", 6)


def test_quota__what_an_earlier_console_brought_and_what_was_set_aside__then_it_counts(copy: Copy) -> None:
    brought(copy, JOURNAL, bytes(1000))
    copy.held()
    brought(copy, JOURNAL, b"other", replaced=True)
    other = again(copy)
    assert other.allowance.used == 1005 + 2 * FILE
    other.close()


def test_quota__ever_so_many_empty_files__then_they_weigh_something(copy: Copy) -> None:
    for number in range(1, 1000):
        copy.begin(f"trace/seg-{number:06}.tks", 0, replaced=False)
    assert copy.allowance.refused == {"trace"}
    assert len(list((copy.place / "trace").iterdir())) < 200


def test_quota__this_disk_is_almost_full__then_the_journal_goes_on_and_the_words_say_so(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = os.statvfs(copy.place)
    left = found.f_blocks * found.f_frsize // 20
    full = os.statvfs_result((*found[:3], 1, min(left, 256 << 20) // found.f_frsize, *found[5:]))
    monkeypatch.setattr("os.statvfs", lambda _: full)
    brought(copy, OUTPUT, bytes(1 << 16))
    brought(copy, JOURNAL, b"journal")
    assert (copy.size(OUTPUT), copy.size(JOURNAL)) == (0, 7)
    said = copy.too_much()
    assert ("this disk is almost full" in said.what, "not whole: output" in said.what) == (True, True)
    assert "free space here" in said.action
