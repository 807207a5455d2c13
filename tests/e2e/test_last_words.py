"""What a test printed in the moment before it took its process down is told as what it printed at leisure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Done, Sandbox

DIES = """
import ctypes, os, signal, sys
import pytest

WAYS = {
    "exits": lambda: os._exit(3),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfaults": lambda: ctypes.string_at(0),
}

@pytest.fixture
def prepared():
    print("while it was set up")

@pytest.mark.parametrize("way", WAYS)
def test_dies(way, prepared):
    print("first words of", way)
    sys.stderr.write("to the other stream\\n")
    print("last words of", way, "with s3cr3t-word")
    WAYS[way]()

def test_lives():
    print("alive")
"""
TABLE = """
[suite.it]
[suite.it.env]
WORD = { secret = true, from = "env:WORD" }
"""


def printed(done: Done, scenario: str, stream: str) -> str:
    lines = [line for line in done.of("output") if line.get("scenario") == scenario]
    return "".join(line["text"] for line in lines if line["stream"] == stream)


@pytest.mark.parametrize("spread", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_output__printed_just_before_a_death__then_whole_and_the_test_s_own(
    tmp_path: Path, spread: tuple[str, ...]
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_it.py": DIES, "tracekit.toml": TABLE})
    done = sandbox.run("run", root, "--json", "--", *spread, env={**sandbox.environ, "WORD": "s3cr3t-word"})
    verdicts = done.verdicts()
    for way in ("exits", "killed", "segfaults"):
        scenario = f"pytest@it:test_it.py::test_dies[{way}]"
        assert verdicts[scenario] == "crashed"
        words = printed(done, scenario, "stdout")
        assert words.startswith(f"while it was set up\nfirst words of {way}\nlast words of {way} with "), (
            words
        )
        assert words.count("\n") == 3
        assert printed(done, scenario, "stderr") == "to the other stream\n"
    assert printed(done, "pytest@it:test_it.py::test_lives", "stdout") == "alive\n"
    assert not done.of("gap")
    assert "s3cr3t-word" not in done.out
