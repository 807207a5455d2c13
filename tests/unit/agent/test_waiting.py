"""What a silent test waits for, by its stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracekit.agent.stacks import parse
from tracekit.agent.waiting import waits_for


def stack(*frames: tuple[str, int, str], current: bool = True) -> dict[str, Any]:
    told = [{"file": file, "line": line, "function": function} for file, line, function in frames]
    return {"thread": "0x1", "current": current, "frames": told}


@pytest.mark.parametrize(
    ("line", "waits"),
    [
        ("answer = input('? ')", "input"),
        ("sys.stdin.readline()", "input"),
        ("for line in sys.stdin . buffer . read():", "input"),
        ("raw_input()", ""),
        ("form.input('x')", ""),
        ("time.sleep(9)", ""),
    ],
)
def test_waits_for__innermost_line__then_only_one_that_reads_is_input(
    line: str, waits: str, tmp_path: Path
) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(f"def ask():\n    {line}\n")
    assert waits_for([stack((str(file), 2, "ask"))]) == waits


def test_waits_for__frames_of_a_prompt__then_a_debugger() -> None:
    pdb = stack(
        ("/lib/cmd.py", 126, "cmdloop"), ("/lib/pdb.py", 332, "_cmdloop"), ("test_it.py", 3, "test_it")
    )
    assert waits_for([pdb]) == "debugger"
    remote = stack(("/lib/threading.py", 3, "wait"), ("/site/debugpy/server/api.py", 9, "wait_for_client"))
    assert waits_for([remote]) == "debugger"


def test_waits_for__another_thread_asks_or_nobody_answered__then_nothing() -> None:
    other = stack(("/lib/pdb.py", 332, "_cmdloop"), current=False)
    assert waits_for([stack(("/nowhere.py", 1, "waits")), other]) == ""
    assert waits_for([]) == ""
    assert waits_for([{"current": True}]) == ""


def test_parse__tasks_behind_the_threads__then_both_with_their_frames() -> None:
    text = (
        'Current thread 0x01 (most recent call first):\n  File "a.py", line 1 in select\n'
        'Task [Task-1] Loop.test [x]\n  File "b.py", line 2 in wait\n  File "c.py", line 3 in test\nEnd\n'
    )
    thread, task = parse(text)
    assert (thread["thread"], len(thread["frames"])) == ("0x01", 1)
    assert (task["task"], task["coroutine"], task["current"]) == ("Task-1", "Loop.test [x]", False)
    assert [frame["function"] for frame in task["frames"]] == ["wait", "test"]
