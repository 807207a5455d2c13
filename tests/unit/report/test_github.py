"""What GitHub is given: ten errors of as many causes as there are, and a page that no text of a test can break."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.model.journals import PROPERTY, Journal
from tracekit.engine.view import RunView
from tracekit.report.github import Annotation, headline, notes, summary
from tracekit.wire import lines

HOSTILE = (
    "a|b\n::error::x\r##[error]y `c` **d** <img src=x> [l](http://e.example) @team &lt; \x1b[31m\u202e \\|"
)


def view_of(tmp_path: Path, journal: Journal) -> RunView:
    view = RunView("01RUN", str(tmp_path), tmp_path, link="attached")
    view.feed(b"".join(lines.encode(line) for line in journal.lines))
    view.mark("ended")
    return view


def red(journal: Journal, name: str, message: str, file: str = "tests/test_a.py", line: int = 3) -> Journal:
    scenario = f"pytest:{file}::{name}"
    frames = [
        {"file": file, "line": line + 4, "function": name, "own": True, "code": ""},
        {"file": "/usr/lib/python/json.py", "line": 9, "function": "loads", "own": False, "code": ""},
    ]
    chain = [{"type": "ValueError", "message": message, "relation": None, "frames": frames}]
    journal.found(scenario, file=file, line=line, path=[file, name], suite="")
    journal.start(scenario)
    journal.add("failure", scenario=scenario, attempt=1, when="call", cause="exception", chain=chain, text="")
    return journal.end("failed", scenario, cause="exception", d=20_000_000)


def started(tmp_path: Path, **fields: Any) -> Journal:
    suites = [{"name": "", "runner": "pytest", "cwd": str(tmp_path)}]
    return Journal().add("run.started", root=str(tmp_path), environment="local", suites=suites, **fields)


def test_notes__many_reds_of_few_causes__then_each_cause_first_and_ten_at_most(tmp_path: Path) -> None:
    journal = started(tmp_path)
    for number in range(30):
        red(journal, f"test_{number}", "pool exhausted" if number else "other")
    *errors, notice = notes(view_of(tmp_path, journal), str(tmp_path))
    assert len(errors) == 10
    assert [one.title for one in errors[:3]] == ["test_1", "test_0", "test_2"]
    assert "and 28 more with this cause" in errors[0].message
    assert "more with this cause" not in errors[2].message
    assert notice.level == "notice"
    assert "30 failed" in notice.message


def test_notes__a_failure__then_its_line_in_own_code_from_the_repository_on(tmp_path: Path) -> None:
    project = tmp_path / "services" / "api"
    journal = red(started(project), "test_x", "boom")
    view = view_of(project, journal)
    error, _ = notes(view, str(tmp_path))
    assert (error.file, error.line) == ("services/api/tests/test_a.py", 7)
    # A checkout elsewhere does not hold it: a message without a place is better than one at a wrong place.
    error, _ = notes(view, str(tmp_path / "other"))
    assert error.file == ""


def test_notes__a_crash_without_a_failure__then_its_reason_is_said_once(tmp_path: Path) -> None:
    scenario = "pytest:tests/test_a.py::test_dies"
    journal = started(tmp_path).found(scenario, file="tests/test_a.py", line=3, suite="").start(scenario)
    journal.end("crashed", scenario, cause="crash", reason="the process exited with status 3", exit=3)
    error, _ = notes(view_of(tmp_path, journal), str(tmp_path))
    assert error.message == f"{scenario} crashed: the process exited with status 3"


def test_notes__a_run_of_another_machine__then_paths_of_this_one(tmp_path: Path) -> None:
    suites = [{"name": "", "runner": "pytest", "cwd": "/srv/app/sub"}]
    journal = Journal().add("run.started", root="/srv/app", suites=suites)
    error, _ = notes(view_of(tmp_path, red(journal, "test_x", "boom")), str(tmp_path))
    assert error.file == "sub/tests/test_a.py"


def test_notes__quarantined_and_expired__then_only_what_counts(tmp_path: Path) -> None:
    held = {"owner": "ada", "reason": "why", "since": "2026-01-01", "expires": "2026-01-15"}
    entries = [
        {**held, "scenario": "*::test_held", "expired": False},
        {**held, "scenario": "*::test_over", "expired": True},
    ]
    journal = red(red(started(tmp_path, quarantine=entries), "test_held", "a"), "test_over", "b")
    view = view_of(tmp_path, journal)
    (error, notice) = notes(view, str(tmp_path))
    assert error.title == "test_over"
    assert "expired on 2026-01-15; owner: ada" in error.message
    assert "1 of the red in quarantine, not counted" in notice.message
    page = summary(view)
    assert "#### Quarantine" in page
    assert page.count("| 1 |") == 1  # one cause counts


def test_notes__what_could_not_be_collected__then_the_first_error_at_its_file(tmp_path: Path) -> None:
    journal = red(started(tmp_path), "test_x", "boom")
    journal.add("discover.failed", suite="", file="tests/test_b.py", message="No module named 'x'", remedy="")
    first = notes(view_of(tmp_path, journal), str(tmp_path))[0]
    assert first.file == "tests/test_b.py"
    assert "No module named 'x'" in first.message


def test_command__hostile_text__then_one_line_and_properties_that_cannot_be_left() -> None:
    line = Annotation("error", f"t,line=9::{HOSTILE}", HOSTILE, "a,b:c.py", 4).command()
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    head, told = re.fullmatch(r"::error (.*?)::(.*)", line).groups()  # type: ignore[union-attr]
    fields = dict(part.split("=", 1) for part in head.split(","))
    assert set(fields) == {"file", "line", "title"}
    assert fields["line"] == "4"
    assert fields["file"] == "a%2Cb%3Ac.py"
    assert "%0A" in told


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)


def test_summary__hostile_names__then_no_tag_link_or_extra_cell(tmp_path: Path) -> None:
    view = view_of(tmp_path, red(started(tmp_path), HOSTILE, HOSTILE))
    page = summary(view)
    tags = _Tags()
    tags.feed(page)
    assert tags.seen == {"code"}
    assert "](" not in page
    assert "`" not in page
    assert "@" not in page
    assert "\x1b" not in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5, 3}
    assert "a|b" in html.unescape(page)  # it is still told


@PROPERTY
@given(st.text())
def test_summary__any_name__then_the_same_rows(name: str) -> None:
    base = Path("/p")
    plain = summary(view_of(base, red(started(base), "x", "m")))
    page = summary(view_of(base, red(started(base), name, name)))
    assert [line.count("|") for line in page.split("\n")] == [line.count("|") for line in plain.split("\n")]


def test_summary__more_than_fits__then_cut_behind_a_whole_row(tmp_path: Path) -> None:
    journal = started(tmp_path)
    for number in range(60):
        red(journal, f"test_{number}", f"cause {chr(97 + number % 26)}{chr(97 + number // 26)} " * 20)
    view = view_of(tmp_path, journal)
    whole = summary(view)
    for room in (0, 10, 1000, 4000, len(whole.encode()) - 1):
        page = summary(view, room)
        assert len(page.encode()) <= room
        assert not page or page.endswith("did not fit.*\n")
        assert whole.startswith(page.partition("\n\n*The rest")[0])
    assert summary(view, len(whole.encode()) + 100) == whole


@pytest.mark.parametrize("verdict", ["passed", "skipped"])
def test_headline__nothing_red__then_no_table_of_causes(tmp_path: Path, verdict: str) -> None:
    journal = started(tmp_path).ran(verdict)
    view = view_of(tmp_path, journal)
    assert headline(view).startswith(f"1 {verdict}")
    assert "#### Causes" not in summary(view)
    assert len(notes(view, str(tmp_path))) == 1


def test_notes_and_page__flaky_and_left_something_behind__then_a_warning_and_a_row_each(
    tmp_path: Path,
) -> None:
    journal = red(started(tmp_path), "test_it", "pool exhausted")
    scenario = "pytest:tests/test_a.py::test_it"
    leaks = [{"kind": "port", "what": "127.0.0.1:8000", "detail": "listening"}]
    journal.start(scenario, attempt=2).end("passed", scenario, attempt=2, d=1_000_000, leaks=leaks)
    view = view_of(tmp_path, journal)
    warning, notice = notes(view, str(tmp_path))
    assert (warning.level, warning.file, warning.line) == ("warning", "tests/test_a.py", 7)
    assert warning.message.endswith("is flaky: failed, passed")
    assert "1 flaky" in notice.message
    page = html.unescape(summary(view))
    assert "Left behind" in page
    assert "port 127.0.0.1:8000" in page
    assert "Slowest" not in page
