"""The agent as it travels: the same bytes from the same files, and a start wherever there is a place to unpack."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import pythons
from tests.support.agents.driving import Box, box
from tracekit.agent import zipapp

FILES = {"app/tracekit/__init__.py": b"", "__main__.py": b"print('hello')\n"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "agent.pyz"
    path.write_bytes(zipapp.build(zipapp.collect()).data)
    return path


def version(python: str | Path, archive: Path, environ: dict[str, str]) -> str:
    words = [str(python), "-I", "-S", str(archive), "version"]
    return subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout


def test_build__same_files_in_any_order__then_the_same_bytes() -> None:
    assert zipapp.build(FILES) == zipapp.build(dict(reversed(FILES.items())))


@pytest.mark.parametrize(
    "change", [{"x.py": b""}, {"__main__.py": b"print('hallo')\n"}], ids=["more", "other"]
)
def test_build__any_other_file__then_another_hash(change: dict[str, bytes]) -> None:
    assert zipapp.build({**FILES, **change}).hash != zipapp.build(FILES).hash


def test_collect__this_package__then_agent_wire_and_probe_and_nothing_else() -> None:
    rooms = {name.rsplit("/", 1)[0] for name in zipapp.collect()}
    assert rooms == {
        "__main__.py",
        "app/tracekit",
        "app/tracekit/wire",
        "app/tracekit/agent",
        "app/tracekit/agent/hosts",
        "app/tracekit/agent/reports",
        "app/tracekit/agent/hosts/js",
        "app/tracekit/agent/runners",
        "probe/_tkprobe",
        "probe/_tkprobe/site",
    }


def test_build__this_package__then_small_enough_to_send() -> None:
    assert len(zipapp.build(zipapp.collect()).data) < 400_000


def test_start__first_and_second_time__then_unpacked_once_by_hash(tmp_path: Path, archive: Path) -> None:
    cache = tmp_path / "cache"
    environ = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(cache)}
    digest = zipapp.build(zipapp.collect()).hash
    assert digest in version(sys.executable, archive, environ)
    place = cache / "tracekit" / "agent" / digest
    mark = place / "app" / "mark"
    mark.write_text("not unpacked again")
    assert digest in version(sys.executable, archive, environ)
    assert mark.exists()
    assert sorted(path.name for path in place.iterdir()) == ["app", "probe"]
    assert [path.name for path in place.parent.iterdir()] == [digest]
    assert sorted(path.name for path in (place / "probe").iterdir()) == ["_tkprobe"]


def test_start__cache_cannot_be_written__then_the_next_place(tmp_path: Path, archive: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    environ = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(blocked)}
    version(sys.executable, archive, environ)
    assert (tmp_path / ".cache" / "tracekit" / "agent").is_dir()


def test_start__nowhere_to_unpack__then_it_runs_from_the_zip(tmp_path: Path, archive: Path) -> None:
    code = (
        "import sys, runpy; sys.argv = [sys.argv[1], 'version']\n"
        "import os; os.makedirs = lambda *a, **k: (_ for _ in ()).throw(PermissionError(13, 'read-only'))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    words = [sys.executable, "-I", "-S", "-c", code, str(archive)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)})
    assert "tracekit-agent protocol" in done.stdout
    assert not (tmp_path / ".cache").exists()


def test_start__real_python_39_without_site__then_a_run_from_start_to_end(
    tmp_path: Path, archive: Path
) -> None:
    python = str(pythons.need("3.9"))
    environ = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": os.environ["PATH"]}
    assert "protocol" in version(python, archive, environ)
    with box(tmp_path, [python, "-I", "-S", str(archive)]) as made:
        _refused_run(made)


def _refused_run(made: Box) -> None:
    link = made.link()
    assert link.hello()["python"].startswith("3.9.")
    message = made.start_message()
    link.client.start(message)
    link.client.attach(message["plan"]["run"])
    # The real registry has no runner called `fake`; a run that says so went through every room but a launch.
    assert link.end_of(message["plan"]["run"])["reason"] == "failed-to-start"
    codes = [
        line["code"] for line in made.journal(message["plan"]["run"]) if line["e"] == "runner.failed_to_start"
    ]
    assert codes == ["runner.unknown"]
