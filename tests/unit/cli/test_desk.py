"""The desk: an editor at a line, for files of the project and no others."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tracekit.cli import edge
from tracekit.cli.commands import tui_command
from tracekit.cli.desk import DeskEditor, DeskTrust
from tracekit.cli.desk_clipboard import MOST_FOR_TERMINAL, DeskClipboard, masked, sequence
from tracekit.cli.desk_notice import DeskNotice
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


@pytest.mark.parametrize(
    ("environ", "template", "names"),
    [
        ({"EDITOR": "/no/such/editor -w"}, "", ("/no/such/editor could not be started", "check EDITOR")),
        ({"VISUAL": "false", "EDITOR": "true"}, "", ("false ended with 1", "check VISUAL")),
        ({"EDITOR": "true"}, "false {file}", ("false ended with 1", "check the setting editor")),
        ({"EDITOR": "vi 'a"}, "", ("cannot be read", "check its quotes, in EDITOR")),
    ],
)
def test_editor__fails__then_what_is_said_names_it_and_where_it_is_set(
    environ: dict[str, str], template: str, names: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text("")
    problem = DeskEditor(environ, template).open(str(tmp_path), "a.py", 1)
    assert problem is not None
    assert names[0] in problem.what
    assert problem.action == names[1]


def test_open__file_has_gone__then_what_is_said_names_it(tmp_path: Path) -> None:
    problem = DeskEditor({"EDITOR": "true"}).open(str(tmp_path), "gone.py", 1)
    assert problem is not None
    assert "gone.py" in problem.what


@pytest.mark.parametrize("name", ["a\0b.py", "a" * 5000, "\ud800.py"])
def test_open__name_that_no_system_takes__then_a_problem_and_no_editor(
    editor: tuple[DeskEditor, Path], name: str
) -> None:
    desk, base = editor
    problem = desk.open(str(base / "project"), name, 1)
    assert problem is not None
    assert problem.code == "ui.no_file"
    assert not (base / "told").exists()


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


def tool(folder: Path, name: str, code: int = 0) -> dict[str, str]:
    """A clipboard tool that keeps what it is given, and an environment in which it is the only one."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f'#!/bin/sh\n/bin/cat > "{folder}/{name}.took"\nexit {code}\n')
    (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def test_clipboard__tool_of_the_desk__gets_the_text_and_is_named(tmp_path: Path) -> None:
    clipboard = DeskClipboard({**tool(tmp_path, "xclip"), "DISPLAY": ":0"})
    assert clipboard.copy("täxt\n\x1b[31m") is None
    assert (tmp_path / "xclip.took").read_text() == "täxt\n\x1b[31m"
    assert clipboard.how == " by xclip"


def test_clipboard__over_ssh__the_terminal_and_not_a_tool_of_the_far_desk(tmp_path: Path) -> None:
    written: list[str] = []
    clipboard = DeskClipboard({**tool(tmp_path, "xclip"), "DISPLAY": ":0", "SSH_TTY": "/dev/pts/3"})
    clipboard.write = written.append
    assert clipboard.copy("text") is None
    assert written == ["\x1b]52;c;dGV4dA==\x07"]
    assert "OSC 52" in clipboard.how
    assert not (tmp_path / "xclip.took").exists()


def test_clipboard__tool_fails__the_next_way(tmp_path: Path) -> None:
    written: list[str] = []
    clipboard = DeskClipboard({**tool(tmp_path, "xclip", 1), "DISPLAY": ":0"})
    clipboard.write = written.append
    assert clipboard.copy("text") is None
    assert len(written) == 1


def test_clipboard__in_tmux__its_buffer_first_and_wrapped_for_it_where_that_fails(tmp_path: Path) -> None:
    written: list[str] = []
    clipboard = DeskClipboard({**tool(tmp_path, "tmux"), "TMUX": "/tmp/tmux-0/default,1,0"})
    clipboard.write = written.append
    assert clipboard.copy("text") is None
    assert (tmp_path / "tmux.took").read_text() == "text"
    assert written == []
    broken = DeskClipboard({**tool(tmp_path, "tmux", 1), "TMUX": "/tmp/tmux-0/default,1,0"})
    broken.write = written.append
    assert broken.copy("text") is None
    assert written == ["\x1bPtmux;\x1b\x1b]52;c;dGV4dA==\x07\x1b\\"]


def test_sequence__any_bytes__holds_nothing_but_base64_and_is_put_together_again_by_screen() -> None:
    data = b"\x1b]0;title\x07\n" * 400
    plain = sequence(data, {})
    assert plain.isascii()
    assert plain.count("\x1b") == plain.count("\x07") == 1
    pieces = sequence(data, {"STY": "1.pts"}).split("\x1b\\")
    assert all(piece.startswith("\x1bP") and len(piece) < 256 for piece in pieces[:-1])
    assert "".join(piece[2:] for piece in pieces) == plain


@pytest.mark.parametrize(("size", "term"), [(MOST_FOR_TERMINAL + 1, "xterm"), (4, "linux")])
def test_clipboard__terminal_would_not_take_it__a_file_of_ones_own_that_is_named(
    tmp_path: Path, size: int, term: str
) -> None:
    written: list[str] = []
    clipboard = DeskClipboard({"TERM": term}, tmp_path / "state")
    clipboard.write = written.append
    assert clipboard.copy("x" * size) is None
    place = tmp_path / "state" / "copied.txt"
    assert place.read_text() == "x" * size
    assert place.stat().st_mode & 0o777 == 0o600
    assert str(place) in clipboard.how
    assert written == []


def test_clipboard__far_too_much__refused_with_what_to_do() -> None:
    problem = DeskClipboard({}).copy("x" * (5 << 20))
    assert problem is not None
    assert problem.action == "choose fewer lines"


def test_masked__secret_of_this_machine_in_any_form__is_not_in_the_text() -> None:
    environ = {"SHOP_TOKEN": "tk-4711-geheim", "HOME": "/home/ana"}
    text = masked("with tk-4711-geheim and dGstNDcxMS1nZWhlaW0 in /home/ana", environ)
    assert "geheim" not in text
    assert "dGstNDcxMS1nZWhlaW0" not in text
    assert "/home/ana" in text


@pytest.mark.parametrize(
    ("editor", "told"),
    [
        ("vim", ["+7", "PLACE"]),
        ("nvim", ["+7", "PLACE"]),
        ("emacs -nw", ["-nw", "+7", "PLACE"]),
        ("nano", ["+7", "PLACE"]),
        ("code --wait", ["--wait", "-g", "PLACE:7"]),
        ("idea", ["--line", "7", "PLACE"]),
        ("zed", ["PLACE:7"]),
        ("hx", ["PLACE:7"]),
        ("helix", ["PLACE:7"]),
        ("kate", ["-l", "7", "PLACE"]),
    ],
)
def test_open__editor_by_its_name__is_told_the_line_in_its_own_way(
    tmp_path: Path, editor: str, told: list[str]
) -> None:
    name = editor.split(maxsplit=1)[0]
    (tmp_path / name).write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/part"\nmv "{tmp_path}/part" "{tmp_path}/told"\n'
    )
    (tmp_path / name).chmod(0o755)
    (tmp_path / "a b.py").write_text("x")
    desk = DeskEditor({"EDITOR": f"{tmp_path}/{editor}"})
    assert desk.open(str(tmp_path), "a b.py", 7) is None
    for window in desk._windows:
        window.wait(60)
    place = os.path.realpath(tmp_path / "a b.py")
    assert (tmp_path / "told").read_text().splitlines() == [word.replace("PLACE", place) for word in told]


