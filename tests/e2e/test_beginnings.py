"""How a command begins and ends: an agent that loads before it is needed, and a program that leaves at once."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Sandbox, processes_with
from tests.support.until import until
from tracekit.agent.carry import MARKER
from tracekit.link.bridge import Bridge

PASSES = "def test_passes():\n    pass\n"
ENDING = """
import sys, threading, weakref
from pathlib import Path
from tracekit.cli import main
from tracekit.cli.commands import runs_command

class Held:
    pass

held = Held()
weakref.finalize(held, lambda: Path(sys.argv[1]).write_text("taken away"))
asked = threading.Event()
def late():
    asked.wait()
    Path(sys.argv[2]).write_text("was waited for")
def run(args):
    threading.Thread(target=late).start()
    sys.stdout.write("said")
    asked.set()
    return 5
runs_command.run = run
main.main.__defaults__ = (["runs"],)
main.program()
"""

INTERRUPTED = """
import signal, sys
from tracekit.cli import early, main

begin = early.run
def interrupted(*given):
    begun = begin(*given)
    assert begun is not None
    signal.raise_signal(signal.SIGINT)
    return begun
early.run = interrupted
main.main.__defaults__ = (sys.argv[1:],)
main.program()
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def _elsewhere(sandbox: Sandbox) -> Sandbox:
    """The same person with another state directory: its agent is built, and none is up."""
    mark = {"TRACEKIT_TEST_MARK": str(sandbox.home / "other")}
    return Sandbox(sandbox.home, {**sandbox.environ, **mark, "XDG_STATE_HOME": str(sandbox.home / "other")})


def test_run__configuration_is_wrong__then_no_agent_is_up_and_nothing_was_written(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_one.py": PASSES})
    assert sandbox.run("run", root).code == 0
    wrong = sandbox.project({"tracekit.toml": "[suite.one]\nrunner = 'nothing'\n"}, "wrong")
    other = _elsewhere(sandbox)
    done = other.run("run", wrong)
    assert done.code == 2, done.err
    until(lambda: not processes_with(other.environ["TRACEKIT_TEST_MARK"]))
    assert not list((sandbox.home / "other").glob("tracekit/agent"))


def test_run__only_a_box_is_meant__then_no_agent_of_this_machine_is_up(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_one.py": PASSES})
    assert sandbox.run("run", root).code == 0
    text = "[settings]\nenvironment = 'far'\n[env.far]\nhost = '127.0.0.1'\nport = 1\n"
    far = sandbox.project({"tracekit.toml": text, "test_one.py": PASSES}, "far")
    other = _elsewhere(sandbox)
    done = other.run("run", far)
    assert done.code == 5, done.out + done.err
    assert not list((sandbox.home / "other").glob("tracekit/agent"))


def test_bridge__waits__then_nothing_is_there_before_it_is_needed_and_then_a_daemon(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_one.py": PASSES})
    assert sandbox.run("run", root).code == 0
    state, cache = sandbox.home / "other" / "tracekit", sandbox.home / "cache" / "tracekit"
    bridge = Bridge.waiting(state, cache, idle=1.0)
    assert bridge is not None
    try:
        # It has loaded when it reads: until then, and from then on, it is only there.
        until(lambda: _reads(bridge.pid))
        assert not state.exists()
        # What a daemon starts processes with; some interpreters have it built in.
        if "_posixsubprocess" not in sys.builtin_module_names:
            assert "_posixsubprocess" in Path(f"/proc/{bridge.pid}/maps").read_text()
        bridge.needed()
        heard = b""

        def more() -> bool:
            nonlocal heard
            with contextlib.suppress(BlockingIOError):
                heard += os.read(bridge.source, 65536)
            return MARKER in heard

        until(more)
        assert list(state.glob("agent/*/daemon.json"))
    finally:
        bridge.close()


def test_run__ctrl_c_while_the_engine_is_being_loaded__then_what_was_begun_is_cancelled(
    sandbox: Sandbox,
) -> None:
    root = sandbox.project({"test_one.py": "import time\ndef test_waits():\n    time.sleep(600)\n"})
    warm = sandbox.project({"test_one.py": PASSES}, "warm")
    assert sandbox.run("run", warm).code == 0
    done = sandbox.run(command=[sys.executable, "-c", INTERRUPTED, "run", os.fspath(root)])
    assert done.code == 130, done.out + done.err
    newest = sandbox.run("runs", "--json").lines()[0]
    assert newest["reason"] == "cancelled"


@pytest.mark.parametrize("damage", [b"\xff\xfe\0", b"", b"../other 1"], ids=["binary", "empty", "elsewhere"])
def test_run__pointer_to_the_built_agent_is_damaged__then_it_is_built_anew(
    sandbox: Sandbox, damage: bytes
) -> None:
    root = sandbox.project({"test_one.py": PASSES})
    assert sandbox.run("run", root).code == 0
    (pointer,) = (sandbox.home / "cache" / "tracekit" / "agent").glob("*.built")
    pointer.write_bytes(damage)
    done = sandbox.run("run", root)
    assert (done.code, done.err) == (0, "")


def test_run__built_agent_was_cut_short__then_it_is_built_anew(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_one.py": PASSES})
    assert sandbox.run("run", root).code == 0
    (built,) = (sandbox.home / "cache" / "tracekit" / "agent").glob("*.pyz")
    built.write_bytes(built.read_bytes()[:1000])
    done = _elsewhere(sandbox).run("run", root)
    assert (done.code, done.err) == (0, "")


WORDS = (["--version"], ["--help"], ["run", "--help"])


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_program__standard_output_takes_nothing__then_told_and_2_and_a_closed_one_is_no_fault(
    sandbox: Sandbox, words: list[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        process = sandbox.start(*words, stdout=full)
        err = process.communicate(timeout=PATIENCE)[1].decode()
    assert process.returncode == 2
    assert err.startswith("tracekit: standard output cannot be written: ")
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "tracekit.cli.main", *words]
    done = sandbox.run(command=closed)
    assert (done.code, done.err) == (0, "")


def _reads(pid: int) -> bool:
    """Whether a process waits for its standard input."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[:2] == ["0", "0x0"]


def test_program__ends__then_threads_are_waited_for_and_what_was_to_go_is_gone(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    gone, late = tmp_path / "gone", tmp_path / "late"
    done = sandbox.run(command=[sys.executable, "-c", ENDING, os.fspath(gone), os.fspath(late)])
    assert (done.code, done.out) == (5, "said"), done.err
    assert (gone.read_text(), late.read_text()) == ("taken away", "was waited for")
