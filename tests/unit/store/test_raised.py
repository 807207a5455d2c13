"""What a trace knows of the exceptions that were raised during an attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.raising import traced
from tracekit.store.raised import MOST, raised
from tracekit.store.tracewindow import About, Window

TEST, OTHER = "pytest:test_a.py::test_it", "pytest:test_a.py::test_other"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box's folder with the trace of a process that has ended."""
    others = ("OSError", "refused", "/p/venv/lib/site-packages/http.py", 8, 1)
    loop = ("StopIteration", "", "/p/shop.py", 9, 1)
    told = {
        name: [("KeyError", "no #", "/p/shop.py", 7, count), others, loop]
        for name, count in ((TEST, 3), (OTHER, 450))
    }
    return traced(tmp_path_factory.mktemp("raised"), told)


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
