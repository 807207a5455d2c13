"""A recorded run on disk, small enough to damage by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracekit.store.runs import RunFolder, RunStore
from tracekit.wire import lines
from tracekit.wire.ids import new_ulid

Recorded = Callable[..., RunFolder]


def journal_line(run: str, n: int, event: str, **fields: Any) -> bytes:
    """One line of the only source of a small journal."""
    head = {
        "v": 1,
        "n": n,
        "src": "local/main/1-1",
        "t": 10**18 + n * 10**6,
        "m": n * 10**6,
        "run": run,
        "e": event,
    }
    return lines.encode({**head, **fields})


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    """A store in a state directory of its own."""
    return RunStore(tmp_path / "state")


@pytest.fixture
def recorded(store: RunStore) -> Recorded:
    """Records a run with one red and one green scenario; `verdict` is the red one's."""

    def record(
        at: int = 1, *, verdict: str = "failed", parent: str | None = None, output: bytes = b"hello"
    ) -> RunFolder:
        run = new_ulid(at, b"\0" * 10)
        folder = store.create(run, {"run": run, "root": "/srv/app", "parent": parent, "plan": {}})
        folder.box_dir.mkdir()
        (folder.box_dir / "output.bin").write_bytes(output)
        red, green = "pytest:t.py::red", "pytest:t.py::green"
        folder.journal.write_bytes(
            b"".join(
                (
                    journal_line(
                        run, 1, "run.started", root="/srv/app", environment="local", parent=parent, mode="run"
                    ),
                    journal_line(run, 2, "attempt.started", scenario=red, attempt=1),
                    journal_line(
                        run,
                        3,
                        "output",
                        scenario=red,
                        attempt=1,
                        stream="stdout",
                        offset=0,
                        length=len(output),
                    ),
                    journal_line(run, 4, "attempt.ended", scenario=red, attempt=1, verdict=verdict, d=5),
                    journal_line(run, 5, "attempt.started", scenario=green, attempt=1),
                    journal_line(run, 6, "attempt.ended", scenario=green, attempt=1, verdict="passed", d=7),
                    journal_line(
                        run, 7, "run.ended", reason="finished", verdicts=dict(Counter((verdict, "passed")))
                    ),
                    journal_line(run, 8, "ingested", at={}, out=len(output)),
                )
            )
        )
        return folder

    return record
