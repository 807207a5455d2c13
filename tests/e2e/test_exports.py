"""A run in other tools' formats: counts, attempts and reasons are there, and no text can break a file."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.cli import Sandbox

SUITE = """
import os, pathlib, sys
import pytest

def times(name):
    file = pathlib.Path(__file__).with_name(name)
    count = int(file.read_text()) if file.exists() else 0
    file.write_text(str(count + 1))
    return count

def test_green(): ...

def test_flaky():
    print("try", times("flaky"))
    assert times("flaky") >= 2, "not yet"

def test_red():
    sys.stdout.buffer.write(b"raw \\x1b[31m\\x00\\xff ]]> & <b>\\n")
    sys.stdout.flush()
    raise ValueError("a < b && ]]> \\x1b[2J \\u202e")

def test_dies():
    os._exit(3)

@pytest.mark.skip(reason="not <today>")
def test_skipped(): ...

@pytest.mark.xfail(reason="known")
def test_expected(): assert False

@pytest.mark.parametrize("value", ["<&>", "a::b", "\\x1b[31m", "\\u202etxt"])
def test_odd(value):
    assert "PASS" in os.environ["API_TOKEN"] and value != "<&>", os.environ["API_TOKEN"]
"""
SECRET = "PASS-correct-horse-battery"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home", {"API_TOKEN": SECRET})


def cases(file: Path) -> dict[str, ET.Element]:
    return {case.get("name", ""): case for case in ET.parse(file).iter("testcase")}  # noqa: S314 - our own file


def test_junit__every_kind_of_verdict__then_counts_attempts_and_reasons_are_right(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    file = root / "out.xml"
    done = sandbox.run("run", root, "--retries", "1", "--junit", file, "--json")
    assert done.code == 1, done.err
    found = cases(file)
    whole = ET.parse(file).getroot()  # noqa: S314 - our own file
    assert {key: whole.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "10",
        "failures": "2",
        "errors": "1",
        "skipped": "2",
    }
    assert len(found["test_green"]) == 0
    assert found["test_green"].get("classname") == "tests.test_it"
    assert found["test_green"].get("file") == "tests/test_it.py"
    flaky = found["test_flaky"].find("flakyFailure")
    assert flaky is not None
    assert "not yet" in (flaky.findtext("stackTrace") or "")
    assert flaky.findtext("system-out") == "try 0\n"
    assert [child.tag for child in found["test_red"]] == ["failure", "rerunFailure", "system-out"]
    assert [child.tag for child in found["test_dies"]] == ["error", "rerunError"]
    skipped = found["test_skipped"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not <today>"
    text = file.read_text()
    assert not [char for char in text if ord(char) < 0x20 and char not in "\t\n"]
    assert "\u202e" not in text
    assert SECRET not in text


def test_ctrf__same_run__then_statuses_retries_and_flaky_are_there(sandbox: Sandbox) -> None:
    root = sandbox.project({"tests/test_it.py": SUITE})
    run = sandbox.run("run", root, "--retries", "1", "--json").run_id()
    report = json.loads(sandbox.run("export", run, "--ctrf", "-").out)
    summary, tests = report["results"]["summary"], report["results"]["tests"]
    assert report["reportFormat"] == "CTRF"
    assert (summary["tests"], summary["passed"], summary["failed"], summary["skipped"]) == (10, 5, 3, 2)
    assert summary["start"] <= summary["stop"]
    by_name = {test["name"]: test for test in tests}
    assert (by_name["test_flaky"]["flaky"], by_name["test_flaky"]["retries"]) == (True, 1)
    assert by_name["test_dies"]["rawStatus"] == "crashed"
    assert "ValueError" in by_name["test_red"]["trace"]
    assert SECRET not in json.dumps(report)


def test_json__then_the_journal_line_by_line(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    done = sandbox.run("run", root, "--json")
    exported = sandbox.run("export", done.run_id(), "--json", "-")
    assert [line["e"] for line in exported.lines()] == [line["e"] for line in done.lines()]


def test_junit__suite_cannot_be_collected__then_it_is_an_error_of_its_own(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "import nothing_of_the_kind\n"})
    file = root / "out.xml"
    assert sandbox.run("run", root, "--junit", file).code == 1
    (case,) = cases(file).values()
    error = case.find("error")
    assert error is not None
    assert "nothing_of_the_kind" in (error.get("message") or "")


@pytest.mark.parametrize("place", ["no/out.xml", "."])
def test_run__junit_has_no_place__then_told_before_anything_runs(sandbox: Sandbox, place: str) -> None:
    root = sandbox.project({"test_it.py": "open('ran', 'w').close()\ndef test_it(): ...\n"})
    done = sandbox.run("run", root, "--junit", root / place, cwd=root)
    assert (done.code, "cannot be written" in done.err) == (2, True), done.err
    assert not (root / "ran").exists()


def test_export__folder_is_not_there__then_says_so_and_leaves_nothing(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_it.py": "def test_it(): ...\n"})
    assert sandbox.run("run", root).code == 0
    done = sandbox.run("export", "last", "--junit", root / "no" / "out.xml")
    assert (done.code, "cannot be written" in done.err) == (2, True)
