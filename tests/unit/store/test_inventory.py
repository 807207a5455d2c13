"""The inventory on the disk, what of it is stale, and how a few files' scenarios take their place in it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tracekit.store.inventory import Inventory, InventoryStore, asked_again, row, runs_of, telling
from tracekit.store.survey import Stale, Survey, stale, survey
from tracekit.wire import lines
from tracekit.wire.lines import encode

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "/srv/app"
SUITES = ({"name": "", "runner": "pytest", "cwd": ROOT, "paths": ["tests"]},)


def told(file: str, *names: str) -> bytes:
    group = {
        "id": f"pytest:{file}::",
        "suite": "",
        "runner": "pytest",
        "path": [file],
        "file": file,
        "names": names,
    }
    return lines.encode(
        {"e": "scenarios.found", **group, "lines": list(range(1, len(names) + 1)), "tags": []}
    )


def inventory(*kept: bytes, problems: tuple[dict[str, Any], ...] = ()) -> Inventory:
    return Inventory(ROOT, Survey("g", {}), kept, runs_of(ROOT, SUITES, kept), SUITES, problems)


def ids(found: Inventory) -> list[str]:
    return [facts.id.removeprefix("pytest:") for facts in found.scenarios()]


def test_inventory__then_read_back_until_it_is_damaged(tmp_path: Path) -> None:
    store = InventoryStore(tmp_path)
    kept = inventory(told("t.py", "a", "b[x]"))._replace(survey=Survey("g", {"t.py": (3, 4)}))
    store.save(kept, "")
    assert store.load(ROOT, "") == kept
    assert store.load(ROOT, "other") is None
    (file,) = (tmp_path / "inventory").iterdir()
    whole = file.read_bytes()
    for damage in (whole + b"{}\n", whole[:-9], b"", b"7\n", whole.replace(b"inventory/3", b"inventory/9")):
        file.write_bytes(damage)
        assert store.load(ROOT, "") is None


def test_inventory__listed__then_a_row_for_each_scenario_as_json(tmp_path: Path) -> None:
    odd = 'a["\\ü\u2028\udc80]'
    kept = inventory(told("t.py", odd, "b"))
    assert list(kept.rows()) == list(map(row, kept.scenarios()))
    listed = json.loads(next(kept.rows()))
    assert (listed["id"], listed["name"], listed["path"]) == (f"pytest:t.py::{odd}", odd, ["t.py", odd])
    assert (listed["schema"], listed["line"], listed["tags"]) == ("tracekit.scenario/1", 1, [])


def test_inventory__some_files_asked_again__then_theirs_stand_where_the_old_stood() -> None:
    old = inventory(told("tests/a.py", "one"), told("tests/b.py", "two", "three"), told("tests/c.py", "four"))
    new = inventory(
        told("tests/b.py", "two", "five"), told("tests/aa.py", "six"), told("tests/z.py", "seven")
    )
    merged = old.with_files(new, {"tests/b.py", "tests/aa.py", "tests/z.py"})
    assert ids(merged) == [
        "tests/a.py::one",
        "tests/aa.py::six",
        "tests/b.py::two",
        "tests/b.py::five",
        "tests/c.py::four",
        "tests/z.py::seven",
    ]
    assert merged.size == 6
    assert ids(old.with_files(new._replace(told=(), runs=()), {"tests/a.py", "tests/c.py"})) == [
        "tests/b.py::two",
        "tests/b.py::three",
    ]


def test_telling__however_a_line_is_written__then_told_alike() -> None:
    own = {
        "e": "scenario.found",
        "scenario": "pytest:test_it.py::test_\u00e9",
        "path": ["test_it.py", "a[1]"],
    }
    of = {"v": 1, "src": "b/daemon/1-1", "run": "R", "n": 3, "t": 5, "m": 7}
    line = encode({**of, **own})
    others = (
        encode({**own, **of}),
        json.dumps({**of, **own}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n",
        line[:-2] + b',"n":9}\n',
        line[:-1],
    )
    assert list(telling([line])) == [encode(own)]
    for other in others:
        assert list(telling([other])) == [encode(own)], other
    damaged = (
        line[:-3] + b"\n",
        line.replace(b'"path":[', b'"path":' + b"[" * 2000),
        line.replace(b"a[1]", b"\xff"),
    )
    assert list(telling(damaged)) == []


def test_telling__a_journal__then_only_what_tells_scenarios_and_without_its_numbers() -> None:
    journal = [
        lines.encode({"v": 1, "n": 1, "src": "x", "t": 1, "m": 1, "run": "r", "e": "run.started"}),
        lines.encode(
            {"v": 1, "n": 2, "src": "x", "t": 1, "m": 1, "run": "r", **json.loads(told("t.py", "a"))}
        ),
        b'{"e":"scenarios.found", torn\n',
        lines.encode({"v": 1, "n": 3, "e": "scenario.found", "scenario": "pytest:t.py::b"}),
    ]
    assert [json.loads(line)["e"] for line in telling(journal)] == ["scenarios.found", "scenario.found"]
    assert all("n" not in json.loads(line) and "src" not in json.loads(line) for line in telling(journal))


def test_survey__only_sources_count(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text("a")
    first = survey(str(tmp_path))
    (tmp_path / "tests" / "__pycache__").mkdir()
    (tmp_path / "tests" / "__pycache__" / "x.py").write_text("a")
    (tmp_path / "out.log").write_text("a")
    assert survey(str(tmp_path)) == first
    (tmp_path / "tests" / "test_a.py").write_text("ab")
    second = survey(str(tmp_path))
    (tmp_path / "tests" / "test_b.py").write_text("")
    third = survey(str(tmp_path))
    assert first != second != third
    assert set(third.sources) == {"tests/test_a.py", "tests/test_b.py"}
    assert survey(str(tmp_path), environ={"PYTEST_ADDOPTS": "-x"}).ground != third.ground
    (tmp_path / "pytest.ini").write_text("[pytest]")
    assert survey(str(tmp_path)).ground != third.ground


def test_survey__a_file_of_scenarios_that_is_no_source__then_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "a.steps").write_text("a")
    found = survey(str(tmp_path), also=["a.steps", "gone.steps"])
    assert found.sources["a.steps"][0] == 1
    assert "gone.steps" not in found.sources
    assert survey(str(tmp_path)).with_files(str(tmp_path), ["a.steps"]) == found


A, B = (1, 1), (2, 2)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"t.py": A}, {"t.py": A}, Stale()),
        ({"t.py": A}, {"t.py": B}, Stale(files=frozenset({"t.py"}))),
        ({"t.py": A}, {}, Stale(gone=frozenset({"t.py"}))),
        ({"t.py": A}, {"t.py": A, "new.py": A}, Stale(files=frozenset({"new.py"}))),
        ({"t.py": A, "helper.py": A}, {"t.py": A, "helper.py": B}, Stale(whole=True)),
        ({"t.py": A, "helper.py": A}, {"t.py": A}, Stale(whole=True)),
        ({"t.py": A}, {"t.py": A, f"a{os.sep}conftest.py": A}, Stale(whole=True)),
        ({"t.py": A}, {"t.py": A, "__init__.py": A}, Stale(whole=True)),
    ],
)
def test_stale__what_changed__then_files_with_scenarios_decide_for_themselves_and_others_for_all(
    before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]], expected: Stale
) -> None:
    assert stale(Survey("g", before), Survey("g", now), ["t.py"]) == expected
    assert bool(expected) is (before != now)


def test_stale__another_configuration__then_everything() -> None:
    assert stale(Survey("g", {"t.py": A}), Survey("h", {"t.py": A}), ["t.py"]).whole


def test_asked_again__files_of_a_suite_and_elsewhere__then_ids_of_files_that_a_suite_holds() -> None:
    kept = inventory(told("tests/a.py", "one"), problems=({"suite": "", "file": "tests/broken.py"},))
    changed = Stale(files=frozenset({"tests/a.py", "tools/new.py"}))
    assert asked_again(kept, changed) == ["pytest:tests/a.py", "pytest:tests/broken.py"]
    assert asked_again(kept, Stale(whole=True)) is None
    assert asked_again(kept, Stale(files=frozenset(f"tests/{n}.py" for n in range(1000)))) is None
    elsewhere = kept._replace(suites=({**SUITES[0], "runner": "unittest"},))
    assert asked_again(elsewhere, changed) is None
