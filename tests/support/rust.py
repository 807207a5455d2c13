"""The Rust fixtures, built once for a process of tests, and cargo as a person has it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.cli import Sandbox
from tests.support.unavailable import unavailable

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
# A person's shell may ask for what changes every panic's words.
# Behind what a test printed without an end of line, too.
_TEST = re.compile(r"test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)")
_CHANGES = ("RUST_BACKTRACE", "RUST_LIB_BACKTRACE", "RUST_TEST_THREADS", "RUSTFLAGS")


def environ() -> dict[str, str]:
    """What cargo needs of this machine's environment."""
    if shutil.which("cargo") is None:
        unavailable("cargo: not installed")
    home = Path.home()
    found = {
        "PATH": os.environ["PATH"],
        "CARGO_HOME": os.environ.get("CARGO_HOME", str(home / ".cargo")),
        "CARGO_NET_OFFLINE": "true",
    }
    rustup = os.environ.get("RUSTUP_HOME", str(home / ".rustup"))
    return {**found, "RUSTUP_HOME": rustup} if Path(rustup).is_dir() else found


def copied(fixture: str, place: Path) -> Path:
    """A project of a fixture's files."""
    root = place / fixture
    shutil.copytree(FIXTURES / fixture, root, ignore=shutil.ignore_patterns("target"))
    return root


def profile(root: Path, text: str) -> Path:
    """Another profile of the same project, so that nothing is built again."""
    place = root / "asked.toml"
    place.write_text(text)
    return place


def sandbox(home: Path) -> Sandbox:
    """A person's own place, in which cargo works."""
    return Sandbox(home, environ())


def natively(root: Path, *words: str) -> dict[str, str]:
    """What `cargo test` itself says of each test: file of the program and name, to verdict."""
    process = {**{name: value for name, value in os.environ.items() if name not in _CHANGES}, **environ()}
    command = ["cargo", "test", "--no-fail-fast", *words]
    done = subprocess.run(
        command, cwd=root, env=process, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    # Which program speaks is said on the other stream, in the same order.
    programs = [line.split()[-2] for line in done.stderr.splitlines() if line.strip().startswith("Running ")]
    verdicts: dict[str, str] = {}
    number = -1
    for line in done.stdout.splitlines():
        if line.startswith("running "):
            number += 1
        elif told := _TEST.search(line):
            program = programs[number] if number < len(programs) else "doc"
            verdicts[f"{program}::{told.group(1)}"] = told.group(2)
    return verdicts
