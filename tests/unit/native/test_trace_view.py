"""The native window into a trace: what a process recorded, as rows for a screen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracekit import _native
from tracekit.store.tracewindow import About, Window
from tracekit.ui.panes.events import note_line
from tracekit.ui.theme import palette

WRITER = """\
import logging, sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
library, rings = sys.argv[1:]
box = module_from_spec(spec_from_loader("_tkbox", ExtensionFileLoader("_tkbox", library)))
box.open(rings, 1, 0, 0, 0, 0)
scenario = box.text("pytest:test_a.py::test_it")
box.scenario(scenario, 1)
logging.Logger.callHandlers = box.watch_logs(logging.Logger.callHandlers)
for number in range(100):
    logging.getLogger("shop").warning("item %d \\x1b]0;title\\x07", number)
box.exception("KeyError", "'cart' of hunter2", "/p/shop.py", 7)
box.scenario(scenario, box.text("failed"), True)
box.close()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A box's folder with the trace of a process that has ended."""
    library = tmp_path / "box.so"
    library.write_bytes(_native.box_library())
    command = [sys.executable, "-c", WRITER, os.fspath(library), os.fspath(tmp_path / "rings")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    taken, lost, strange = _native.recover_trace(tmp_path / "rings", tmp_path, [(b"hunter2", b"(secret)")])
    assert (taken, lost, strange) == (103, 0, [])
    return tmp_path


def test_view__of_a_trace__then_its_rows_by_number(folder: Path) -> None:
    view = _native.TraceView(folder)
    assert len(view) == 104
    assert dict(view.kinds()) == {
        "scenario.start": 1,
        "log": 100,
        "exception": 1,
        "scenario.end": 1,
        "lane.end": 1,
    }
    (row,) = view.rows(50, 1)
    assert (row.kind, row.level, row.name, row.scenario) == (
        "log",
        "warning",
        "shop",
        "pytest:test_a.py::test_it",
    )
    assert row.text.startswith("item 49 ")
    assert view.rows(104, 10) == []
    assert [len(view.rows(start, 30)) for start in (0, 90, 103)] == [30, 14, 1]
    (lane,) = view.lanes()
    assert lane[4] == "durable"


def test_view__through_a_filter__then_only_what_passes_and_a_fault_changes_nothing(folder: Path) -> None:
    view = _native.TraceView(folder)
    view.filter("level>=error")
    (row,) = view.rows(0, 10)
    assert (row.name, row.text, row.file, row.line) == ("KeyError", "'cart' of (secret)", "/p/shop.py", 7)
    with pytest.raises(ValueError, match=r"did you mean level\?"):
        view.filter("levvel>=error")
    assert len(view) == 1
    view.filter("")
    assert len(view) == 104


def test_view__as_a_screen_shows_it__then_every_text_is_safe(folder: Path) -> None:
    view = _native.TraceView(folder)
    view.filter("kind:log")
    for _, _, kind, level, _, _, name, text, place in view.shown(0, 100, 40):
        assert (kind, level, name.text) == ("log", "warning", "shop")
        assert text.text.isprintable()
        assert "\x1b" not in place.text
        assert text.columns <= 40


def test_view__of_a_journal__then_its_lines_are_rows_of_the_same_kind(folder: Path) -> None:
    lines = (
        '{"v":1,"n":1,"m":5,"src":"local/main/1-1","e":"attempt.started","scenario":"pytest:a"}\n'
        '{"v":1,"n":2,"m":9,"src":"local/main/1-1","e":"attempt.ended","scenario":"pytest:a","verdict":"failed"}\n'
        '{"v":1,"n":3,"m":9,"src":"local/daemon/1-1","e":"ingested"}\n'
        "no line at all\n"
        '{"torn":'
    )
    (folder / "journal.ndjson").write_text(lines)
    view = _native.TraceView(folder, journal=True)
    assert [(row.time, row.kind, row.level) for row in view.rows(0, 9)] == [
        (5, "attempt.started", "none"),
        (9, "attempt.ended", "error"),
    ]
    view.filter("level:error")
    assert len(view) == 1
    with (folder / "journal.ndjson").open("a") as journal:
        journal.write('0}\n{"v":1,"n":4,"m":12,"src":"local/main/1-1","e":"failure","message":"late"}\n')
    assert view.poll() == 1
    assert view.rows(1, 1)[0].text == "late"


def test_trace__with_a_damaged_block__then_verified_as_such_and_the_rest_is_there(folder: Path) -> None:
    lanes, records, lost, blocks, complete, faults = _native.verify_trace(folder)
    assert (lanes, records, lost, complete, faults) == (1, 103, 0, True, [])
    assert blocks >= 1
    segment = folder / "trace" / "seg-000000.tks"
    data = bytearray(segment.read_bytes())
    data[-5] ^= 0xFF
    segment.write_bytes(data)
    assert _native.verify_trace(folder)[5]
    assert len(_native.TraceView(folder)) <= 104


@pytest.mark.parametrize("rows", ["trace", "journal"])
def test_window__of_a_damaged_trace__then_the_pane_says_so_once_the_run_is_over(
    folder: Path, rows: str
) -> None:
    def noted() -> tuple[str, str]:
        window = Window(folder, "run")
        window.look(About(), "")
        window.shown(0, 50, 80)
        over, live = (note_line(window, palette(), live=live) for live in (False, True))
        return over.text if over is not None else "", live.text if live is not None else ""

    assert noted() == ("", "")
    (segment,) = (folder / "trace").glob("seg-*.tks")
    content = bytearray(segment.read_bytes())
    if rows == "trace":
        content += b"no block at all" * 20
    else:
        content[20] ^= 1
    segment.write_bytes(content)
    over, live = noted()
    assert "bytes of the trace cannot be read" in over
    assert ("the journal's lines" in over) == (rows == "journal")
    assert "cannot be read" not in live
