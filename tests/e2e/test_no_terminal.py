"""`tracekit-tui` where no screen can be, or not with every letter: it says what to do instead, and never hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox
from tests.support.terminal import Terminal


def test_tui__no_terminal__exit_2_and_the_command_that_needs_none(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home")
    done = sandbox.run("tui", tmp_path)
    assert done.code == 2
    assert f"`tracekit run {tmp_path}` does the same without one" in done.err
    assert done.out == ""


@pytest.mark.parametrize("kind", ["", "dumb"])
def test_tui__terminal_that_cannot_be_painted_on__exit_2_and_not_one_escape(
    tmp_path: Path, kind: str
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    command = ["-m", "tracekit.cli.main", "tui", str(tmp_path)]
    terminal = Terminal(command, env={**sandbox.environ, "TERM": kind})
    try:
        assert terminal.wait() == 2
        assert b"does the same without one" in terminal.raw
        assert b"\x1b" not in terminal.raw
    finally:
        terminal.close()


def test_tui__keys_that_clash_or_name_nothing__exit_2_with_file_and_line_of_each(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home")
    config = tmp_path / "home" / "config" / "tracekit" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('\n\n[keys]\n"run.failed" = "r"\n"run.faild" = "f5"\n"look.back" = "g f"\n')
    terminal = Terminal(
        ["-m", "tracekit.cli.main", "tui", str(tmp_path)], size=(200, 50), env=sandbox.environ
    )
    try:
        assert terminal.wait() == 2
        told = terminal.raw.decode()
        for line, what in (
            (4, "already does run.selected"),
            (5, "did you mean run.failed?"),
            (6, "is not a key"),
        ):
            assert f"{config}:{line}:" in told, told
            assert what in told, told
        assert "\x1b[?1049h" not in told
    finally:
        terminal.close()


def test_tui__terminal_of_a_language_without_the_signs__each_letter_keeps_its_cells(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "home")
    project = tmp_path / "prüfung-日本"
    project.mkdir()
    (project / "test_it.py").write_text("def test_it(): pass\n")
    terminal = Terminal(
        ["-m", "tracekit.cli.main", "tui", str(project)],
        size=(80, 24),
        env={**sandbox.environ, "PYTHONIOENCODING": "ascii"},
    )
    try:
        assert terminal.until(lambda: terminal.shows("may its code run?") and terminal.shows("q quit"))
        assert terminal.raw.isascii()
        assert b"\\u" not in terminal.raw
        assert terminal.display[0].startswith(" tracekit  pr?fung-????  env: local")
    finally:
        terminal.close()
