"""The quarantine's file: what it may say, where a mistake is, and that writing it changes nothing else."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from tracekit.config import loader
from tracekit.config.faults import Faults
from tracekit.config.quarantine import FILE, MAX_BYTES, Entry, entries, rows
from tracekit.config.quarantine_edit import HEAD, added, removed, text_of, write
from tracekit.wire.problems import ProblemError

DAY = date(2026, 1, 15)
ONE = """\
[[quarantine]]
scenario = "tests/test_a.py::test_a"
owner = "ada"
reason = "races"
since = 2026-01-01
expires = 2026-01-15
"""


def entry(scenario: str = "tests/test_b.py::test_b", **fields: object) -> Entry:
    given: dict[str, object] = {"owner": "bob", "reason": "why", "since": DAY, "expires": DAY} | fields
    return Entry(scenario, **given)  # type: ignore[arg-type]


def read(text: str) -> list[Entry]:
    faults = Faults()
    found = entries(text.encode(), faults)
    assert faults.problems() == []
    return list(found)


def test_entry__its_last_day__then_in_force_and_the_day_after_not() -> None:
    (one,) = read(ONE)
    assert not one.expired(date(2026, 1, 15))
    assert one.expired(date(2026, 1, 16))
    assert rows([one], date(2026, 1, 16)) == [
        {
            "scenario": "tests/test_a.py::test_a",
            "owner": "ada",
            "reason": "races",
            "since": "2026-01-01",
            "expires": "2026-01-15",
            "expired": True,
        }
    ]


@pytest.mark.parametrize(
    ("text", "place", "code", "word"),
    [
        (ONE + "ower = 'ada'\n", "7:quarantine[0].ower", "unknown_key", "owner"),
        (ONE.replace('owner = "ada"\n', ""), "1:quarantine[0]", "missing", "owner ="),
        (ONE.replace('"ada"', '"  "'), "3:quarantine[0].owner", "value", "few words"),
        (ONE.replace('"ada"', "3"), "3:quarantine[0].owner", "type", "a string"),
        (ONE.replace('"races"', '"a\\u001b[2J"'), "4:quarantine[0].reason", "value", "control"),
        (ONE.replace("tests/test_a.py::test_a", "**"), "2:quarantine[0].scenario", "value", "no scenario"),
        (ONE.replace("2026-01-15", '"2026-01-15"'), "6:quarantine[0].expires", "type", "without quotes"),
        (ONE.replace("2026-01-15", "2026-01-15T10:00:00"), "6:quarantine[0].expires", "type", "a day"),
        (ONE.replace("2026-01-15", "2025-01-15"), "6:quarantine[0].expires", "range", "later"),
        (ONE + ONE, "8:quarantine[1].scenario", "duplicate", f"{FILE}:2"),
        ("quarantine = 3\n", "1:quarantine", "type", "[[quarantine]]"),
        ("quarantine = [3]\n", "1:quarantine[0]", "type", "a table"),
        ("[suite.a]\n", "1:suite", "misplaced", "tracekit.toml"),
        ("[[quarantin]]\n", "1:quarantin", "unknown_key", "quarantine"),
        ("a b\n", "1", "syntax", "column"),
    ],
)
def test_file__one_mistake__then_one_fault_with_line_key_and_a_way_out(
    text: str, place: str, code: str, word: str
) -> None:
    faults = Faults()
    entries(text.encode(), faults)
    problems = faults.problems()
    assert [(one.where, one.code) for one in problems] == [(f"{FILE}:{place}", f"config.{code}")]
    assert word in f"{problems[0].what} {problems[0].action}"


def test_file__larger_than_a_journal_line_may_carry__then_refused() -> None:
    faults = Faults()
    assert entries(b"#" * (MAX_BYTES + 1), faults) == ()
    assert [one.code for one in faults.problems()] == ["config.too_large"]


def test_load__faulty_quarantine__then_told_with_the_other_files(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text("[suite.a]\nrunner = 'pytst'\n")
    (tmp_path / FILE).write_text(ONE.replace("owner", "ower"))
    with pytest.raises(ProblemError) as caught:
        loader.load(str(tmp_path), environ={"HOME": str(tmp_path)})
    files = {one.where.partition(":")[0] for one in caught.value.problems}
    assert files == {"tracekit.toml", FILE}


def test_added__no_file__then_a_head_and_the_entry() -> None:
    text = added("", entry())
    assert text.startswith(HEAD)
    assert [one[:5] for one in read(text)] == [entry()[:5]]


def test_added__comments_and_order__then_kept_and_the_entry_is_last() -> None:
    before = f"# ours\n\n# this one hurts\n{ONE}\n# the end"
    text = added(before, entry("x::*", reason='say "no" \\ ümläut 🦀'))
    assert text.startswith(before)
    assert [one.scenario for one in read(text)] == ["tests/test_a.py::test_a", "x::*"]
    assert read(text)[1].reason == 'say "no" \\ ümläut 🦀'


@pytest.mark.parametrize("scenario", ["tests/test_a.py::test_a", "*", "a\nb"])
def test_added__what_the_reader_would_refuse__then_a_problem(scenario: str) -> None:
    with pytest.raises(ProblemError):
        added(ONE, entry(scenario))


def test_added__a_name_that_is_no_text__then_a_problem() -> None:
    with pytest.raises(ProblemError) as caught:
        added("", entry("test_\udcff"))
    assert caught.value.first.code == "config.not_text"


def test_added__entries_in_a_list__then_left_to_a_person() -> None:
    text = 'quarantine = [{ scenario = "a", owner = "b", reason = "c", since = 2026-01-01, expires = 2026-01-02 }]\n'
    with pytest.raises(ProblemError) as adding:
        added(text, entry())
    with pytest.raises(ProblemError) as removing:
        removed(text, 0)
    assert {adding.value.first.code, removing.value.first.code} == {"config.quarantine_form"}


def test_removed__the_middle_one__then_its_own_comment_goes_and_others_stay() -> None:
    second, third = ONE.replace("test_a", "test_b"), ONE.replace("test_a", "test_c")
    text = f"# head\n\n# of a\n{ONE}\n# of b\n{second}\n# loose\n\n# of c\n{third}"
    left = removed(text, 1)
    assert [one.scenario for one in read(left)] == ["tests/test_a.py::test_a", "tests/test_c.py::test_c"]
    assert [line for line in left.splitlines() if line.startswith("#")] == [
        "# head",
        "# of a",
        "# loose",
        "# of c",
    ]


def test_removed__the_only_one__then_the_head_stays() -> None:
    assert removed(added("", entry()), 0).startswith(HEAD.rstrip())
    assert read(removed(added("", entry()), 0)) == []


def test_removed__added_before__then_the_text_is_what_it_was() -> None:
    before = f"# ours\n\n{ONE}"
    assert removed(added(before, entry()), 1) == before


def test_write__a_link_and_a_mode__then_both_are_kept(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.toml"
    real.write_text(ONE)
    real.chmod(0o640)
    (tmp_path / FILE).symlink_to(real)
    write(str(tmp_path), added(text_of(str(tmp_path)), entry()))
    assert (tmp_path / FILE).is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert len(read(real.read_text())) == 2
    assert sorted(os.listdir(tmp_path)) == ["elsewhere.toml", FILE]  # noqa: PTH208 - names


def test_write__no_such_folder__then_a_problem_and_nothing_left(tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        write(str(tmp_path / "gone"), ONE)
    assert caught.value.first.code == "config.unwritable"
    assert list(tmp_path.iterdir()) == []
