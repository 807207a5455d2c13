"""Boxes as they are found: any login shell, start-up files that talk or dawdle, old Pythons, homes not writable."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.cli import Done
from tests.support.pairs import Pair
from tests.support.unavailable import unavailable

SHELLS = {
    "sh": ".profile",
    "bash": ".bashrc",
    "csh": ".cshrc",
    "tcsh": ".tcshrc",
    "fish": ".config/fish/config.fish",
    "zsh": ".zshenv",
    "dash": ".profile",
}
INSTALLED = [name for name in SHELLS if shutil.which(name)]


@contextlib.contextmanager
def lent(tmp_path: Path, shell: str, start: str = "", settings: str = "", idle: int = 1) -> Iterator[Pair]:
    """A box whose user has this login shell, with this in its start-up file."""
    settings = f"SetEnv TRACEKIT_AGENT_IDLE={idle} {settings}"
    with sshd.box(tmp_path / "box", shell=shutil.which(shell) or "", settings=settings) as box:
        if start:
            begin_with(box, shell, start)
        pair = Pair(box, tmp_path / re.sub(r"\W", "", tmp_path.name), *sshd.lend_pytest(box))
        pair.project("def test_one(): print('one')\n")
        pair.trust()
        yield pair


def begin_with(box: sshd.Box, shell: str, start: str) -> None:
    """What the shell of the box's user reads first."""
    file = box.home / SHELLS[shell]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(start)
    sshd.give(box, box.home / SHELLS[shell].split("/")[0])


def ran(pair: Pair, *words: str) -> Done:
    return pair.sandbox.run("run", pair.here, "--env", "box7", "--json", *words)


@pytest.mark.parametrize("shell", INSTALLED)
def test_run__login_shell_of_any_kind_that_prints__then_as_ever(tmp_path: Path, shell: str) -> None:
    with lent(tmp_path, shell, "echo \"Welcome to the lab; 'quotes' and a $HOME\"\n") as pair:
        for _ in range(2):  # once with everything to bring, once with everything there
            done = ran(pair)
            assert [*done.verdicts().values()] == ["passed"], done.err


def test_run__start_up_file_changed_while_the_agent_was_there__then_the_next_run_finds_it(
    tmp_path: Path,
) -> None:
    if "bash" not in INSTALLED:
        unavailable("bash: not installed")
    # Idle for so long it is the same agent that takes the second run.
    with lent(tmp_path, "bash", idle=50) as pair:
        for test in (*pair.here.glob("test_*.py"), *pair.there.glob("test_*.py")):
            test.write_text("import os\ndef test_one(): assert os.environ.get('PLANET') == 'mars'\n")
        assert [*ran(pair).verdicts().values()] == ["failed"]
        uid = pwd.getpwnam(pair.box.user).pw_uid
        daemons = [pid for pid in sshd.processes_of(uid) if "daemon" in named(pid)]
        begin_with(pair.box, "bash", "export PLANET=mars\n")
        assert [*ran(pair).verdicts().values()] == ["passed"]
        assert [pid for pid in daemons if "daemon" in named(pid)] == daemons != []


def named(pid: int) -> str:
    """What a process calls itself; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def test_run__start_up_file_takes_its_time__then_waited_for(tmp_path: Path) -> None:
    with lent(tmp_path, "bash", "sleep 5\n") as pair:
        assert ran(pair).code == 0


def test_run__start_up_file_never_stops_talking__then_said_with_what_it_printed(tmp_path: Path) -> None:
    with lent(tmp_path, "bash", "head -c 100000 /dev/zero | tr '\\0' x\n") as pair:
        done = ran(pair)
    assert done.code == 5
    assert "printed more than 64 KiB" in done.err
    assert "start-up files quiet" in done.err


def test_run__start_up_file_ends_the_shell__then_said(tmp_path: Path) -> None:
    with lent(tmp_path, "bash", "echo this account is for mail only; exit 3\n") as pair:
        done = ran(pair)
    assert done.code == 5
    assert "ended before the agent began" in done.err
    assert "mail only" in done.err


def test_run__only_pythons_that_are_too_old__then_said_with_the_next_step(tmp_path: Path) -> None:
    with lent(tmp_path, "bash") as pair:
        tools = pair.box.home / "bin"
        tools.mkdir()
        script = "#!/bin/sh\nexit 85\n"  # as one that is asked and is too old answers
        (tools / "python3").write_text(script)
        (tools / "python3").chmod(0o755)
        (pair.box.home / ".bashrc").write_text("export PATH=$HOME/bin\n")  # nothing else is found
        for tool in ("sh", "echo"):
            (tools / tool).symlink_to(shutil.which(tool) or "")
        sshd.give(pair.box, tools)
        done = ran(pair)
    assert done.code == 5
    assert "no Python 3.9 or newer" in done.err
    assert "TRACEKIT_PYTHON" in done.err


def test_run__home_cannot_be_written__then_the_agent_finds_another_place(tmp_path: Path) -> None:
    with lent(tmp_path, "sh") as pair, read_only(pair.box.home):
        done = ran(pair)
        assert [*done.verdicts().values()] == ["passed"], done.err


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Nothing can be written there any more."""
    bind = [["mount", "--bind", str(place), str(place)], ["mount", "-o", "remount,ro,bind", str(place)]]
    if os.geteuid() != 0 or subprocess.run(bind[0], check=False, capture_output=True).returncode:
        unavailable("only root mounts file systems, and not in every container")
    try:
        subprocess.run(bind[1], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
