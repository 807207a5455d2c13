"""What kept tests from being found names the box where its remedy is to be done."""

from __future__ import annotations

import pytest

from tracekit.cli.painting import Paint
from tracekit.cli.summary import trouble
from tracekit.engine.launching import undiscovered
from tracekit.model.facts import Notice
from tracekit.wire.problems import Problem

WHAT, DO = "/usr/bin/python3 has no pytest", "run `apt install python3-pytest`"


@pytest.mark.parametrize(
    ("suite", "environment", "where", "action"),
    [
        ("", "local", "", DO),
        ("api", "", "api", DO),
        ("", "box7", "box7", f"on box7: {DO}"),
        ("api", "box7", "api on box7", f"on box7: {DO}"),
    ],
)
def test_undiscovered__on_a_box_or_here__then_the_box_is_named(
    suite: str, environment: str, where: str, action: str
) -> None:
    notice = Notice("discovery", suite, WHAT, action=DO)
    assert undiscovered(notice, environment) == Problem("discover.failed", WHAT, where, action)


@pytest.mark.parametrize(("suite", "told"), [("", " [box7]"), ("api", " [api on box7]")])
def test_trouble__of_a_suite_without_a_name__then_the_box_is_named_all_the_same(
    suite: str, told: str
) -> None:
    lines = list(trouble(Notice("launch", suite, WHAT, action=DO), Paint(on=False), "", "box7"))
    assert lines == [f"✗ {WHAT}{told}", f"    → on box7: {DO}"]
