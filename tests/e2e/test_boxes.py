"""Runs on another machine over a real sshd, as a person has them: host keys, cut lines, nothing lost, nothing left."""

from __future__ import annotations

import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.support.until import until

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "verdicts"
UNREACHABLE = 5
SLOW = """
import pathlib, time

def test_first():
    print("first is done", flush=True)

def test_waits():
    gate = pathlib.Path(__file__).with_name("gate")
    while not gate.exists():
        print("waiting", flush=True)
        time.sleep(0.02)

def test_last():
    print("last is done", flush=True)
"""


class Pair:
    """A project on a box and here, and a person who has both."""

    def __init__(self, box: sshd.Box, home: Path, python: str, library: Path) -> None:
        self.box = box
        self.sandbox = Sandbox(home, {"HOME": str(box.client_home)})
        self.here = home / "project"
        self.there = box.home / home.name
        self._python, self._library = python, library
        config = box.client_home / ".ssh" / "config"
        config.write_text(f"IdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n")

    def project(self, source: Path | str, **environment: Any) -> None:
        """Put the same files on both sides."""
        for place in (self.here, self.there):
            if isinstance(source, Path):
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir()
                (place / "test_it.py").write_text(source)
        sshd.give(self.box, self.there)
        keys = {
            "host": "127.0.0.1",
            "user": self.box.user,
            "port": self.box.port,
            "how": "connect",
            **environment,
        }
        table = "".join(
            f"{key} = {value if isinstance(value, int) else chr(34) + value + chr(34)}\n"
            for key, value in keys.items()
        )
        (self.here / "tracekit.toml").write_text(
            f'[suite.it]\npython = "{self._python}"\nargs = ["-p", "no:cacheprovider"]\n'
            f'env = {{ PYTHONPATH = "{self._library}", PYTHONDONTWRITEBYTECODE = "1" }}\n'
            f'[env.box7]\n{table}path_map = {{ "{self.there}" = "." }}\n'
        )

    def trust(self, line: str | None = None) -> None:
        """Put a line into the person's own known_hosts."""
        (self.box.client_home / ".ssh" / "known_hosts").write_text(line or self.box.known_host)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sshd.Box, str, Path]]:
    with sshd.box(tmp_path_factory.mktemp("box")) as box:
        yield (box, *sshd.lend_pytest(box))


@pytest.fixture
def pair(served: tuple[sshd.Box, str, Path], tmp_path: Path) -> Pair:
    box, python, library = served
    known = box.client_home / ".ssh" / "known_hosts"
    known.unlink(missing_ok=True)
    return Pair(box, tmp_path / re.sub(r"\W", "", tmp_path.name), python, library)


def plain(line: dict[str, Any]) -> dict[str, Any]:
    """What of a line must not depend on where it was told."""
    hidden = {"n", "t", "m", "m0", "src", "run", "d", "durations", "pid", "at", "offset", "out", "console"}
    hidden.add("rusage")  # told from a few milliseconds on
    return {key: value for key, value in line.items() if key not in hidden}


def told(lines: list[dict[str, Any]], project: Path) -> list[str]:
    """The lines of the test process in their order, without places and times."""
    found = []
    for line in lines:
        # A fixture that is quick and green is told only where it took its time.
        quick = line["e"] == "step.ended" and (line["kind"], line["verdict"]) == ("fixture", "passed")
        if "/main/" in line["src"] and not quick and line["e"] not in {"process.spawned", "suite.found"}:
            text = repr(sorted(plain(line).items())).replace(str(project), "ROOT")
            found.append(re.sub(r"0x[0-9a-f]+|in \d+\.\d+s|pytest-\d+", "*", text))
    return found


def test_run__project_on_a_box__then_the_journal_is_the_same_as_here(pair: Pair) -> None:
    pair.project(FIXTURE)
    pair.trust()
    there = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    here = pair.sandbox.run("run", pair.here, "--json")
    assert (there.code, here.code) == (1, 1), there.err
    assert len(told(here.lines(), pair.here)) > 50, here.of("runner.failed_to_start")
    assert told(there.lines(), pair.there) == told(here.lines(), pair.here)
    assert {line["src"].partition("/")[0] for line in there.lines()} == {"box7"}
    assert pair.sandbox.run("verify", there.run_id()).code == 0
    # What is here in full is gone there.
    runs = pair.box.home / ".local" / "state" / "tracekit" / "box" / "runs"
    until(lambda: not list(runs.iterdir()))


