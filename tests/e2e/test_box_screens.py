"""A person at the console and a box behind a real sshd: what a login asks stands in a window, and is kept nowhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.pairs import Pair
from tests.support.terminal import Terminal, escapes
from tests.support.until import until

PHRASE = "correct horse battery"
TUI = "import sys; from tracekit.cli.main import tui; sys.exit(tui())"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with sshd.box(tmp_path / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=1") as box:
        made = Pair(box, tmp_path / re.sub(r"\W", "", tmp_path.name), *sshd.lend_pytest(box))
        made.project("def test_one(): pass\n")
        yield made


class Person:
    """Sits at a terminal."""

    def __init__(self, pair: Pair, *words: str) -> None:
        self.pair = pair
        command = ["-c", TUI, str(pair.here), *words]
        self.terminal = Terminal(command, env={**pair.sandbox.environ, "TERM": "xterm-256color"})

    def sees(self, text: str) -> None:
        assert self.terminal.until(lambda: self.terminal.shows(text)), "\n".join(self.terminal.display)

    def types(self, keys: str) -> None:
        self.terminal.keys(keys)

    def lets_the_code_run(self) -> None:
        self.sees("may its code run")
        self.types("j\r")
        self.sees("test_one")

    def goes_back(self, out_of: str) -> None:
        self.types("\x1b")
        assert self.terminal.until(lambda: not self.terminal.shows(out_of)), "\n".join(self.terminal.display)

    def leaves(self) -> bytes:
        self.types("q")
        assert self.terminal.wait() == 0
        return bytes(self.terminal.raw)


RED = """
import os

def test_red():
    held = os.environ["USER"] + os.environ["GREETING"]
    assert held == "nobody"
"""


COMMANDS = (
    "p 'in commands: ' + str(any(b'open-' + b'sesame' in open(each, 'rb').read() for each in "
    "__import__('glob').glob('/proc/[0-9]*/cmdline') if os.path.exists(each)))"
)


def test_debug__scenario_ran_on_a_box__then_its_debugger_has_this_terminal_and_the_console_comes_back(
    tmp_path: Path,
) -> None:
    with sshd.box(tmp_path / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=1", terminals=True) as box:
        pair = Pair(box, tmp_path / re.sub(r"\W", "", tmp_path.name), *sshd.lend_pytest(box))
        pair.project(RED)
        profile = pair.here / "tracekit.toml"
        pair.sandbox.environ["KEPT"] = "open-sesame"
        profile.write_text(
            profile.read_text().replace(
                "env = {",
                'env = { GREETING = ", hello", PASS = { secret = true, from = "env:KEPT" },',
            )
        )
        person = Person(pair)
        try:
            person.sees("may its code run")
            person.types("j\r")
            person.sees("test_red")
            person.types("e")
            person.sees("This box is not known")
            person.types("j\r")  # once
            person.sees("GiB · clock")
            person.types("j\r")
            person.sees("runs begin on box7")
            person.types("a")
            person.sees("assert held")
            # What was accepted once holds for what this console starts, too.
            person.types("JD")
            person.sees("on box7: cd ")
            person.sees("(Pdb)")
            # It has the secret, which stands in no command there, in no file, and not on this screen.
            person.types("p 'it has ' + os.environ['PASS'].replace('-', '+')\r")
            person.sees("it has open+sesame")
            person.types(COMMANDS + "\r")
            person.sees("in commands: False")
            person.types("p held + ' at ' + os.ttyname(0)\r")
            person.sees(f"{box.user}, hello at /dev/pts/")
            person.types("q\r")
            person.sees("enter goes back to the console")
            person.types("\r")
            person.sees("SCENARIOS")
            person.leaves()
            assert not [one for one in box.home.rglob("given") if one.is_fifo()]
            assert b"open-sesame" not in bytes(person.terminal.raw)
        finally:
            person.terminal.close()


@pytest.fixture
def person(pair: Pair) -> Iterator[Person]:
    sat = Person(pair)
    yield sat
    sat.terminal.close()


def locked(box: sshd.Box) -> None:
    """The person's key has a passphrase."""
    command = ["ssh-keygen", "-q", "-p", "-f", str(box.client_home / ".ssh" / "id_ed25519")]
    subprocess.run([*command, "-N", PHRASE, "-P", ""], check=True, capture_output=True)


