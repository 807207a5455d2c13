"""Named locks between runs, by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.agent.locks import Locks
from tracekit.agent.system import System


def test_take__free__then_held_and_another_run_is_told_which_and_by_whom(tmp_path: Path) -> None:
    one, two = (Locks(System(), str(tmp_path / "locks"), name) for name in ("RUN1", "RUN2"))
    assert one.take(["db", "api"]) == ("", "")
    assert two.take(["db"]) == ("db", "RUN1")
    assert two.take(["other"]) == ("", "")


def test_take__the_same_again__then_never_given_up_between(tmp_path: Path) -> None:
    one = Locks(System(), str(tmp_path / "locks"), "RUN1")
    one.take(["db"])
    before = (tmp_path / "locks" / "db").stat().st_mtime_ns
    assert one.take(["db", "db"]) == ("", "")
    assert (tmp_path / "locks" / "db").stat().st_mtime_ns == before


def test_take__one_of_two_is_held__then_neither_is_kept(tmp_path: Path) -> None:
    one, two, three = (Locks(System(), str(tmp_path / "locks"), name) for name in ("RUN1", "RUN2", "RUN3"))
    one.take(["db"])
    assert two.take(["api", "db"]) == ("db", "RUN1")
    assert three.take(["api"]) == ("", "")


def test_take__another_set__then_what_was_held_is_free(tmp_path: Path) -> None:
    one, two = (Locks(System(), str(tmp_path / "locks"), name) for name in ("RUN1", "RUN2"))
    one.take(["db"])
    one.take([])
    assert two.take(["db"]) == ("", "")


def test_take__name_that_is_no_file_name__then_a_lock_all_the_same_and_nothing_outside(
    tmp_path: Path,
) -> None:
    one, two = (Locks(System(), str(tmp_path / "locks"), name) for name in ("RUN1", "RUN2"))
    assert one.take(["../../db", "\udc80"]) == ("", "")
    assert two.take(["../../db"]) == ("../../db", "RUN1")
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_take__no_directory_can_be_made__then_that_is_raised_and_never_a_lock_that_is_none(
    tmp_path: Path,
) -> None:
    (tmp_path / "locks").write_text("")
    with pytest.raises(OSError, match="locks"):
        Locks(System(), str(tmp_path / "locks"), "RUN1").take(["db"])
