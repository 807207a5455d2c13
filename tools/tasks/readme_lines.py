"""Executes README's `pip` and `uvx` lines as a user would, with a wheel in the published package's place.

Must never use what stands in this tree: each line gets an environment of its own and a small project.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tools.tasks.common import say
from tools.tasks.documents import fenced

PACKAGE = "tracekit"
TEST = 'def test_sum_adds() -> None:\n    """Two and two make four."""\n    assert 2 + 2 == 4\n'


def lines(readme: Path) -> list[str]:
    """The lines of README that install or run the package from outside."""
    commands = [command.line for command in fenced(readme)]
    return [line for line in commands if line.startswith(("pip ", "uvx ", "uv "))]


def program(words: list[str], wheel: Path) -> list[str]:
    """The words with the wheel in the place of the package's name."""
    if words[0] == "uvx":
        rest = words[1:]
        named = rest[0] == "--from"
        return ["uvx", "--from", str(wheel), *(rest[2:] if named else rest)]
    return [str(wheel) if word == PACKAGE else word for word in words]


def call(words: list[str], cwd: Path, env: dict[str, str]) -> int:
    """Run one command and show it."""
    say(f"$ {shlex.join(words)}")
    return subprocess.run(words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, check=False).returncode


def venv(folder: Path, *packages: str) -> Path:
    """A new environment with these packages; gives its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if packages:
        subprocess.run([str(folder / "bin/pip"), "install", "--quiet", *packages], check=True)
    return folder / "bin"


def attempt(line: str, wheel: Path, place: Path) -> bool:
    """Execute one line in a small project; whether it did what it says."""
    project = place / "project"
    (project / "tests").mkdir(parents=True)
    (project / "tests" / "test_sum.py").write_text(TEST, encoding="utf-8")
    venv(project / ".venv", "pytest")  # the project's own, as users have it
    words = shlex.split(line)
    tools = venv(place / "tools", *(["uv"] if words[0].startswith("uv") else []))
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
    env["PATH"] = f"{tools}{os.pathsep}{env['PATH']}"
    if call(program(words, wheel), project, env):
        return False
    # An installed package must also start and run the project's test.
    after = [["tracekit", "--version"], ["tracekit", "run"]] if words[0] == "pip" else []
    return all(call([str(tools / one[0]), *one[1:]], project, env) == 0 for one in after)


def main(arguments: list[str]) -> int:
    """`readme_lines README WHEEL FOLDER`: exit 1 when a line does not do what it says."""
    readme, wheel, folder = (Path(argument).resolve() for argument in arguments)
    found = lines(readme)
    if not found:
        say("README has no pip or uvx line")
        return 1
    failed = []
    for number, line in enumerate(found):
        place = folder / str(number)
        if not attempt(line, wheel, place):
            failed.append(line)
        shutil.rmtree(place, ignore_errors=True)
    for line in failed:
        say(f"FAILED: {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
