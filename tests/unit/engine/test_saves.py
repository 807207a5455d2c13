"""What is a person's save and what the tests write: decided by name, by time and by content, never for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.engine.saves import KNOWN_ROW, NEW_ROW, Save, Saves, is_source


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "data.json").write_text("1")
    return tmp_path


def write(path: Path, text: str) -> None:
    """As editors do: another file in the place of the first, so that no clock's step can hide it."""
    part = path.with_name(f"{path.name}~")
    part.write_text(text)
    part.replace(path)


def named(saves: Saves, *, running: bool) -> list[str]:
    return [save.path for save in saves.look(running=running).saves]


def test_look__nothing_runs__then_every_file_that_counts_is_a_save(root: Path) -> None:
    saves = Saves(str(root), {})
    assert named(saves, running=False) == []
    write(root / "a.py", "2")
    write(root / "data.json", "2")
    write(root / "new.txt", "2")
    assert named(saves, running=False) == ["a.py", "data.json", "new.txt"]
    assert named(saves, running=False) == []


def test_look__the_same_text_saved_while_nothing_runs__then_a_save(root: Path) -> None:
    saves = Saves(str(root), {})
    write(root / "a.py", "1")
    assert named(saves, running=False) == ["a.py"]


def test_look__deleted__then_a_save_that_says_so(root: Path) -> None:
    saves = Saves(str(root), {})
    (root / "a.py").unlink()
    assert saves.look(running=False).saves == [Save("a.py", deleted=True)]


def test_look__written_and_taken_away_again__then_nothing(root: Path) -> None:
    saves = Saves(str(root), {})
    write(root / "gone.py", "1")
    (root / "gone.py").unlink()
    assert named(saves, running=False) == []


def test_look__a_file_that_is_no_source_changes_in_a_run__then_it_is_the_tests_own(root: Path) -> None:
    saves = Saves(str(root), {})
    saves.begin()
    write(root / "data.json", "2")
    found = saves.look(running=True)
    assert (found.saves, found.theirs) == ([], ["data.json"])
    write(root / "data.json", "3")
    assert saves.look(running=True).theirs == []
    assert named(saves, running=False) == []


def test_look__a_file_of_the_tests_changes_while_nothing_runs__then_a_save_but_not_for_ever(
    root: Path,
) -> None:
    saves = Saves(str(root), {})
    write(root / "data.json", "theirs")
    assert named(saves, running=True) == []
    for number in range(KNOWN_ROW):
        write(root / "data.json", f"idle {number}")
        assert named(saves, running=False) == ["data.json"]
        saves.begin()
        write(root / "data.json", f"run {number}")
        assert named(saves, running=True) == []
    write(root / "data.json", "once more")
    assert named(saves, running=False) == []
    # Once something else was saved it is asked anew.
    write(root / "a.py", "2")
    assert named(saves, running=False) == ["a.py"]
    write(root / "data.json", "mine")
    assert named(saves, running=False) == ["data.json"]


def test_look__a_source_in_a_run__then_a_save_only_with_another_content(root: Path) -> None:
    saves = Saves(str(root), {})
    saves.begin()
    write(root / "a.py", "1")
    assert named(saves, running=True) == []
    write(root / "a.py", "2")
    assert named(saves, running=True) == ["a.py"]


@pytest.mark.parametrize(("name", "most"), [("a.py", KNOWN_ROW), ("born.py", NEW_ROW)])
def test_look__a_source_that_changes_in_each_run__then_no_save_for_ever(
    root: Path, name: str, most: int
) -> None:
    saves = Saves(str(root), {})
    told: list[str] = []
    rounds = 0
    for rounds in range(most + 5):
        saves.begin()
        write(root / name, f"round {rounds}")
        look = saves.look(running=True)
        told += look.theirs
        if not look.saves:
            break
    assert rounds == most
    assert told == [name]
    # A person's save makes it a source again.
    write(root / name, "mine")
    assert named(saves, running=False) == [name]
    saves.begin()
    write(root / name, "again")
    assert named(saves, running=True) == [name]


def test_look__a_run_in_between_without_a_change__then_counted_anew(root: Path) -> None:
    saves = Saves(str(root), {})
    for number in range(3 * NEW_ROW):
        saves.begin()
        if number % 2 == 0:
            write(root / "born.py", f"{number}")
            assert named(saves, running=True) == ["born.py"]


def test_look__ten_saves_in_one_run__then_each_is_one(root: Path) -> None:
    saves = Saves(str(root), {})
    saves.begin()
    for number in range(KNOWN_ROW + 5):
        write(root / "a.py", f"save {number}")
        assert named(saves, running=True) == ["a.py"]


def test_saves__a_source_that_cannot_be_read__then_no_fault(root: Path) -> None:
    (root / "a.py").unlink()
    (root / "a.py").symlink_to("nowhere")
    saves = Saves(str(root), {})
    assert named(saves, running=True) == []


def test_source__names__then_python_and_configuration() -> None:
    assert [
        name for name in ("a.py", "x/pytest.ini", "setup.cfg", "b.toml", "c.json", "d") if is_source(name)
    ] == [
        "a.py",
        "x/pytest.ini",
        "setup.cfg",
        "b.toml",
    ]
