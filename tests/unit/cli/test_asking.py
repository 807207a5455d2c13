"""What a login asks at the terminal: one question at a time, nothing echoed that must not be, taken back in time."""

from __future__ import annotations

import re

from tests.support.terminal import Terminal

PROGRAM = """
import sys, termios
import anyio
from tracekit.cli.asking import TerminalAsker
from tracekit.link.login import Question

def echoes():
    return bool(termios.tcgetattr(0)[3] & termios.ECHO)

async def one(name):
    told = await TerminalAsker().ask(Question("passphrase", name, f"passphrase of {name}"))
    print(f"<{name} was told {told[::-1]!r}>", flush=True)

async def main():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, "boxa")
        tasks.start_soon(one, "boxb")
    print("echo is", echoes(), flush=True)

async def left():
    with anyio.move_on_after(0.5):
        await one("boxa")
    while not echoes():
        await anyio.sleep(0.05)
    print("echo is", echoes(), flush=True)

anyio.run(main if sys.argv[1] == "both" else left)
print("over", flush=True)
"""


def shown(terminal: Terminal) -> str:
    return "\n".join(terminal.display)


def asked(terminal: Terminal, times: int) -> bool:
    return terminal.until(lambda: shown(terminal).count("passphrase of") == times, 20.0)


def told(terminal: Terminal, words: str) -> bool:
    return terminal.until(lambda: words in shown(terminal), 20.0)


def test_ask__two_boxes_at_once__then_one_after_the_other_and_no_answer_is_shown_or_swapped() -> None:
    terminal = Terminal(["-c", PROGRAM, "both"], size=(80, 24))
    try:
        answers: dict[str, str] = {}
        for turn in range(2):
            assert asked(terminal, turn + 1)
            box = re.findall(r"passphrase of (box.)", shown(terminal))[-1]
            answers[box] = f"secret-{turn}"
            terminal.keys(f"secret-{turn}\n")
            assert told(terminal, f"<{box} was told")
        assert terminal.until(lambda: "over" in shown(terminal), 20.0)
        assert set(answers) == {"boxa", "boxb"}
        for box, answer in answers.items():
            assert f"<{box} was told {answer[::-1]!r}>" in shown(terminal)
        assert "secret-" not in shown(terminal)
        assert "echo is True" in shown(terminal)
    finally:
        terminal.close()


def test_ask__nobody_waits_for_the_answer_any_more__then_the_question_ends_and_echo_is_back() -> None:
    terminal = Terminal(["-c", PROGRAM, "left"], size=(80, 24))
    try:
        assert terminal.until(lambda: "over" in shown(terminal), 20.0)
        assert "echo is True" in shown(terminal)
    finally:
        terminal.close()
