"""What a trace knows of the exceptions that were raised during an attempt."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tracekit import _native
from tracekit.store.raised import MOST, raised
from tracekit.store.tracewindow import About, Window

TEST, OTHER = "pytest:test_a.py::test_it", "pytest:test_a.py::test_other"
WRITER = """\
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
library, rings = sys.argv[1:]
box = module_from_spec(spec_from_loader("_tkbox", ExtensionFileLoader("_tkbox", library)))
box.open(rings, 0, 0, 0, 0, 0)
for name, count in (("pytest:test_a.py::test_it", 3), ("pytest:test_a.py::test_other", 450)):
    scenario = box.text(name)
    box.scenario(scenario, 1)
    for number in range(count):
        box.exception("KeyError", f"no {number}", "/p/shop.py", 7)
    box.exception("OSError", "refused", "/p/venv/lib/site-packages/http.py", 8)
    box.exception("StopIteration", "", "/p/shop.py", 9)
    box.scenario(scenario, box.text("failed"), True)
box.close()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box's folder with the trace of a process that has ended."""
    place = tmp_path_factory.mktemp("raised")
    library = place / "box.so"
    library.write_bytes(_native.box_library())
    command = [sys.executable, "-c", WRITER, os.fspath(library), os.fspath(place / "rings")]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    _native.recover_trace(place / "rings", place, [])
    return place


def test_attempt__then_its_exceptions_in_their_order_and_whose_they_are(folder: Path) -> None:
    told = raised(Window(folder, "01K"), About(scenarios=(TEST,)), "/p")

    assert [(one.type, one.message, one.file, one.line, one.own) for one in told] == [
        ("KeyError", "no 0", "shop.py", 7, True),
        ("KeyError", "no 1", "shop.py", 7, True),
        ("KeyError", "no 2", "shop.py", 7, True),
        ("OSError", "refused", "/p/venv/lib/site-packages/http.py", 8, False),
    ]


def test_many__then_the_last_ones(folder: Path) -> None:
    told = raised(Window(folder, "01K"), About(scenarios=(OTHER,)), "/p")

    assert len(told) == MOST - 1
    assert told[-2].message == "no 449"


def test_untraced_run__then_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "journal.ndjson").write_bytes(b"")

    assert raised(Window(tmp_path, "01K"), About(scenarios=(TEST,)), "/p") == []
