from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.unit.config.helpers import places_of
from tracekit.config.faults import MAX_FAULTS
from tracekit.config.loader import check, check_text, load
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

FIVE_MISTAKES = """\
# five mistakes
[suite.api]
runner = "pytets"
timeout = 5

[suite.api.env]
DB_PASSWORD = { secret = true, form = "env:DB_PASSWORD", from = "env:DB_PASSWORD" }

[suite.web]
needs = ["ap"]
cwd = "../elsewhere"
"""


def test_load__profile_with_five_mistakes__then_all_five_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text(FIVE_MISTAKES)
    with pytest.raises(ProblemError) as raised:
        load(str(tmp_path))
    assert [(problem.where, problem.code) for problem in raised.value.problems] == [
        ("tracekit.toml:3:suite.api.runner", "config.choice"),
        ("tracekit.toml:4:suite.api.timeout", "config.type"),
        ("tracekit.toml:7:suite.api.env.DB_PASSWORD.form", "config.unknown_key"),
        ("tracekit.toml:10:suite.web.needs[0]", "config.unknown_name"),
        ("tracekit.toml:11:suite.web.cwd", "config.value"),
    ]
    assert 'did you mean "pytest"?' in raised.value.problems[0].action
    assert '"120s"' in raised.value.problems[1].action
    assert raised.value.problems[2].action == "did you mean from?"
    assert raised.value.problems[3].action == "did you mean api?"


