"""The line that opens a shell on a box: any login shell reads it, and nothing in it is read by any."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tracekit.link.shell import command

SHELLS = [name for name in ("sh", "bash", "dash", "zsh", "fish", "csh", "tcsh") if shutil.which(name)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "value",
    ["plain", "a\\", "it!s", "two\nlines", "q'q", 'q"q', "\\';touch pwned;'", "$HOME `id`", "ü…"],
)
def test_command__variable_of_any_kind_and_any_login_shell__then_it_is_there_as_it_was(
    shell: str, value: str, tmp_path: Path
) -> None:
    place = tmp_path / "it's a \\ place!"
    place.mkdir()
    done = subprocess.run(
        [shutil.which(shell) or "", "-c", command(str(place), {"X": value})],
        input=b'printf "%s|" "$PWD" "$X"\n',
        capture_output=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "HOME": str(tmp_path)},
        check=False,
    )
    assert done.stdout.decode() == f"{place}|{value}|", done.stderr
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("shell", SHELLS)
def test_command__variables_wait_in_a_room__then_they_are_there_and_in_no_command(
    shell: str, tmp_path: Path
) -> None:
    room = tmp_path / "it's a room"
    room.mkdir()
    os.mkfifo(room / "given")
    value = "it's\nsaid $HOME"
    pipe = os.open(room / "given", os.O_RDWR)
    try:
        exports = base64.b64encode(f"export X={shlex.quote(value)}\n".encode())
        os.write(pipe, exports + b"\n")
        program = [
            "sh",
            "-c",
            'printf "%s|%s|%s|" "$X" "$Y" "${given-none}"; tr "\\0" "\\n" </proc/$$/cmdline',
        ]
        done = subprocess.run(
            [shutil.which(shell) or "", "-c", command(str(tmp_path), {"Y": "y"}, program, str(room))],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        )  # fmt: skip
    finally:
        os.close(pipe)
    assert done.stdout.decode().startswith(f"{value}|y|none|"), done.stderr
    assert "said" not in done.stdout.decode().partition("|none|")[2]
