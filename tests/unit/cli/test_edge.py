"""The edge: words, exit codes, help, and the cut at `--`."""

from __future__ import annotations

import pytest

from tracekit import __version__
from tracekit.cli import edge, registry
from tracekit.cli.main import main
from tracekit.cli.painting import Paint, counted
from tracekit.wire.problems import Problem

COMMANDS = sorted(registry.SUMMARIES)


def test_help__then_lists_every_command_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert "exit codes:" in text
    assert main([]) == edge.USAGE


@pytest.mark.parametrize("name", COMMANDS)
def test_command_help__then_prints_the_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "128+n" in capsys.readouterr().out


def test_version__then_the_one_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tracekit {__version__}\n"


def test_unknown_command__then_2_and_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rnu"]) == edge.USAGE
    assert "tracekit run" in capsys.readouterr().err


def test_unknown_flag__then_2() -> None:
    assert main(["run", "--no-such-flag"]) == edge.USAGE


def test_path_that_is_not_there__then_2_naming_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "/nowhere/at/all"]) == edge.USAGE
    assert "/nowhere/at/all" in capsys.readouterr().err


def test_parse__words_behind_the_cut__then_untouched() -> None:
    args = registry.parse("run", ["--json", "--", "-x", "--json", "--", "a b"])
    assert (args.json, args.args) == (True, ("-x", "--json", "--", "a b"))
    assert registry.parse("run", ["."]).args == ()


def test_parse__cut_where_no_runner_stands__then_2() -> None:
    with pytest.raises(SystemExit) as caught:
        registry.parse("runs", ["--", "-x"])
    assert caught.value.code == edge.USAGE


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("config.unknown_key", 2),
        ("store.unwritable", 2),
        ("interpreter.missing", 2),
        ("pytest.no_tests", 4),
        ("runner.failed_to_start", 1),
        ("select.nothing", 4),
        ("link.agent_gone", 5),
        ("something.else", 3),
    ],
)
def test_exit_code__by_problem__then_as_documented(code: str, expected: int) -> None:
    assert edge.exit_code([Problem(code, "what")]) == expected


def test_complain__hostile_text__then_nothing_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    edge.complain([Problem("x", "a\x1b]0;owned\x07b", "w\x9b2J", "do\r\nthis")])
    text = capsys.readouterr().err
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    assert "\x9b" not in text


def test_counted__then_fixed_order_and_only_what_there_is() -> None:
    assert counted({"failed": 1, "passed": 2, "pending": 9}, Paint(on=False)) == "2 passed, 1 failed"
    assert counted({}, Paint(on=False)) == "nothing ran"


def test_colours__no_color__then_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert edge.colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not edge.colours()