@pytest.mark.parametrize(
    ("text", "place", "code", "word"),
    [
        ("[suite.api]\ntimeot = '5s'", "2:suite.api.timeot", "unknown_key", "did you mean timeout?"),
        ("suit = 1", "1:suit", "unknown_key", "did you mean suite?"),
        ("[keys]\nq = 'quit'", "1:keys", "misplaced", "config.toml"),
        ("suite = 3", "1:suite", "type", "a table"),
        ("[suite]\napi = 3", "2:suite.api", "type", "[suite.NAME]"),
        ("[suite.'a/b']", '1:suite."a/b"', "value", "letters"),
        ("[suite.'-x']", "1:suite.-x", "value", "letters"),
        ("[suite.'local host']", '1:suite."local host"', "value", "letters"),
        ("[suite.a]\npaths = 'tests'", "2:suite.a.paths", "type", "list of strings"),
        (
            "[suite.a]\nrunner = 'cargo'\nfeatures = [[], ['default']]",
            "3:suite.a.features",
            "duplicate",
            "a[default]",
        ),
        ("[suite.a]\npaths = ['ok',\n 3]", "3:suite.a.paths[1]", "type", "a string"),
        ("[suite.a]\npaths = ['/abs']", "2:suite.a.paths[0]", "value", "relative"),
        ("[suite.a]\npaths = ['~/x']", "2:suite.a.paths[0]", "value", "relative"),
        ("[suite.a]\npaths = ['a/../../b']", "2:suite.a.paths[0]", "value", "without .."),
        ("[suite.a]\npaths = ['--collect-only']", "2:suite.a.paths[0]", "value", "./"),
        ('[suite.a]\ncwd = "a\\u0007b"', "2:suite.a.cwd", "value", "control"),
        ('[suite.a]\ncwd = "a\\u202Eb"', "2:suite.a.cwd", "value", "bidirectional"),
        ("[suite.a]\ncwd = 'x\ty'", "2:suite.a.cwd", "value", "relative path"),
        ("[suite.a]\ntimeout = '5 s'", "2:suite.a.timeout", "value", "2m"),
        ("[suite.a]\ntimeout = '99999h'", "2:suite.a.timeout", "range", "7d"),
        ("[suite.a]\nstall = '1ms'", "2:suite.a.stall", "range", "100ms"),
        ("[suite.a]\ntimeout = '5s'\nsoft_timeout = '9s'", "3:suite.a.soft_timeout", "range", "shorter"),
        ("[suite.a]\nidempotent = 1", "2:suite.a.idempotent", "type", "true or false"),
        ("[suite.a]\nlocks = ['db', 'db']", "2:suite.a.locks[1]", "duplicate", "remove"),
        ("[suite.a]\nneeds = ['a']", "2:suite.a.needs", "cycle", "a → a"),
        ("[suite.a]\nneeds = ['b']\n[suite.b]\nneeds = ['a']", "2:suite.a.needs", "cycle", "a → b → a"),
        ("[suite.a]\npython = '-c'", "2:suite.a.python", "value", "program"),
        ("[suite.a.env]\nA = 1", "2:suite.a.env.A", "type", "must be a string"),
        ("[suite.a.env]\n'A-B' = 'x'", "2:suite.a.env.A-B", "value", "variable name"),
        ("[suite.a.env]\nTRACEKIT_MODE = 'x'", "2:suite.a.env.TRACEKIT_MODE", "value", "keeps for itself"),
        ("[suite.a.env]\nA = { secret = true }", "2:suite.a.env.A", "missing", "from ="),
        (
            "[suite.a.env]\nA = { secret = false, from = 'env:X' }",
            "2:suite.a.env.A.secret",
            "value",
            "plain string",
        ),
        ("[env.box]\nhost = '-oProxyCommand=touch x'", "2:env.box.host", "value", "option of ssh"),
        ("[env.box]\nhost = 'ci@box'", "2:env.box.host", "value", "user ="),
        ("[env.box]\nhost = 'ssh://box'", "2:env.box.host", "value", "URL"),
        ("[env.box]\nhost = 'box:22'", "2:env.box.host", "value", "port ="),
        ("[env.box]\nhost = 'box'\nuser = '-l'", "3:env.box.user", "value", "option of ssh"),
        ("[env.box]\nhost = 'box'\nport = 0", "3:env.box.port", "range", "1 to 65535"),
        ("[env.box]\nhost = 'box'\nport = '22'", "3:env.box.port", "type", "whole number"),
        ("[env.box]\nhost = 'box'\nfingerprint = 'MD5:00'", "3:env.box.fingerprint", "value", "ssh-keygen"),
        ("[env.box]\nhost = 'box'\nhow = 'rsync'", "3:env.box.how", "choice", "sync"),
        (
            "[env.box]\nhost = 'box'\npath_map = { 'srv' = '.' }",
            "3:env.box.path_map.srv",
            "value",
            "absolute",
        ),
        ("[env.box]\nuser = 'ci'", "2:env.box.user", "missing", "host ="),
        ("[env.local]\nhost = 'box'", "2:env.local.host", "reserved", "another name"),
        ("[env.local.service.db]", "1:env.local.service.db", "missing", "start ="),
        ("[env.local.service.db]\nstart = []", "2:env.local.service.db.start", "value", "start ="),
        (
            "[env.local.service.db]\nstart = ['x']\nready = { tcp = 'a:1', log = 'b' }",
            "3:env.local.service.db.ready",
            "one_of",
            "exactly one",
        ),
        (
            "[env.local.service.db]\nstart = ['x']\nready = { log = '(' }",
            "3:env.local.service.db.ready.log",
            "value",
            "regular expression",
        ),
        (
            "[env.local.service.db]\nstart = ['x']\nneeds = ['cahe']\n[env.local.service.cache]\nstart = ['y']",
            "3:env.local.service.db.needs[0]",
            "unknown_name",
            "did you mean cache?",
        ),
        ("[settings]\nrun_lease = '0s'", "2:settings.run_lease", "range", "1s"),
        ("[settings]\ntrace = 'cals'", "2:settings.trace", "choice", "calls"),
    ],
)
def test_check__one_mistake__then_one_fault_with_line_key_and_a_way_out(
    text: str, place: str, code: str, word: str
) -> None:
    _, problems = check_text(text.encode())
    assert [(problem.where, problem.code) for problem in problems] == [
        (f"tracekit.toml:{place}", f"config.{code}")
    ]
    assert word in f"{problems[0].what} {problems[0].action}"
    assert problems[0].action


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("a = 1\nb 2\n", 2, "="),
        ("a = 'x\n", 1, "opened here and never closed"),
        ("a = 1\nb = [1,\n2\n", 2, "opened here and never closed"),
        ("[a]\n[b]\n[a]\n", 3, "twice"),
        ("a = 1\r\nb = \x00\r\n", 2, "invalid"),
    ],
)
def test_check__syntax_error__then_one_fault_with_line_and_column(text: str, line: int, word: str) -> None:
    profile, problems = check_text(text.encode())
    assert profile is None
    assert [problem.code for problem in problems] == ["config.syntax"]
    assert problems[0].where == f"tracekit.toml:{line}"
    assert word in problems[0].what
    assert "at column" in problems[0].what


