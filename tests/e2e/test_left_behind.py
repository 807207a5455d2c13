"""Tests that leave processes behind: nothing of them outlives the run, and whose output is doubtful is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox

# One per way of getting away: a child that ignores TERM and prints on; one that leaves the session twice; one without
# the environment that it was born with.
LEAVES = """
import os, pathlib, subprocess, sys, time, unittest

HERE = pathlib.Path(__file__).parent
TALKS = '''
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("left", flush=True)
while True:
    time.sleep(0.02)
    print("late", flush=True)
'''
HIDES = '''
import os, sys, time
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
open(sys.argv[1], "w").close()
time.sleep(600)
'''

def left(name, text, **more):
    return subprocess.Popen([sys.executable, "-c", text, str(HERE / name)], **more)

def seen(fact):
    while not fact():
        time.sleep(0.01)

class Leaves(unittest.TestCase):
    def test_a_before(self):
        print("before")
    def test_b_hides(self):
        left("hides", HIDES).wait()
        seen((HERE / "hides").exists)
    def test_c_forgets_its_environment(self):
        left("forgets", HIDES, env={}).wait()
        seen((HERE / "forgets").exists)
    def test_d_talks(self):
        Leaves.child = left("talks", TALKS)
        time.sleep(0.3)
    def test_e_after(self):
        print("after")
        time.sleep(0.3)
"""
UNITTEST = '[suite.api]\nrunner = "unittest"\n'
WAYS = {"plain": ((), ""), "n2": (("--", "-n", "2", "--dist", "loadfile"), ""), "unittest": ((), UNITTEST)}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def alive(folder: Path) -> list[str]:
    """The command lines of this machine that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.startswith(bytes(folder)) for word in words):
                found.append(" ".join(word.decode(errors="replace") for word in words))
    return found


def test_processes_left_behind__then_all_verdicts_stand_and_none_outlives_the_run(
    tmp_path: Path, way: str
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    words, profile = WAYS[way]
    root = sandbox.project({"test_it.py": LEAVES, **({"tracekit.toml": profile} if profile else {})})

    done = sandbox.run("run", root, "--json", *words)

    assert done.code == 0, done.err
    assert sorted(done.verdicts().values()) == ["passed"] * 5
    assert [line for line in alive(root) if "-c" in line] == []
    (talks,) = (line for line in done.of("attempt.ended") if line["scenario"].endswith("test_d_talks"))
    assert [leak["kind"] for leak in talks["leaks"]] == ["process"]
    assert "left something behind" in sandbox.run("show", done.run_id()).out
    for form, sign in (("junit", 'name="tracekit.leak.1"'), ("ctrf", '"kind": "process"')):
        file = tmp_path / f"report.{form}"
        assert sandbox.run("export", done.run_id(), f"--{form}", file).code == 0
        assert sign in file.read_text()
    marks: dict[str, set[str]] = {}
    for line in done.of("output"):
        name = str(line.get("scenario")).rpartition("::")[2]
        marks.setdefault(name, set()).add(line["attribution"])
    assert (marks["test_a_before"], marks["test_e_after"]) == ({"exact"}, {"inferred"})
