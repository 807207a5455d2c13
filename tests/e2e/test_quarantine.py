"""Scenarios in quarantine: run, shown, told in every format, and counted only once their day has passed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.cli import Sandbox
from tracekit.config.quarantine import FILE

SUITE = """
import pytest

def test_green(): ...

def test_red():
    assert 1 == 2

@pytest.mark.parametrize("value", [1, 2])
def test_odd(value):
    assert value == 1
"""
RED = "pytest:tests/test_it.py::test_red"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.fixture
def root(sandbox: Sandbox) -> Path:
    return sandbox.project({"tests/test_it.py": SUITE})


def add(sandbox: Sandbox, root: Path, scenario: str, *more: str) -> None:
    words = ("--project", root, "--owner", "ada", "--reason", "races <b> | #12", *more)
    done = sandbox.run("quarantine", "add", scenario, *words)
    assert done.code == 0, done.err


def age(root: Path) -> None:
    """Let every entry have expired long ago."""
    file = root / FILE
    text = re.sub(r"since = .*", "since = 2020-01-01", file.read_text())
    file.write_text(re.sub(r"expires = .*", "expires = 2020-01-15", text))


def test_quarantine__reds_of_a_run__then_shown_and_not_counted_until_they_expire(
    sandbox: Sandbox, root: Path
) -> None:
    assert sandbox.run("run", root).code == 1
    add(sandbox, root, "test_red")
    assert sandbox.run("run", root).code == 1  # the odd one still counts
    add(sandbox, root, "tests/test_it.py::test_odd*")
    done = sandbox.run("run", root)
    assert done.code == 0, done.out
    assert f"{RED}  ⚑ quarantined (ada)" in done.out
    assert "2 passed, 2 failed (2 red in quarantine, not counted)" in done.out
    assert "failed; ada, until" in done.out

    age(root)
    done = sandbox.run("run", root)
    assert done.code == 1
    assert "2 counted again: the quarantine has expired" in done.out
    assert "ada's, expired 2020-01-15: races" in done.out


def test_quarantine__a_recorded_run__then_it_tells_who_was_in_it_at_that_time(
    sandbox: Sandbox, root: Path
) -> None:
    add(sandbox, root, "test_red")
    add(sandbox, root, "tests/test_it.py::test_odd*")
    live = sandbox.run("run", root, "--json")
    assert live.code == 0
    (started,) = live.of("run.started")
    assert [(one["scenario"], one["expired"]) for one in started["quarantine"]] == [
        (RED, False),
        ("tests/test_it.py::test_odd*", False),
    ]
    (root / FILE).unlink()
    run = live.run_id()
    assert sandbox.run("replay", run, "--headless").code == 0
    shown = {line["id"]: line for line in sandbox.run("show", run, "--json").lines()}
    assert shown[RED]["quarantined"]["owner"] == "ada"
    assert shown["pytest:tests/test_it.py::test_green"]["quarantined"] is None
    # A rerun is a run of today, and today nobody is excused.
    again = sandbox.run("rerun", run, "--json")
    assert again.code == 1
    assert "quarantine" not in again.of("run.started")[0]


def test_exports__a_quarantined_red__then_a_failure_with_its_entry(sandbox: Sandbox, root: Path) -> None:
    add(sandbox, root, "test_red")
    run = sandbox.run("run", root, "--json").run_id()
    (case,) = [
        case
        for case in ET.fromstring(sandbox.run("export", run, "--junit", "-").out).iter("testcase")  # noqa: S314 - ours
        if case.get("name") == "test_red"
    ]
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["tracekit.quarantine"] == "active"
    assert properties["tracekit.quarantine.reason"] == "races <b> | #12"
    assert case.find("failure") is not None
    tests = json.loads(sandbox.run("export", run, "--ctrf", "-").out)["results"]["tests"]
    assert {test["name"]: test["extra"].get("quarantined", {}).get("owner") for test in tests} == {
        "test_green": None,
        "test_red": "ada",
        "test_odd[1]": None,
        "test_odd[2]": None,
    }


def test_list__quarantined__then_marked_and_selectable_cached_or_not(sandbox: Sandbox, root: Path) -> None:
    add(sandbox, root, "test_red")
    for _ in range(2):
        rows = sandbox.run("list", root, "--json").lines()
        assert [row["id"] for row in rows if "quarantined" in row] == [RED]
    assert sandbox.run("list", root, "-s", "flag:quarantined").out.split() == [RED]
    done = sandbox.run("run", root, "-s", "not flag:quarantined", "--json")
    assert RED not in done.verdicts()
    assert len(done.verdicts()) == 3


def test_quarantine_list__each_state__then_told_with_the_last_verdict(sandbox: Sandbox, root: Path) -> None:
    add(sandbox, root, "test_green", "--expires", "2d")
    age(root)
    add(sandbox, root, "test_red")
    add(sandbox, root, "tests/test_it.py::test_odd*", "--expires", "1d")
    with (root / FILE).open("a") as file:
        file.write('\n[[quarantine]]\nscenario = "gone::*"\nowner = "bob"\nreason = "gone"\n')
        file.write("since = 2020-01-01\nexpires = 2999-01-01\n")
    run = sandbox.run("run", root, "--json").run_id()
    rows = {
        row["scenario"]: row for row in sandbox.run("quarantine", "list", "--project", root, "--json").lines()
    }
    assert {name: row["state"] for name, row in rows.items()} == {
        "pytest:tests/test_it.py::test_green": "expired",
        RED: "active",
        "tests/test_it.py::test_odd*": "expires soon",
        "gone::*": "active",
    }
    assert rows[RED]["last"] == {"run": run, "verdicts": {"failed": 1}}
    assert rows["tests/test_it.py::test_odd*"]["last"]["verdicts"] == {"passed": 1, "failed": 1}
    assert rows["gone::*"]["last"] is None
    assert rows["gone::*"]["where"].startswith(f"{FILE}:")
    assert "never matched" in sandbox.run("quarantine", "list", "--project", root).out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "nobody", "--owner", "a", "--reason", "b"), 4, "no such scenario"),
        (("add", "nobody*", "--owner", "a", "--reason", "b"), 4, "no such scenario"),
        (("add", "test_odd", "--owner", "a", "--reason", "b"), 2, "say which"),
        (("add", "test_red", "--owner", "a"), 2, "--reason"),
        (("add", "test_red", "--owner", " ", "--reason", "b"), 2, "says nothing"),
        (("add", "test_red", "--owner", "a", "--reason", "b", "--expires", "soon"), 2, "neither a day"),
        (("add", "test_red", "--owner", "a", "--reason", "b", "--expires", "2020-01-01"), 2, "has passed"),
        (("remove", "test_red"), 4, "in quarantine"),
        ((), 2, "required"),
    ],
)
def test_quarantine__what_cannot_be__then_told_and_no_file_written(
    sandbox: Sandbox, root: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = sandbox.run("quarantine", *words, *(("--project", root) if words else ()))
    assert done.code == code, done.err
    assert told in done.err
    assert not (root / FILE).exists()


def test_quarantine_add__a_file_that_cannot_be_collected__then_its_name_is_taken(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_broken.py": "import nothing_here\n"})
    add(sandbox, root, "pytest:tests/test_broken.py::test_x")
    assert sandbox.run("run", root).code == 1  # what cannot be collected is nobody's red


def test_run__a_faulty_quarantine__then_2_and_where(sandbox: Sandbox, root: Path) -> None:
    (root / FILE).write_text('[[quarantine]]\nscenario = "a"\n')
    for command in ("run", "list"):
        done = sandbox.run(command, root)
        assert done.code == 2
        assert f"{FILE}:1:quarantine[0]: owner is missing" in done.err


def test_quarantine_remove__a_part_of_a_name__then_out_and_counted(sandbox: Sandbox, root: Path) -> None:
    add(sandbox, root, "test_red")
    done = sandbox.run("quarantine", "remove", "red", "--project", root, "--json")
    assert done.lines()[0]["removed"]["scenario"] == RED
    assert sandbox.run("quarantine", "list", "--project", root).out.startswith("nobody")
    assert sandbox.run("run", root).code == 1
