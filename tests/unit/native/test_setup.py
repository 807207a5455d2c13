from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BASICS = ("cat", "cmp", "cut", "dirname", "head", "printf", "sed", "sh", "sort")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A PATH with the tools that every system has, and no Python, Rust or compiler."""
    for name in BASICS:
        found = shutil.which(name)
        assert found
        (tmp_path / name).symlink_to(found)
    return tmp_path


def install(machine: Path, name: str, body: str) -> None:
    path = machine / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def setup(machine: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools/setup"], env={"PATH": str(machine)}, capture_output=True, text=True, check=False
    )


def test_setup__bare_machine__then_everything_missing_is_named_with_a_way_to_get_it(machine: Path) -> None:
    result = setup(machine)
    assert result.returncode == 1
    assert result.stdout == ""
    assert "missing: Python 3.11 or newer\n" in result.stderr
    assert "apt install python3 python3-venv" in result.stderr
    assert "missing: a Rust toolchain" in result.stderr
    assert "rustup" in result.stderr
    assert "missing: a C compiler" in result.stderr


def test_setup__old_rust_and_old_python__then_both_are_named(machine: Path) -> None:
    install(machine, "python3", "exit 1")
    install(machine, "cargo", "exit 0")
    install(machine, "cc", "exit 0")
    install(machine, "rustc", "echo 'rustc 1.70.0 (90c541806 2023-05-31)'")
    result = setup(machine)
    assert result.returncode == 1
    assert "missing: Python 3.11 or newer\n" in result.stderr
    assert "or newer (this is 1.70.0)\n    rustup update stable" in result.stderr
    assert "compiler" not in result.stderr


def test_setup__python_without_venv__then_the_package_is_named(machine: Path) -> None:
    install(machine, "python3", 'case "$*" in *ensurepip*) exit 1 ;; esac')
    install(machine, "cargo", "exit 0")
    install(machine, "cc", "exit 0")
    install(machine, "rustc", "echo 'rustc 1.99.0-nightly (abc 2030-01-01)'")
    result = setup(machine)
    assert result.returncode == 1
    assert result.stderr == (
        "missing: the venv module of python3\n    Debian, Ubuntu: apt install python3-venv\n"
    )
