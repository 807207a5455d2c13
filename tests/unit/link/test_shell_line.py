"""The line that opens a shell on a box: any login shell reads it, and nothing in it is read by any."""

from __future__ import annotations

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
