"""A project that is opened again: its scenarios stand there before the console has been loaded."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Sandbox
from tests.support.terminal import Terminal, escapes
from tracekit.store.trust import TrustStore

ALTERNATE = b"\x1b[?1049h"
# What the screen library asks of a terminal when it takes it.
TAKES = b"\x1b[?1004h"
TESTS = "def test_first():\n    pass\n\ndef test_second():\n    pass\n"


def opened(sandbox: Sandbox, root: Path) -> Terminal:
    return Terminal(["-m", "tracekit.cli.main", "tui", str(root)], env=sandbox.environ)


def cursor(terminal: Terminal) -> str:
    return next((line for line in terminal.display if line.startswith("▌")), "")


def ended(terminal: Terminal) -> None:
    terminal.keys("q")
    assert terminal.wait() == 0, "\n".join(terminal.display)
    assert terminal.raw.count(ALTERNATE) == 1
    assert not escapes(bytes(terminal.raw))
    terminal.close()


def test_console__project_opened_again__then_the_last_first_frame_until_the_screen_takes_over(
    tmp_path: Path,
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project({"test_it.py": TESTS})
    assert sandbox.run("list", root).code == 0
    TrustStore(sandbox.state).remember(str(root))
    frames = sandbox.home / "cache" / "tracekit" / "frames"

    first = opened(sandbox, root)
    assert first.until(lambda: "test_first" in cursor(first))
    assert first.until(lambda: any(frames.glob("*.frame")))
    assert first.until(lambda: first.shows("drop 0"))
    remembered = first.display
    ended(first)
    assert first.raw.index(TAKES) < first.raw.index(b"test_first")

    # What is typed before there is a console is the console's.
    again = opened(sandbox, root)
    again.keys("j")
    assert again.until(lambda: b"test_second" in again.raw)
    assert TAKES not in again.raw
    assert again.until(lambda: "test_second" in cursor(again))
    assert again.display[0] == remembered[0]
    ended(again)
    assert again.raw.index(b"test_second") < again.raw.index(TAKES)

    # Enter too: as a key, not as the end of a line.
    again = opened(sandbox, root)
    assert again.until(lambda: b"test_second" in again.raw)
    again.keys("k\r")
    assert again.until(lambda: "▶" in cursor(again))
    ended(again)

    # Other scenarios, another frame.
    with (root / "test_it.py").open("a") as file:
        file.write("\ndef test_third():\n    pass\n")
    assert sandbox.run("list", root).code == 0
    other = opened(sandbox, root)
    assert other.until(lambda: other.shows("test_third"))
    ended(other)
    assert other.raw.index(TAKES) < other.raw.index(b"test_first")