def test_rerun__of_a_run_on_a_box__then_there_again(pair: Pair) -> None:
    pair.project(FIXTURE)
    pair.trust()
    first = pair.sandbox.run(
        "run", pair.here, "--env", "box7", "-s", "test_verdicts.py::test_parameters", "--json"
    )
    again = pair.sandbox.run("rerun", first.run_id(), "--failed", "--json")
    assert [*again.verdicts().values()] == ["failed"], again.err
    assert {line["src"].partition("/")[0] for line in again.lines()} == {"box7"}


def test_run__line_is_cut_in_the_middle__then_nothing_is_missing(pair: Pair) -> None:
    pair.project(SLOW)
    pair.trust()
    process = pair.sandbox.start("run", pair.here, "--env", "box7", "--json")
    runs = pair.sandbox.state / "runs"
    until(lambda: runs.is_dir() and [*runs.iterdir()])
    (folder,) = runs.iterdir()
    output = folder / "box7" / "output.bin"
    for _ in range(3):
        before = size(output)
        until(functools.partial(grown, output, before))
        for pid in sessions(pair.box):
            os.kill(pid, signal.SIGKILL)
    (pair.there / "gate").touch()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert out.count(b'"e":"attempt.ended"') == 3
    assert pair.sandbox.run("verify", folder.name).code == 0
    assert b"last is done" in output.read_bytes()


def grown(file: Path, before: int) -> bool:
    return size(file) > before


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def sessions(box: sshd.Box) -> list[int]:
    """The server's processes that serve one connection each."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,comm="],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    rows = [line.split() for line in listed.splitlines()]
    children = {int(pid) for pid, parent, name in rows if int(parent) == box.pid and name.startswith("sshd")}
    return sorted(children)


def test_detach__console_goes_and_another_comes__then_it_has_everything(pair: Pair) -> None:
    pair.project(SLOW)
    pair.trust()
    run = pair.sandbox.run("run", pair.here, "--env", "box7", "--detach").out.strip()
    (pair.there / "gate").touch()
    done = pair.sandbox.run("attach", run, "--json")
    assert done.code == 0, done.out
    assert [*done.verdicts().values()] == ["passed"] * 3
    assert pair.sandbox.run("verify", run).code == 0


def test_run__host_key_is_not_known__then_refused_with_its_fingerprint_until_it_is_accepted(
    pair: Pair,
) -> None:
    pair.project(SLOW)
    (pair.there / "gate").touch()
    refused = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert (refused.code, "is not known" in refused.err, "SHA256:" in refused.err) == (
        UNREACHABLE,
        True,
        True,
    )
    assert pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new").code == 0
    assert pair.sandbox.run("run", pair.here, "--env", "box7").code == 0
    assert not (pair.box.client_home / ".ssh" / "known_hosts").exists(), "only our own file is written"


def test_run__host_key_has_changed__then_refused_and_never_accepted(pair: Pair, tmp_path: Path) -> None:
    pair.project(SLOW)
    pair.trust(f"[127.0.0.1]:{pair.box.port} {other_key(tmp_path)}\n")
    refused = pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new")
    assert refused.code == UNREACHABLE
    assert "has changed" in refused.err
    assert refused.err.count("SHA256:") == 2


@pytest.mark.parametrize("name", ["[127.0.0.1]:{port}", "127.0.0.1"])
def test_run__host_key_is_revoked__then_refused_on_every_port(pair: Pair, name: str) -> None:
    pair.project(SLOW)
    key = pair.box.known_host.split(" ", 1)[1]
    pair.trust(pair.box.known_host + f"@revoked {name.format(port=pair.box.port)} {key}")
    refused = pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new")
    assert (refused.code, "revoked" in refused.err) == (UNREACHABLE, True)


def test_run__another_key_is_pinned__then_refused_although_it_is_known(pair: Pair) -> None:
    pair.project(SLOW, fingerprint="SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
    pair.trust()
    refused = pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new")
    assert (refused.code, "pins" in refused.err) == (UNREACHABLE, True)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"port": 1}, "nobody listens"),
        ({"host": "no-such-host.invalid", "port": 22}, "no such host"),
        ({"user": "nobody-at-all"}, "does not let"),
    ],
)
def test_run__box_cannot_be_reached__then_says_why_and_ends_with_its_code(
    pair: Pair, keys: dict[str, Any], word: str
) -> None:
    pair.project(SLOW, **keys)
    pair.trust()
    done = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert done.code == UNREACHABLE, done.err
    assert word in done.err


def other_key(folder: Path) -> str:
    """A public key that no host has."""
    file = folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return " ".join(file.with_suffix(".pub").read_text().split()[:2])