def everything(place: Path) -> bytes:
    return b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())


def test_environments__box_is_unknown_and_the_key_is_locked__then_asked_in_windows_and_kept_nowhere(
    pair: Pair, person: Person
) -> None:
    locked(pair.box)
    person.lets_the_code_run()
    person.types("e")
    person.sees("This box is not known")
    person.sees("SHA256:")
    person.types("jj\r")  # from now on
    person.sees("A key is locked")
    person.types(PHRASE)
    person.sees("•" * len(PHRASE))
    person.types("\r")
    person.sees("GiB · clock")
    person.goes_back("ENVIRONMENTS")
    raw = person.leaves()
    assert not escapes(raw)
    assert PHRASE.encode() not in raw
    kept = pair.sandbox.home / "config" / "tracekit" / "known_hosts"
    assert f"[127.0.0.1]:{pair.box.port} ssh-ed25519" in kept.read_text()
    assert PHRASE.encode() not in everything(pair.sandbox.home)


def test_environments__key_has_changed__then_a_red_screen_that_accepts_nothing(
    pair: Pair, person: Person
) -> None:
    other = pair.sandbox.home / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    kind, key = other.with_suffix(".pub").read_text().split()[:2]
    before = f"[127.0.0.1]:{pair.box.port} {kind} {key}\n"
    pair.trust(before)
    person.lets_the_code_run()
    person.types("e")
    person.sees("THE KEY OF THIS BOX HAS CHANGED")
    person.sees("somebody may listen in")
    person.types("\r" + "ys")  # no key here accepts anything
    person.sees("THE KEY OF THIS BOX HAS CHANGED")
    person.goes_back("THE KEY OF THIS BOX")
    person.sees("✗ box7")
    person.goes_back("ENVIRONMENTS")
    person.leaves()
    own = pair.sandbox.home / "config" / "tracekit" / "known_hosts"
    assert not own.exists()
    assert (pair.box.client_home / ".ssh" / "known_hosts").read_text() == before


def test_run__begun_from_the_console_on_a_box_chosen_there__then_it_is_that_box_s(
    pair: Pair, person: Person
) -> None:
    pair.trust()
    person.lets_the_code_run()
    person.types("e")
    person.sees("GiB · clock")
    person.types("j\r")
    person.sees("runs begin on box7")
    person.types("a")
    person.sees("env: box7")
    person.sees("✓1")
    until(lambda: b"run.ended" in everything(pair.sandbox.state / "runs"))
    assert person.terminal.until(lambda: not person.terminal.shows("▶"))
    person.leaves()
    assert [*(pair.sandbox.state / "runs").glob("*/box7/journal.ndjson")]


@pytest.mark.parametrize("how", ["connect", "sync"])
def test_editor_key__frame_of_a_box__then_the_file_of_this_machine_is_opened(pair: Pair, how: str) -> None:
    (pair.here / "test_it.py").write_text("def helps():\n    assert 1 == 2\n\ndef test_one():\n    helps()\n")
    shutil.copy(pair.here / "test_it.py", pair.there / "test_it.py")
    toml = pair.here / "tracekit.toml"
    toml.write_text(toml.read_text().replace('"connect"', f'"{how}"'))
    pair.trust()
    opened = pair.sandbox.home / "opened"
    editor = pair.sandbox.home / "note"
    editor.write_text(f'#!/bin/sh\necho "$@" >> {opened}\n')
    editor.chmod(0o755)
    run = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    assert run.verdicts() == {"pytest@it:test_it.py::test_one": "failed"}, run.err
    pair.sandbox.environ["EDITOR"] = str(editor)
    command = ["-m", "tracekit.cli.main", "replay", run.run_id()]
    terminal = Terminal(command, env={**pair.sandbox.environ, "TERM": "xterm-256color"})
    try:
        assert terminal.until(lambda: terminal.shows("test_one")), "\n".join(terminal.display)
        terminal.keys("Jo")
        assert terminal.until(lambda: opened.exists() and bool(opened.read_text())), "\n".join(
            terminal.display
        )
        assert opened.read_text().split() == ["+2", str(pair.here / "test_it.py")]
    finally:
        terminal.close()
