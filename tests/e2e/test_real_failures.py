"""Three keys from a red row to its cause: ten recorded failures of real suites, in terminals of three sizes.

What a screen must show was written down before any was looked at: `causes.toml` beside the recordings. Nothing can be
run again of a recording alone, so two of the failures stand here once more, as small projects that are live.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Sandbox
from tests.support.terminal import Terminal, escapes
from tracekit.store.trust import TrustStore

PLACE = Path(__file__).parents[1] / "fixtures" / "real-failures"
FAILURES = tomllib.loads((PLACE / "causes.toml").read_text())["failure"]
TO_ITS_FAILURE, WHOLE, PAGE = "l", "z", "\x1b[6~"
# Three keys; a terminal as small as the smallest may take pages more.
KEYS = {
    (120, 36): [TO_ITS_FAILURE, PAGE, PAGE],
    (80, 24): [TO_ITS_FAILURE, WHOLE, PAGE],
    (60, 20): [TO_ITS_FAILURE, *[PAGE] * 10],
}
# Longer than a screen takes after a key: only a key that paints nothing is waited for so long.
STILL = 5.0


@contextmanager
def replayed(home: Path, name: str, size: tuple[int, int]) -> Iterator[Terminal]:
    """The console over one recording."""
    bundle = str(PLACE / f"{name}.bundle")
    terminal = Terminal(
        ["-m", "tracekit.cli.main", "tui", "--replay", bundle], size=size, env=Sandbox(home).environ
    )
    try:
        yield terminal
    finally:
        terminal.close()


def settled(terminal: Terminal) -> None:
    """Read until nothing more is painted."""
    while terminal.read(0.1):
        pass


def pressed(terminal: Terminal, key: str) -> list[str]:
    """The screen after a key, or the same one where the key paints nothing."""
    painted = len(terminal.raw)
    terminal.keys(key)
    terminal.until(lambda: len(terminal.raw) > painted, STILL)
    settled(terminal)
    return terminal.display


def to_the_row(terminal: Terminal, test: str) -> None:
    """Go from one red row to the next until the cursor is on this test's."""
    last = test.rpartition("::")[2]
    assert terminal.until(lambda: terminal.shows("CAUSES")), "\n".join(terminal.display)
    settled(terminal)
    for _ in range(4):
        row = next((line for line in pressed(terminal, "J") if line.startswith("▌")), "")
        if last in row:
            return
    raise AssertionError("\n".join([last, *terminal.display]))


def words(screens: list[list[str]]) -> str:
    """What can be read: each line, and each pane's lines as one text, as eyes read what is wrapped."""
    read = []
    for screen in screens:
        panes = [line.rpartition("▕")[2].strip() for line in screen]
        read += [*screen, " ".join(panes), "".join(panes)]
    return re.sub(r"[ \t]+", " ", "\n".join(read))


def missing(facts: list[str], screens: list[list[str]]) -> set[str]:
    """The facts that none of these screens shows."""
    text = words(screens)
    return {fact for fact in facts if fact not in text}


def test_recordings__then_each_failure_has_its_recipe_and_its_bundle() -> None:
    names = {failure["name"] for failure in FAILURES}
    recipes = tomllib.loads((PLACE / "recordings.toml").read_text())["recording"]

    assert set(recipes) == {path.stem for path in PLACE.glob("*.bundle")} == names
    assert len(names) == 10


@pytest.mark.parametrize("size", KEYS, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure["name"])
def test_red_row_of_a_real_suite__three_keys__then_each_fact_of_its_cause_was_on_a_screen(
    tmp_path: Path, failure: dict[str, Any], size: tuple[int, int]
) -> None:
    name, facts = failure["name"], failure["facts"]
    with replayed(tmp_path / "home", name, size) as terminal:
        to_the_row(terminal, failure["test"])
        screens = [terminal.display]
        for key in KEYS[size]:
            if not missing(facts, screens):
                break
            screens.append(pressed(terminal, key))
        assert not missing(facts, screens), "\n".join("\n".join(["", *screen]) for screen in screens)
        assert not escapes(bytes(terminal.raw))


