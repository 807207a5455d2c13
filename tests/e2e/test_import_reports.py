"""Reports of other tools as runs: every format, half written ones, a watched directory; nothing is run again."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.cli import Sandbox

JUNIT = """<testsuites><testsuite name="shop"><testcase classname="Cart" name="adds" time="0.5"/>
<testcase classname="Cart" name="pays" file="cart.py" line="7"><failure type="AssertionError" message="no money">
because</failure><system-out>out of it</system-out></testcase></testsuite></testsuites>"""
TAP = "TAP version 14\n1..2\nok 1 - adds # time=12ms\nnot ok 2 - pays\n  ---\n  message: 'no money'\n  ...\n"
GO: list[dict[str, object]] = [
    {"Action": "run", "Package": "shop", "Test": "adds"},
    {"Action": "pass", "Package": "shop", "Test": "adds", "Elapsed": 0.5},
    {"Action": "run", "Package": "shop", "Test": "pays"},
    {"Action": "run", "Package": "shop", "Test": "pays/cash"},
    {"Action": "output", "Package": "shop", "Test": "pays/cash", "Output": "    a_test.go:7: no money\n"},
    {"Action": "fail", "Package": "shop", "Test": "pays/cash", "Elapsed": 0.1},
    {"Action": "fail", "Package": "shop", "Test": "pays", "Elapsed": 0.1},
    {"Action": "fail", "Package": "shop", "Elapsed": 0.7},
]
LIBTEST: list[dict[str, object]] = [
    {"type": "suite", "event": "started", "test_count": 2},
    {"type": "test", "event": "started", "name": "shop::adds"},
    {"type": "test", "name": "shop::adds", "event": "ok", "exec_time": 0.5},
    {"type": "test", "event": "started", "name": "shop::pays"},
    {"type": "test", "name": "shop::pays", "event": "failed", "stdout": "no money\n"},
    {"type": "suite", "event": "failed"},
]
TESTS = [
    {"name": "adds", "status": "passed", "duration": 5},
    {"name": "pays", "status": "failed", "message": "no"},
]
CTRF = {"results": {"tool": {"name": "x"}, "tests": TESTS}}


def rows(events: list[dict[str, object]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


REPORTS = {
    "junit": (JUNIT, {"junit:Cart::adds": "passed", "junit:Cart::pays": "failed"}),
    "tap": (TAP, {"tap:adds": "passed", "tap:pays": "failed"}),
    "gotest": (rows(GO), {"gotest:shop::adds": "passed", "gotest:shop::pays": "failed"}),
    "libtest": (rows(LIBTEST), {"libtest:shop::adds": "passed", "libtest:shop::pays": "failed"}),
    "ctrf": (json.dumps(CTRF), {"ctrf:adds": "passed", "ctrf:pays": "failed"}),
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def shown(sandbox: Sandbox, run: str) -> dict[str, str]:
    lines = sandbox.run("show", run, "--json").lines()
    return {line["id"]: line["verdict"] for line in lines if "id" in line and "▸" not in line["id"]}


@pytest.mark.parametrize("form", list(REPORTS))
def test_import__a_report_of_each_format__then_a_run_like_any_other(sandbox: Sandbox, form: str) -> None:
    text, verdicts = REPORTS[form]
    (sandbox.home / "report").write_text(text)
    done = sandbox.run("import", "report", "--json")
    assert done.code == 0, done.err
    (told,) = done.lines()
    run = told["run"]
    assert told["new"]
    assert shown(sandbox, run) == verdicts
    assert sandbox.run("verify", run).code == 0
    (again,) = sandbox.run("import", "report", "--json").lines()
    assert (again["run"], again["new"]) == (run, False)
    exported = sandbox.run("export", run, "--junit", "-")
    assert "pays" in exported.out
    refused = sandbox.run("rerun", run)
    assert refused.code != 0
    assert "recorded elsewhere" in refused.err


def test_import__several_reports_and_a_name__then_one_run_of_that_suite(sandbox: Sandbox) -> None:
    (sandbox.home / "a.xml").write_text(JUNIT)
    (sandbox.home / "b.tap").write_text(TAP)
    (told,) = sandbox.run("import", "a.xml", "b.tap", "--suite", "nightly", "--json").lines()
    assert set(shown(sandbox, told["run"])) == {
        "junit@nightly:Cart::adds",
        "junit@nightly:Cart::pays",
        "tap@nightly:adds",
        "tap@nightly:pays",
    }


def test_import__two_reports_of_one_suite__then_compared_test_by_test(sandbox: Sandbox) -> None:
    (sandbox.home / "a.tap").write_text(TAP)
    (sandbox.home / "b.tap").write_text(TAP.replace("not ok 2", "ok 2"))
    runs = [sandbox.run("import", name, "--json").lines()[0]["run"] for name in ("a.tap", "b.tap")]
    compared = sandbox.run("compare", *runs)
    assert "tap:pays" in compared.out


#: Each format, cut while `pays` was told: where the cut is, and how `pays` stands then.
CUTS = {
    "junit": (JUNIT.index("<failure"), "lost"),
    "tap": (TAP.index("not ok 2") + 5, ""),
    "gotest": (len(rows(GO[:3])), "lost"),
    "libtest": (len(rows(LIBTEST[:4])), "lost"),
    "ctrf": (json.dumps(CTRF).index('"failed"'), "lost"),
}


@pytest.mark.parametrize("form", list(REPORTS))
def test_import__report_cut_in_the_middle__then_part_of_a_run_and_no_end_that_nobody_told(
    sandbox: Sandbox, form: str
) -> None:
    text, verdicts = REPORTS[form]
    at, word = CUTS[form]
    (sandbox.home / "cut").write_text(text[:at])
    done = sandbox.run("import", "cut", "--json")
    assert done.code == 1
    assert "the report is not whole" in done.err
    (told,) = done.lines()
    assert (told["whole"], "crashed" in told["counts"]) == (False, False)
    run = told["run"]
    adds, pays = verdicts
    assert shown(sandbox, run) == {adds: "passed", **({pays: word} if word else {})}
    assert [line["reason"] for line in sandbox.run("runs", "--json").lines()] == ["cut-short"]
    words = sandbox.run("show", run).out
    assert "the report is not whole" in words
    assert "rerun: " not in words
    if word:
        assert "no end in the report" in sandbox.run("show", run, pays).out
    assert sandbox.run("verify", run).code == 0


def test_import__go_report_whose_package_ended__then_the_test_that_ended_it_is_crashed(
    sandbox: Sandbox,
) -> None:
    ended: list[dict[str, object]] = [
        *GO[:3],
        {"Action": "output", "Package": "shop", "Output": "exit status 3\n"},
        {"Action": "fail", "Package": "shop"},
    ]
    (sandbox.home / "whole").write_text(rows(ended))
    done = sandbox.run("import", "whole", "--json")
    assert (done.code, done.lines()[0]["counts"]) == (0, {"passed": 1, "crashed": 1})
    words = sandbox.run("show", done.lines()[0]["run"]).out
    assert "the process of its package ended during it: exit status 3" in words
    assert ":0" not in words


@pytest.mark.parametrize("text", ["", "hello\n", "<html></html>", "{}", "TAP version 14\n1..0\n"])
def test_import__no_report__then_refused_and_nothing_left(sandbox: Sandbox, text: str) -> None:
    (sandbox.home / "file").write_text(text)
    done = sandbox.run("import", "file")
    assert done.code == 2
    assert "file" in done.err
    assert not list(sandbox.state.glob("runs/*"))


def test_import__standard_input__then_read_to_its_end(sandbox: Sandbox) -> None:
    with (sandbox.home / "report").open("w+") as file:
        file.write(rows(GO))
        file.seek(0)
        done = sandbox.run("import", "-", "--json", stdin=file)
    assert done.lines()[0]["counts"] == {"passed": 1, "failed": 1}


def test_import__a_watched_directory__then_each_report_that_comes_or_changes_is_a_run(
    sandbox: Sandbox,
) -> None:
    folder = sandbox.home / "reports"
    folder.mkdir()
    (folder / "notes.txt").write_text("nothing of ours\n")
    (folder / "first.tap").write_text(TAP)
    process = sandbox.start("import", "--watch", folder, "--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert first["counts"] == {"passed": 1, "failed": 1}
    (folder / "first.tap").write_text(TAP.replace("not ok 2", "ok 2"))
    os.utime(folder / "first.tap", (2_000_000_000, 2_000_000_000))
    assert json.loads(process.stdout.readline())["counts"] == {"passed": 2}
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert (rest, process.returncode) == (b"", 0)
