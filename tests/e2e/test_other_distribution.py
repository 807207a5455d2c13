"""A box that is another release of the distribution, with another Python, no network and nothing of the suite's."""

from __future__ import annotations

import importlib.metadata
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import distribution, sshd
from tests.support.brought import launches, outputs
from tests.support.cli import Sandbox

TEST = """
import platform, sys

def test_where():
    print("python", platform.python_version(), "on", platform.freedesktop_os_release()["VERSION_CODENAME"])

def test_package():
    import pytest
    assert sys.prefix in pytest.__file__
"""
NEEDED = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[sshd.Box]:
    folder = tmp_path / "box"
    folder.mkdir()
    with distribution.other_release(folder, 7) as box:
        yield box


def wheel(name: str, place: Path) -> None:
    """A package as it is installed here, packed again as a wheel."""
    found = importlib.metadata.distribution(name)
    place.mkdir(exist_ok=True)
    stem = f"{name}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(place / stem, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts and file.name != "direct_url.json":
                archive.write(str(file.locate()), str(file))


def test_box__of_another_release_without_packages__then_one_line_makes_it_green_and_the_second_run_prepares_nothing(
    box: sshd.Box, tmp_path: Path
) -> None:
    sandbox = Sandbox(tmp_path / "home", {"HOME": str(box.client_home), "VIRTUAL_ENV": ""})
    (box.client_home / ".ssh" / "known_hosts").write_text(
        box.known_host.replace(f"[{box.address}]:22", box.address)
    )
    root = sandbox.project({"test_it.py": TEST, "requirements.txt": "pytest\n"})
    for name in NEEDED:
        wheel(name, root / "wheels")
    prepare = (
        "python3 -m venv .venv && .venv/bin/pip install -q --no-index --find-links wheels -r requirements.txt"
    )
    added = sandbox.run(
        "box", "add", "other", f"{box.user}@{box.address}", "--prepare", prepare, "--keep", ".venv", cwd=root
    )
    assert added.code == 0, added.err
    first = sandbox.run("run", root, "--env", "other", "--json")
    assert first.code == 0, first.out[-3000:] + first.err
    assert launches(first) == ["sync", "prepare", "all scenarios"]
    there = re.findall(r"python (\S+) on (\S+)", outputs(first))
    assert [(python.rpartition(".")[0], name) for python, name in there] == [("3.13", "trixie")]
    second = sandbox.run("run", root, "--env", "other", "--json")
    assert (second.code, launches(second)) == (0, ["sync", "all scenarios"]), second.out[-3000:]
    for run in (first, second):
        assert sandbox.run("verify", run.run_id()).code == 0
    (facts,) = first.of("box.facts")
    assert facts["python"].startswith("3.13"), facts
