"""The desk: an editor at a line, for files of the project and no others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracekit.cli import edge
from tracekit.cli.commands import tui_command
from tracekit.cli.desk import DeskClipboard, DeskEditor, DeskTrust
from tracekit.wire.problems import ProblemError


@pytest.fixture
def editor(tmp_path: Path) -> tuple[DeskEditor, Path]:
    """An editor that notes what it was told."""
    script = tmp_path / "note-editor"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/told"\n')
    script.chmod(0o755)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "a b.py").write_text("x")
    return DeskEditor({"EDITOR": str(script)}), tmp_path


def test_open__file_of_the_project__then_the_editor_gets_line_and_place(
    editor: tuple[DeskEditor, Path],
) -> None:
    desk, base = editor
    assert desk.open(str(base / "project"), "a b.py", 7) is None
    assert (base / "told").read_text() == f"+7\n{base}/project/a b.py\n"
    assert desk.takes_terminal


@pytest.mark.parametrize("name", ["../told", "/etc/hostname", "+:!x"])
def test_open__outside_or_missing__then_a_problem_and_no_editor(
    editor: tuple[DeskEditor, Path], name: str
) -> None:
    desk, base = editor
    problem = desk.open(str(base / "project"), name, 1)
    assert problem is not None
    assert problem.code in {"ui.outside", "ui.no_file"}
    assert not (base / "told").exists()


def test_open__link_that_leads_outside__then_refused(editor: tuple[DeskEditor, Path]) -> None:
    desk, base = editor
    (base / "secret.py").write_text("x")
    (base / "project" / "link.py").symlink_to(base / "secret.py")
    problem = desk.open(str(base / "project"), "link.py", 1)
    assert problem is not None
    assert problem.code == "ui.outside"


def test_editor__none_or_not_there__then_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    for environ, code in (({}, "ui.no_editor"), ({"EDITOR": "/no/such/editor"}, "ui.editor_failed")):
        problem = DeskEditor(environ).open(str(tmp_path), "a.py", 1)
        assert problem is not None
        assert problem.code == code


def test_windowed_editors__then_the_screen_stays() -> None:
    assert not DeskEditor({"VISUAL": "code --wait"}).takes_terminal
    assert not DeskEditor({"EDITOR": "pycharm"}).takes_terminal


def test_open__windowed_editor__nobody_waits_and_it_has_nothing_of_the_terminal(tmp_path: Path) -> None:
    script, gate = tmp_path / "code", tmp_path / "gate"
    os.mkfifo(gate)
    told = tmp_path / "told"
    script.write_text(
        f'#!/bin/sh\nread word < "{gate}"\nfor n in 0 1 2; do readlink /proc/$$/fd/$n; done > "{told}.part"\n'
        f'ps -o sid= -p $$ >> "{told}.part"; mv "{told}.part" "{told}"\nexit 1\n'
    )
    script.chmod(0o755)
    (tmp_path / "a.py").write_text("")
    desk = DeskEditor({"VISUAL": str(script)})
    assert desk.open(str(tmp_path), "a.py", 1) is None  # it comes back while the window is still there
    gate.write_text("go\n")
    window = desk._windows[0]
    assert window.wait(60) == 1
    *streams, session = told.read_text().split()
    assert streams[0] == streams[2] == "/dev/null"
    assert int(session) == window.pid


@pytest.mark.parametrize("kind", ["", "dumb"])
def test_console__terminal_cannot_be_painted_on__then_the_command_without_one(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "on_terminal", lambda: True)
    monkeypatch.setenv("TERM", kind)
    with pytest.raises(ProblemError) as caught:
        tui_command.replay("01KAH0C5M0DEMORVNTRACEK1T0")
    assert edge.exit_code(caught.value.problems) == edge.USAGE
    assert caught.value.first.action == (
        "`tracekit replay 01KAH0C5M0DEMORVNTRACEK1T0 --headless` does the same without one"
    )


def test_clipboard__no_tool__then_the_text_to_copy_by_hand() -> None:
    problem = DeskClipboard({}).copy("tracekit run")
    assert problem is not None
    assert problem.action == "tracekit run"


def test_trust__asked_once__then_known(tmp_path: Path) -> None:
    trust = DeskTrust(tmp_path / "state")
    (tmp_path / "test_a.py").write_text("def test_one(): ...")
    assert not trust.known(str(tmp_path))
    assert trust.preview(str(tmp_path)) == ["test_a.py::test_one"]
    trust.remember(str(tmp_path))
    assert trust.known(str(tmp_path))
