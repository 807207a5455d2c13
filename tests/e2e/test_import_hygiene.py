"""What loads what, proved in fresh interpreters: contracts are read from text, this is what really happens."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

import tracekit
from tests.support import pythons

pytestmark = pytest.mark.quick
CONSOLE = Path(tracekit.__file__).resolve().parents[1]
SCREEN = {"textual", "rich"}
LINK = {"asyncssh"}
# Runs a command in this interpreter; the last line on standard error says what it has loaded.
LOADED = """\
import json, sys
from tracekit.cli.main import main
code = main(sys.argv[1:])
tops = sorted({name.partition(".")[0] for name in sys.modules})
sys.stdout.flush()
sys.stderr.write("\\n" + json.dumps({"code": code, "tops": tops}) + "\\n")
"""


def fresh(*words: str, cwd: Path, code: str = LOADED) -> dict[str, Any]:
    """What a command has loaded at its end, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    told: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    told["said"] = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    return told


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One test that passes, in a place whose path may be long."""
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert 1 + 1 == 2\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["list", "--json"], ["runs"], ["config"]], ids=" ".join
)
def test_command__looks_only__then_no_screen_and_no_link(project: Path, words: list[str]) -> None:
    told = fresh(*words, cwd=project)
    assert told["code"] == 0, told["said"]
    assert not (SCREEN | LINK).intersection(told["tops"])


def test_run__local__then_no_textual_and_no_asyncssh(project: Path) -> None:
    told = fresh("run", cwd=project)
    assert told["code"] == 0, told["said"]
    assert not ({"textual"} | LINK).intersection(told["tops"])


@pytest.mark.parametrize("name", ["wire", "agent", "model", "config"])
def test_room__imported_whole__then_nothing_above_it_and_no_dependency(tmp_path: Path, name: str) -> None:
    above = {
        "wire": {"agent", "model", "config", "link", "store", "engine", "ui", "cli", "report"},
        "agent": {"model", "config", "link", "store", "engine", "ui", "cli", "report"},
        "model": {"agent", "config", "link", "store", "engine", "ui", "cli", "report"},
        "config": {"agent", "model", "link", "store", "engine", "ui", "cli", "report"},
    }[name]
    code = (
        "import importlib, json, pkgutil, sys\n"
        f"import tracekit.{name} as room\n"
        "for found in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "ours = sorted({name.split('.')[1] for name in sys.modules if name.startswith('tracekit.')})\n"
        "tops = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "sys.stderr.write(json.dumps({'ours': ours, 'tops': tops}) + '\\n')\n"
    )
    told = fresh(cwd=tmp_path, code=code)
    assert not above.intersection(told["ours"])
    assert not (SCREEN | LINK | {"anyio", "pytest", "_tkprobe"}).intersection(told["tops"])


def test_ahead__before_a_run_has_begun__then_nothing_that_follows_it_is_loaded(tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "import tracekit.cli.project, tracekit.config.loader, tracekit.engine.ahead, tracekit.link.bridge\n"
        "ours = sorted(name for name in sys.modules if name.startswith('tracekit.'))\n"
        "tops = sorted({name.partition('.')[0] for name in sys.modules})\n"
        "sys.stderr.write(json.dumps({'ours': ours, 'tops': tops}) + '\\n')\n"
    )
    told = fresh(cwd=tmp_path, code=code)
    assert not {"anyio", "asyncio", "ssl", "orjson", "sqlite3", *SCREEN, *LINK}.intersection(told["tops"])
    assert not {"tracekit.engine.engine", "tracekit.model.fold"}.intersection(told["ours"])


def built_agent(folder: Path) -> Path:
    """The agent as it travels."""
    from tracekit.agent import zipapp

    file = folder / "agent.pyz"
    file.write_bytes(zipapp.build(zipapp.collect()).data)
    return file


def test_agent__as_it_travels__then_it_holds_only_itself(tmp_path: Path) -> None:
    names = zipfile.ZipFile(built_agent(tmp_path)).namelist()
    for name in names:
        if name.endswith(".py") and name.startswith("app/tracekit/"):
            assert name == "app/tracekit/__init__.py" or name.split("/")[2] in {"wire", "agent"}, name
    assert any(name.startswith("probe/_tkprobe/") for name in names)


def test_agent__real_python39_isolated__then_it_starts(tmp_path: Path) -> None:
    python = pythons.need("3.9")
    state = tmp_path / "state"
    state.mkdir()
    # Its standard input ends at once, so the bridge ends too, after it has said hello.
    done = subprocess.run(
        [
            str(python),
            "-I",
            "-S",
            str(built_agent(tmp_path)),
            "bridge",
            "--state",
            str(state),
            "--idle",
            "0.1",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"\0tracekit-agent/1\0" in done.stdout


def own_venv(project: Path) -> None:
    """Give the project an environment of its own that holds pytest and nothing of ours."""
    venv.create(project / ".venv", symlinks=True)
    (packages,) = (project / ".venv" / "lib").glob("python*/site-packages")
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py"):
        found = importlib.util.find_spec(name)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (packages / source.name).symlink_to(source)
        for told in source.parent.glob(f"{name}-*.dist-info"):
            (packages / told.name).symlink_to(told)


PATH_TEST = """\
import json, os, subprocess, sys

CHILD = "import json, sys; print(json.dumps(sys.path))"


def test_path():
    child = json.loads(subprocess.check_output([sys.executable, "-c", CHILD]))
    with open("seen.json", "w") as file:
        json.dump({"path": sys.path + child, "loaded": sorted(sys.modules)}, file)
"""


def test_run__target_process__then_its_path_never_holds_tracekit(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_venv(project)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (project / "test_one.py").write_text(PATH_TEST, encoding="utf-8")
    told = fresh("run", cwd=project)
    assert told["code"] == 0, told["said"]
    seen = json.loads((project / "seen.json").read_text(encoding="utf-8"))
    places = {Path(place or project) for place in seen["path"]}
    assert not [place for place in places if (place / "tracekit").exists()]
    assert not [name for name in seen["loaded"] if name.partition(".")[0] == "tracekit"]
    # The probe was there, from a folder that holds it alone.
    assert "_tkprobe" in seen["loaded"]
    holding = [place for place in places if (place / "_tkprobe").is_dir()]
    assert [entry.name for place in holding for entry in place.iterdir()] in ([], ["_tkprobe"])


@pytest.mark.parametrize(
    "version", ["3.8", "3.9", "3.13"], ids=lambda version: f"python{version.replace('.', '')}"
)
def test_probe__python_of_any_age__then_it_compiles_alone(tmp_path: Path, version: str) -> None:
    python = pythons.need(version)
    code = (
        "import importlib.util, pathlib, sys\n"
        f"for file in sorted(pathlib.Path({str(CONSOLE / '_tkprobe')!r}).rglob('*.py')):\n"
        "    compile(file.read_bytes(), str(file), 'exec')\n"
    )
    done = subprocess.run([str(python), "-I", "-S", "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
