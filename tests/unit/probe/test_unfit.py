"""An interpreter that the tracer does not know: nothing is traced, it is said, and nothing is raised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import _tkprobe

PATIENCE = 60
#: Changed before the tracer begins, as it stands on such an interpreter.
STARTS = """
import sys
{change}
from _tkprobe import tracing
said = []
assert tracing.start(
    {{"TRACEKIT_TRACE": "calls", "TRACEKIT_RINGS": "/nowhere/rings", "TRACEKIT_BOX": "/nowhere/box.so"}}, said.append
) is None
print(*said)
"""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("sys.version_info = (3, 8, 20, 'final', 0)", "Python 3.8 is older than the tracer knows"),
        ("sys.version_info = (3, 99, 0, 'final', 0)", "Python 3.99 is newer than the tracer knows"),
        ("sys.implementation.name = 'pypy'", "pypy is not traced"),
        ("sys.abiflags = 't'", "this build of Python lays its objects out in another way"),
        ("", "there is no tracer for this machine"),
    ],
)
def test_start__on_an_interpreter_that_is_unknown__then_said_and_nothing_is_loaded(
    change: str, why: str
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(_tkprobe.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", STARTS.format(change=change)],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, why), done.stderr
