"""Where tests are only collected the heap is left to grow; where they run it is theirs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.probe_run import run_suite

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = """\
import gc, json

SEEN = {"usual": gc.get_threshold()[0]}

def note(when):
    SEEN[when] = [gc.get_threshold()[0], gc.get_freeze_count() > 0]

def pytest_collection_modifyitems():
    note("collecting")

def pytest_sessionfinish():
    note("finished")
    with open("seen.json", "w") as file:
        json.dump(SEEN, file)
"""


def _seen(place: Path, mode: str, first: str = "") -> dict[str, list[object]]:
    project = place / "project"
    project.mkdir()
    (project / "conftest.py").write_text(first + CONFTEST, encoding="utf-8")
    (project / "test_it.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    ran = run_suite(project, place / "spool", mode=mode)
    assert ran.exits[-1].code == 0
    assert ran.found == ["pytest:test_it.py::test_it"]
    seen = json.loads((project / "seen.json").read_text(encoding="utf-8"))
    usual = seen.pop("usual")
    return {when: ["usual" if looks == usual else looks, spared] for when, (looks, spared) in seen.items()}


def test_heap__discovery__then_looks_are_rare_while_it_collects_and_none_is_taken_at_what_it_found(
    tmp_path: Path,
) -> None:
    assert _seen(tmp_path, "discover") == {"collecting": [50_000, False], "finished": ["usual", True]}


def test_heap__tests_run__then_it_is_theirs(tmp_path: Path) -> None:
    assert _seen(tmp_path, "run") == {"collecting": ["usual", False], "finished": ["usual", False]}


@pytest.mark.parametrize("words", ["gc.disable()", "gc.set_threshold(0)", "gc.set_threshold(90_000)"])
def test_heap__project_that_chose_for_itself__then_it_keeps_what_it_said(words: str, tmp_path: Path) -> None:
    seen = _seen(tmp_path, "discover", f"import gc\n{words}\n")

    assert seen == {"collecting": ["usual", False], "finished": ["usual", True]}


def test_heap__project_that_chooses_while_it_is_collected__then_that_stays(tmp_path: Path) -> None:
    chooses = "import gc\ndef pytest_collection_finish():\n    gc.set_threshold(123)\n"

    assert _seen(tmp_path, "discover", chooses)["finished"] == [123, True]
