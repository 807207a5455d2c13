"""`tracekit doctor --runner`: a runner that does everything right, and one breach of each rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox, processes_with
from tracekit.cli.conformance import Waiting, checks, listen

GOOD = """#!/bin/sh
names="opens shuts"
[ "$1" = --names ] && { printf 'opens\\nshuts\\n'; exit; }
[ "$1" = --only ] && names=$2
echo "what it prints besides"
for name in $names; do
  printf '{"e":"attempt.started","scenario":"%s"}\\n' "$name"
  printf '{"e":"attempt.ended","scenario":"%s","verdict":"passed"}\\n' "$name"
done
"""
STARTED = '{"e":"attempt.started","scenario":"a"}'
FAILURE = '{"e":"failure","scenario":"a","chain":[],"text":"t"}'


def ended(verdict: str) -> str:
    return f'{{"e":"attempt.ended","scenario":"a","verdict":"{verdict}"}}'


def lines(*rows: str, status: int = 0) -> str:
    told = "".join(f"echo '{row}'\n" for row in rows)
    return f"#!/bin/sh\n{told}exit {status}\n"


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def program(sandbox: Sandbox, text: str) -> Path:
    place = sandbox.home / "suite.sh"
    place.write_text(text)
    place.chmod(0o755)
    return place


def broken(sandbox: Sandbox, *words: object) -> list[str]:
    done = sandbox.run("doctor", "--json", *words)
    rows = [line["check"] for line in done.lines() if not line["ok"]]
    assert (done.code == 0) == (not rows), done.err
    return rows


def test_doctor__a_runner_that_does_all_of_it__then_every_check_holds(sandbox: Sandbox) -> None:
    suite = program(sandbox, GOOD)
    assert broken(sandbox, "--runner", suite, "--list", f"{suite} --names", "--only", "--only {names}") == []


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (lines("nothing of the kind"), ["journal"]),
        (lines(STARTED, ended("passed"), '{"e":"attempt.started","scenario":"b"}'), ["ends told"]),
        (lines(ended("passed")), ["begins told"]),
        (lines(STARTED, FAILURE, ended("splendid"), status=1), ["verdicts"]),
        (lines(STARTED, ended("failed"), status=1), ["failures"]),
        (lines(STARTED, ended("passed"), status=3), ["status"]),
        (lines(STARTED, FAILURE, ended("failed")), ["status"]),
        ("#!/bin/sh\n" + lines(STARTED, ended("passed")).replace('"a"', "\"a'$$'\""), ["same names"]),
    ],
)
def test_doctor__a_rule_that_is_broken__then_it_is_named(
    sandbox: Sandbox, text: str, rows: list[str]
) -> None:
    assert broken(sandbox, "--runner", program(sandbox, text)) == rows


def test_doctor__a_list_and_a_choice_that_do_not_hold__then_both_are_named(sandbox: Sandbox) -> None:
    suite = program(
        sandbox,
        lines(STARTED, ended("passed"), STARTED.replace('a"}', 'b"}'), ended("passed").replace('"a"', '"b"')),
    )
    assert broken(sandbox, "--runner", suite, "--list", "echo c", "--only", "{names}") == ["list", "only"]


def test_doctor__a_runner_that_is_killed__then_by_what_and_in_which_test(sandbox: Sandbox) -> None:
    suite = program(sandbox, "#!/bin/sh\necho words\necho '" + STARTED + "'\nkill -SEGV $$\n")
    said = sandbox.run("doctor", "--runner", suite).out
    assert "killed by SIGSEGV" in said
    assert "while 'a' ran (line 2)" in said


def test_doctor__a_line_that_is_cut__then_which_one(sandbox: Sandbox) -> None:
    suite = program(sandbox, lines(STARTED, ended("passed"), STARTED[:-3]))
    done = sandbox.run("doctor", "--runner", suite)
    assert "the first is line 3" in done.out
    assert done.code == 2


def test_doctor__a_list_that_is_no_program__then_said_and_no_fault_of_ours(sandbox: Sandbox) -> None:
    suite = program(sandbox, GOOD)
    assert broken(sandbox, "--runner", suite, "--list", "no-such-list-anywhere") == ["list"]
    assert broken(sandbox, "--runner", suite, "--list", "false") == ["list"]


def test_doctor__no_such_program__then_that_is_all(sandbox: Sandbox) -> None:
    assert broken(sandbox, "--runner", "no-such-runner-anywhere") == ["starts"]


def test_doctor__a_runner_that_takes_its_time__then_it_is_said_in_which_test(tmp_path: Path) -> None:
    suite, said = tmp_path / "suite.sh", list[str]()
    suite.write_text(f"#!/bin/sh\necho '{STARTED}'\nwhile [ ! -e '{tmp_path}/go' ]; do sleep 0.01; done\n")
    suite.chmod(0o755)

    def say(text: str) -> None:
        said.append(text)
        if "'a'" in text:
            (tmp_path / "go").touch()

    heard = listen([str(suite)], Waiting(say, first=0.5))
    assert heard.code == 0
    assert said[-1].startswith(f"{suite} has run for ")
    assert said[-1].endswith(", while 'a' ran (line 1); it is ended after 120 s")


def test_doctor__a_runner_and_a_list_that_never_end__then_both_are_ended_with_what_they_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting(lambda _: None, seconds=0.2)
    mark = f"left-by-{tmp_path}"
    monkeypatch.setenv("LEFT_BY", mark)
    stays = ["sh", "-c", "sleep 1000 & wait"]
    assert listen(stays, waiting).fault == "it did not end within 0.2 s"
    quiet = listen(["sh", "-c", "exec >&-; sleep 1000; exit"], waiting)
    assert quiet.fault == "it closed its output and did not end within 0.2 s"
    good = tmp_path / "suite.sh"
    good.write_text(GOOD)
    rows = {row[0]: row for row in checks(["sh", str(good)], stays, (), Waiting(lambda _: None, seconds=5))}
    assert rows["list"][1:3] == (False, "it did not end within 5 s")
    assert processes_with(mark) == []
