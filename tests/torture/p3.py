"""P3: a cut connection loses nothing: runs on a box behind a line that breaks in six ways, at random bytes.

The line lies between the product's own console and a real sshd, so that every part of the talk is broken: handshake,
bootstrap, greeting, resumption, data. At the end the files there and here are compared by their hashes, and what the
tests printed with what they counted themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.support.pairs import Pair
from tests.support.relay import WAYS, Relay, relay
from tests.torture.agents import wait
from tests.torture.registry import Outcome, scaled

CUTS = 200
PER_RUN = 25
# A line that breaks before anything has begun ends the command with an error, and nothing is lost by that.
MOST_REFUSED = 20
SEED = 20_03
# More than a connection carries in the time that a run gives it, and less than a run prints.
LONGEST = 3 << 20
PATIENCE = 240.0
FILES = ("run.json", "journal.ndjson", "output.bin", "strings.tkd", "trace/seg-000000.tks")
FLOOD = """
import logging, pathlib, time

HERE = pathlib.Path(__file__).parent

def flood(name):
    number = 0
    while not (HERE / "gate").exists():
        for _ in range(50):
            number += 1
            print(f"<{name} {number}>" + "." * 180)
        logging.warning("%s has printed %s", name, number)
        time.sleep(0.01)
    (HERE / f"count-{name}").write_text(str(number))

def test_one():
    flood("one")

def test_two():
    flood("two")
"""
_MARK = re.compile(rb"<(one|two) (\d+)>")


@dataclass
class Tally:
    """What all runs add up to."""

    broken: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    runs: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    differing: int = 0
    bytes: int = 0
    outcome: Outcome = field(default_factory=Outcome)


def main(scale: float) -> Outcome:
    """So many broken connections, over runs of a few each."""
    tally = Tally()
    cuts = scaled(CUTS, scale, 6)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as base, _served(Path(base)) as lent:
        box, python, library = lent
        while sum(tally.broken.values()) < cuts and len(tally.outcome.faults) < 5:
            wanted = min(PER_RUN, cuts - sum(tally.broken.values()))
            number = tally.runs + tally.refused
            place = Path(base) / f"run{number}"
            with relay(box.port, SEED + number, LONGEST) as line:
                begun = _one(Pair(box, place / f"home{number}", python, library), line, wanted, tally)
            tally.broken += line.broken
            tally.passed += line.passed
            tally.runs += begun
            tally.refused += not begun
            if tally.refused > MOST_REFUSED:
                tally.outcome.fault(f"{tally.refused} runs ended before they were under way")
                break
    tally.outcome.figures = {
        "cuts": sum(tally.broken.values()),
        **{way.replace(" ", "_"): tally.broken[way] for way in WAYS},
        "runs": tally.runs,
        "refused": tally.refused,
        "lost": tally.lost,
        "doubled": tally.doubled,
        "differing": tally.differing,
        "mib": tally.bytes >> 20,
    }
    return tally.outcome


@contextlib.contextmanager
def _served(base: Path) -> Iterator[tuple[sshd.Box, str, Path]]:
    # Broken logins are what this is about: the server must not grow tired of them.
    with sshd.box(base / "box", settings="MaxStartups 100:30:200\nLoginGraceTime 5\n") as box:
        yield (box, *sshd.lend_pytest(box))


def _one(pair: Pair, line: Relay, wanted: int, tally: Tally) -> bool:
    """One run: broken so many times while it prints, and on to its end; False when it ended before it had begun."""
    name = f"run {tally.runs}"
    pair.project(FLOOD, port=line.port)
    pair.trust(pair.box.known_host + pair.box.known_host.replace(str(pair.box.port), str(line.port)))
    said = pair.here.parent / "said"
    with said.open("wb") as err:
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": err}
        process = pair.sandbox.start("run", pair.here, "--env", "box7", "--json", **quiet)
    runs = pair.sandbox.state / "runs"
    try:
        wait(lambda: any(runs.glob("*/box7/journal.ndjson")) or process.poll() is not None, PATIENCE)
        if process.poll() is not None:
            return False
        if not any(runs.glob("*/box7/journal.ndjson")):
            tally.outcome.fault(f"{name}: never under way, and no end")
            return True
        (folder,) = runs.iterdir()
        if not _bystander(pair, folder.name):
            tally.outcome.fault(f"{name}: nobody else could attach")
        if not wait(lambda: sum(line.broken.values()) >= wanted, PATIENCE):
            tally.outcome.fault(f"{name}: only {sum(line.broken.values())} of {wanted} cuts in time")
        (pair.there / "gate").touch()
        if not wait(lambda: process.poll() is not None, PATIENCE) or process.returncode:
            last = said.read_text(errors="replace").replace("socket.send() raised exception.\n", "")
            tally.outcome.fault(f"{name}: ended with {process.poll()}: {last[-400:].strip()}")
            return True
        _judge(pair, folder, name, tally)
        return True
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _bystander(pair: Pair, run: str) -> bool:
    """Another machine that has begun to copy the run and never comes back: so the box keeps its files."""
    sandbox = Sandbox(pair.sandbox.home / "bystander", {"HOME": str(pair.box.client_home)})
    project = sandbox.home / "project"
    project.mkdir(parents=True)
    text = (pair.here / "tracekit.toml").read_text()
    port = re.sub(r"^port = \d+$", f"port = {pair.box.port}", text, flags=re.MULTILINE)
    (project / "tracekit.toml").write_text(port)
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = sandbox.start("attach", run, "--env", "box7", "--json", cwd=project, **quiet)
    try:
        return wait(lambda: any((sandbox.state / "runs").glob("*/box7/journal.ndjson")), PATIENCE)
    finally:
        process.kill()
        process.wait()


def _judge(pair: Pair, folder: Path, name: str, tally: Tally) -> None:
    there = pair.box.home / ".local" / "state" / "tracekit" / "box" / "runs" / folder.name / "box7"
    for file in FILES:
        if _hash(there / file) != _hash(folder / "box7" / file):
            tally.differing += 1
            tally.outcome.fault(f"{name}: {file} is not the same here and there")
    output = (folder / "box7" / "output.bin").read_bytes()
    tally.bytes += len(output)
    for test in ("one", "two"):
        count = int((pair.there / f"count-{test}").read_text())
        told = Counter(int(number) for whose, number in _MARK.findall(output) if whose.decode() == test)
        lost, doubled = count - len(told), sum(told.values()) - len(told)
        if lost or doubled:
            tally.outcome.fault(f"{name}: {test} lost {lost} doubled {doubled}")
        tally.lost, tally.doubled = tally.lost + lost, tally.doubled + doubled
    checked = pair.sandbox.run("verify", folder.name)
    if checked.code:
        tally.outcome.fault(f"{name}: {checked.out[:500]}")


def _hash(file: Path) -> str:
    return hashlib.blake2b(file.read_bytes()).hexdigest() if file.is_file() else f"{file} is not there"
