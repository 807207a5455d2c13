"""A report that was cut, on the screen: a part of a run, a test without an end, and nothing that would run it again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.cli import Sandbox
from tests.support.terminal import Terminal

ROWS = [
    {"Action": "run", "Package": "shop", "Test": "adds"},
    {"Action": "pass", "Package": "shop", "Test": "adds", "Elapsed": 0.5},
    {"Action": "run", "Package": "shop", "Test": "pays"},
]


def test_import__report_that_was_cut__then_its_screen_says_so_and_runs_nothing(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home")
    (sandbox.home / "cut").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    run = sandbox.run("import", "cut", "--json").lines()[0]["run"]
    terminal = Terminal(
        ["-m", "tracekit.cli.main", "tui", "--replay", run], size=(120, 36), env=sandbox.environ
    )
    try:
        assert terminal.until(lambda: terminal.shows("NOT WHOLE")), "\n".join(terminal.display)
        terminal.keys("G")
        assert terminal.until(lambda: terminal.shows("recorded elsewhere")), "\n".join(terminal.display)
        assert not terminal.shows("tracekit run")
        terminal.keys("2")
        assert terminal.until(lambda: terminal.shows("no end in the report")), "\n".join(terminal.display)
        terminal.keys("r")
        assert terminal.until(lambda: terminal.shows("a runs what is here")), "\n".join(terminal.display)
    finally:
        terminal.close()
    assert [row["run"] for row in sandbox.run("runs", "--json").lines()] == [run]
