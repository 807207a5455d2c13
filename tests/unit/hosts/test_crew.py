"""Processes of tests beside each other: none keeps another from its own end and its own words."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tracekit.agent.hosts.crew import Crew, End, Word
from tracekit.agent.system import System
from tracekit.wire.lines import decode

#: Longer than anything here takes; a flood that nobody stops ends by itself.
PATIENCE = 60
FLOOD = 128 << 20


@dataclass
class Shell:
    """A test that is a line of shell."""

    scenario: str
    line: str
    cwd: str
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def command(self) -> list[str]:
        return ["/bin/sh", "-c", self.line]

    def begin(self) -> None:
        """Nothing is to be prepared."""

    def own(self, data: bytes) -> bytes:
        return data

    def ended(self, end: End) -> tuple[bytes, Word]:
        return b"", Word("passed" if end.code == 0 else "failed", None, end.how)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)


def told(spool: Path) -> list[dict[str, Any]]:
    lines = [
        line for path in spool.glob("slot*.ndjson") for line in path.read_bytes().splitlines(keepends=True)
    ]
    return sorted(map(decode, lines), key=lambda line: int(line["m"]))


def ends(spool: Path) -> dict[str, dict[str, Any]]:
    return {line["scenario"]: line for line in told(spool) if line["e"] == "attempt.ended"}


def printed(spool: Path, scenario: str) -> int:
    return sum(
        line["length"] for line in told(spool) if line["e"] == "output" and line["scenario"] == scenario
    )


def test_flood__beside_others__then_they_end_in_their_own_time_and_all_of_it_is_told(tmp_path: Path) -> None:
    spool, cwd = tmp_path / "spool", str(tmp_path)
    spool.mkdir()
    jobs = [
        Shell("flood", f"touch begun; head -c {FLOOD} /dev/zero", cwd),
        Shell("short", "until [ -e begun ]; do :; done; echo its own words; exit 3", cwd),
    ]
    crew = Crew(System(), str(spool), "L1", 2, {})
    crew.run(jobs)
    found = ends(spool)
    assert {name: line["verdict"] for name, line in found.items()} == {"flood": "passed", "short": "failed"}
    assert found["short"]["reason"] == "exited with status 3"
    assert (printed(spool, "short"), printed(spool, "flood")) == (len(b"its own words\n"), FLOOD)
    last = max(line["m"] for line in told(spool) if line["e"] == "output" and line["scenario"] == "flood")
    assert found["short"]["m"] < last


def test_output__written_on_by_what_outlives_its_test__then_the_test_ends_with_what_was_there(
    tmp_path: Path,
) -> None:
    spool, cwd = tmp_path / "spool", str(tmp_path)
    spool.mkdir()
    outlives = (
        f"setsid timeout {PATIENCE} sh -c 'echo $$ > pid; until [ -e over ]; do echo on and on; done' &"
    )
    line = f"echo begun; {outlives} until [ -s pid ]; do :; done"
    crew = Crew(System(), str(spool), "L1", 1, {})
    crew.run([Shell("parent", line, cwd), Shell("next", "touch over", cwd)])
    assert {name: line["verdict"] for name, line in ends(spool).items()} == {
        "parent": "passed",
        "next": "passed",
    }


def test_stop__one_that_ended_is_still_read__then_nobody_is_signalled_in_its_place(tmp_path: Path) -> None:
    spool, cwd = tmp_path / "spool", str(tmp_path)
    spool.mkdir()
    crew = Crew(System(), str(spool), "L1", 1, {})

    class Stopping(Shell):
        def own(self, data: bytes) -> bytes:
            crew.stop()
            return data

    crew.run([Stopping("much", "head -c 9000000 /dev/zero", cwd), Shell("next", "true", cwd)])
    assert set(ends(spool)) <= {"much"}
    assert "next" not in {line.get("scenario") for line in told(spool)}