def test_open__template_of_the_users__goes_before_variables_and_names_cannot_add_words(
    editor: tuple[DeskEditor, Path],
) -> None:
    _, base = editor
    (base / "project" / "{line} x.py").write_text("x")
    template = f"{base}/note-editor --at {{file}}:{{line}}"
    desk = DeskEditor({"EDITOR": "/no/such"}, template)
    assert desk.open(str(base / "project"), "{line} x.py", 7) is None
    assert (base / "told").read_text() == f"--at\n{os.path.realpath(base)}/project/{{line}} x.py:7\n"


def test_editor__words_with_a_quote_too_few__a_problem_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    problem = DeskEditor({"EDITOR": "vim 'oh"}).open(str(tmp_path), "a.py", 1)
    assert problem is not None
    assert problem.action.startswith("check its quotes")


@pytest.mark.parametrize(
    ("way", "sent"),
    [
        ("off", []),
        ("bell", ["\x07"]),
        ("osc9", ["\x1b]9;tracekit a b: 1 red 52 c\x07"]),
        ("osc777", ["\x1b]777;notify;tracekit a b;1 red 52 c\x07"]),
    ],
)
def test_notice__a_way__sends_that_and_no_name_ends_it_early(way: str, sent: list[str]) -> None:
    written: list[str] = []
    notice = DeskNotice(way, 30.0, {})
    notice.tell("tracekit a\x07b", "1 red\x1b52;c", written.append)
    assert [re.sub(" +", " ", each) for each in written] == sent
    assert (notice.after == float("inf")) is (way == "off")


def test_notice__on_the_desk__goes_to_notify_send_as_words_and_never_as_options(tmp_path: Path) -> None:
    environ = tool(tmp_path, "notify-send")
    (tmp_path / "notify-send").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/told"\n')
    notice = DeskNotice("desktop", 1.0, environ)
    notice.tell("--help", "1 red", lambda _: None)
    assert notice._asked[0].wait(60) == 0
    assert (tmp_path / "told").read_text().splitlines() == ["--app-name=tracekit", "--", "--help", "1 red"]


def test_notice__desk_does_not_answer__nobody_waits_for_it(tmp_path: Path) -> None:
    environ, gate = tool(tmp_path, "notify-send"), tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "notify-send").write_text(f'#!/bin/sh\nread word < "{gate}"\nexit 7\n')
    notice = DeskNotice("desktop", 1.0, environ)
    notice.tell("tracekit a", "1 red", lambda _: None)
    (asked,) = notice._asked
    assert asked.poll() is None  # it came back while the desk still thought about it
    gate.write_text("go\n")
    assert asked.wait(60) == 7


def test_trust__asked_once__then_known(tmp_path: Path) -> None:
    trust = DeskTrust(tmp_path / "state")
    (tmp_path / "test_a.py").write_text("def test_one(): ...")
    assert not trust.known(str(tmp_path))
    assert trust.preview(str(tmp_path)) == (["test_a.py::test_one"], True)
    assert [who for who, _ in trust.starts(str(tmp_path))] == ["pytest"]
    trust.remember(str(tmp_path))
    assert trust.known(str(tmp_path))