def test_check__bytes_that_are_not_utf8__then_their_line() -> None:
    _, problems = check_text(b"a = 1\nb = '\xff'\n")
    assert [(problem.where, problem.code) for problem in problems] == [("tracekit.toml:2", "config.syntax")]


def test_check__a_byte_order_mark_and_dos_lines__then_read_as_any_other() -> None:
    profile, problems = check_text(b"\xef\xbb\xbf[suite.a]\r\npaths = ['t']\r\n")
    assert problems == []
    assert profile is not None
    assert profile.suites[0].paths == ("t",)


def test_check__thousands_of_mistakes__then_bounded_and_the_rest_is_counted() -> None:
    _, problems = check_text("\n".join(f"k{number} = 1" for number in range(1000)).encode())
    assert len(problems) == MAX_FAULTS + 1
    assert problems[-1].what == f"{1000 - MAX_FAULTS} more faults are not shown"


def test_check__mistakes_in_several_files__then_all_of_them(tmp_path: Path) -> None:
    environ, config = places_of(tmp_path)
    (tmp_path / "tracekit.toml").write_text("[suite.a]\nx = 1\n[env.box]\nhost = 'a'\n")
    (config / "config.toml").write_text("\n[settings]\ntrace = 'x'\n[suite.a]\n")
    (config / "boxes.toml").write_text("[env.box]\nhost = 'b'\n[env.other]\nhost = '-b'\n")
    problems = check(str(tmp_path), environ={**environ, "TRACEKIT_MOUSE": "perhaps"})
    assert {(problem.where.rpartition("/")[2], problem.code) for problem in problems} == {
        ("tracekit.toml:2:suite.a.x", "config.unknown_key"),
        ("config.toml:3:settings.trace", "config.choice"),
        ("config.toml:4:suite", "config.misplaced"),
        ("boxes.toml:1:env.box", "config.duplicate"),
        ("boxes.toml:4:env.other.host", "config.value"),
        ("TRACEKIT_MOUSE", "config.type"),
    }


def test_load__both_project_files__then_the_second_is_a_duplicate(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text("[suite.a]\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n\n[tool.tracekit.suite.b]\n")
    assert [(problem.where, problem.code) for problem in check(str(tmp_path))] == [
        ("pyproject.toml:4:tool.tracekit", "config.duplicate")
    ]


def test_load__mistake_in_pyproject__then_its_own_line_and_full_key(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n\n[tool.tracekit.suite.b]\nslow = 'x'\n")
    assert [problem.where for problem in check(str(tmp_path))] == [
        "pyproject.toml:5:tool.tracekit.suite.b.slow"
    ]


def test_load__pyproject_of_somebody_else_with_a_syntax_error__then_not_ours_to_report(
    tmp_path: Path,
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other\n")
    assert check(str(tmp_path)) == []


@pytest.mark.parametrize("make", ["directory", "pipe", "dangling"])
def test_load__profile_that_is_no_regular_file__then_a_problem_and_no_hang(tmp_path: Path, make: str) -> None:
    path = tmp_path / "tracekit.toml"
    if make == "directory":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "nowhere")
    assert [(problem.where, problem.code) for problem in check(str(tmp_path))] == [
        ("tracekit.toml", "config.unreadable")
    ]


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("jset", "jest"),
        ("node-test", "node"),
        ("golang", "go"),
        ("Vitest", "vitest"),
        ("cargo test", "cargo"),
    ],
)
def test_runner__name_that_nobody_has__then_the_one_that_was_meant(written: str, near: str) -> None:
    _, problems = check_text(f'[suite.web]\nrunner = "{written}"\n'.encode())
    assert f'did you mean "{near}"?' in problems[0].action


def test_runner__by_the_name_of_its_manual__then_taken(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text('[suite.web]\nrunner = "node:test"\n')
    assert [suite.runner for suite in load(str(tmp_path)).profile.suites] == ["node"]