# The same two faults in projects of a few lines: what is compared says nothing of the exception that was handled, and
# an age that is subtracted the wrong way round.
LIVE = {
    "choice-case": (
        {
            "command.py": """\
class BadParameter(Exception):
    pass


class Result:
    def __init__(self, exception):
        self.exception = exception
        self.exit_code = exception.code


def convert(value, choices):
    if value.upper() not in [choice.casefold() for choice in choices]:
        raise BadParameter(f"{value!r} is not one of {', '.join(map(repr, choices))}.")


def invoke(value):
    try:
        try:
            convert(value, ["Orange", "Apple"])
        except BadParameter as error:
            raise SystemExit(2) from error
        raise SystemExit(0)
    except SystemExit as ended:
        return Result(ended)
""",
            "test_options.py": """\
from command import invoke


def test_missing_choice():
    assert invoke("kiwi").exit_code == 2


def test_case_insensitive_choice():
    result = invoke("apple")
    assert result.exit_code == 0


def test_case_insensitive_choice_returned_exactly():
    assert invoke("Orange").exit_code == 0
""",
        },
        "test_case_insensitive_choice",
        ["assert 2 == 0", "test_options.py:10", "SystemExit", "BadParameter", "'apple' is not one of"],
    ),
    "age-swapped": (
        {
            "timed.py": """\
class SignatureExpired(Exception):
    pass


def unsign(stamp, now, max_age):
    age = stamp - now
    if age < 0:
        raise SignatureExpired(f"Signature age {age} < 0 seconds")
    return age
""",
            "test_timed.py": """\
from timed import unsign


def test_max_age():
    assert unsign(10, 11, max_age=10) == 1


def test_no_age():
    assert unsign(10, 10, max_age=10) == 0
""",
        },
        "test_max_age",
        [
            "SignatureExpired",
            "Signature age -1 < 0 seconds",
            "timed.py:8",
            "test_timed.py:5",
            "age = -1",
            "max_age = 10",
        ],
    ),
}
RERUN = "r"


@pytest.mark.parametrize("size", KEYS, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", LIVE)
def test_red_row_that_is_live__its_failure_and_r__then_the_cause_was_shown_and_that_test_alone_ran_again(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    files, test, facts = LIVE[name]
    sandbox = Sandbox(tmp_path / "home")
    root = sandbox.project(files)
    TrustStore(sandbox.state).remember(str(root))
    first = sandbox.run("run", root, "--json")
    red = [scenario for scenario in first.verdicts() if scenario.endswith(f"::{test}")]
    assert first.code == 1, first.err
    terminal = Terminal(
        ["-m", "tracekit.cli.main", "tui", "--replay", first.run_id()], size=size, env=sandbox.environ
    )
    try:
        to_the_row(terminal, test)
        screens = [terminal.display, pressed(terminal, TO_ITS_FAILURE)]
        # The last of three keys runs it again: one is left for what does not fit, and more in the smallest terminal.
        for key in KEYS[size][1:] if size == (60, 20) else KEYS[size][1:2]:
            if not missing(facts, screens):
                break
            screens.append(pressed(terminal, key))
        assert not missing(facts, screens), "\n".join("\n".join(["", *screen]) for screen in screens)
        terminal.keys(RERUN)
        over = terminal.until(lambda: any("attempt 2/2" in line and "✗" in line for line in terminal.display))
        assert over, "\n".join(terminal.display)
        settled(terminal)
        assert not escapes(bytes(terminal.raw))
    finally:
        terminal.close()
    again = sandbox.run("replay", "--json", "last")
    assert again.run_id() != first.run_id()
    assert again.of("run.started")[0]["parent"] == first.run_id()
    assert [line["scenario"] for line in again.of("attempt.started")] == red
