"""P8 on disks that are really full: 500 tests and a red one behind them, and no room to write all of it down.

Whatever is told of a test is what it did, or that nobody knows; no face calls such a run green; and once there is room
again the run can be recovered, shown, verified and exported, and says the same.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from tests.support.cli import Done, Sandbox
from tests.support.small_disks import NoMountError, mounted, resize
from tests.support.until import until
from tests.torture.registry import Outcome

SIZES = ("300k", "500k", "700k", "2m")
GREEN = 500
ROOM = "256m"

_PYTEST = f"""
import pytest

@pytest.mark.parametrize("number", range({GREEN + 1}))
def test_many(number):
    assert number != {GREEN}
"""
_UNITTEST = f"""
import unittest

class Many(unittest.TestCase):
    pass

for number in range({GREEN + 1}):
    def test(self, number=number):
        self.assertNotEqual(number, {GREEN})
    setattr(Many, f"test_{{number:04}}", test)
"""
_REPORT = f"""
import sys
cases = "".join(f'<testcase classname="many" name="test_{{n}}"/>' for n in range({GREEN}))
red = '<testcase classname="many" name="test_{GREEN}"><failure message="last"/></testcase>'
open("report.xml", "w").write(f'<testsuite name="many">{{cases}}{{red}}</testsuite>')
sys.exit(1)
"""
_COMMAND = """
[suite.many]
runner = "command"
run = ["python3", "report.py"]
report = { junit = "report.xml" }
"""
#: As the first, and its process dies in the last test but some: what it did not write down is gone with it.
DIES = 480
DEADLY = "pytest that dies"
_DIES = f"""
import os, signal
import pytest

@pytest.mark.parametrize("number", range({GREEN + 1}))
def test_many(number):
    if number == {DIES}:
        os.kill(os.getpid(), signal.SIGSEGV)
    assert number != {GREEN}
"""
_NAMED = '[suite.many]\nrunner = "unittest"\n'

KINDS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "pytest": ({"test_many.py": _PYTEST}, ()),
    "pytest -n 2": ({"test_many.py": _PYTEST}, ("--", "-n", "2")),
    "unittest": ({"test_many.py": _UNITTEST, "tracekit.toml": _NAMED}, ()),
    DEADLY: ({"test_many.py": _DIES}, ()),
    "command": ({"report.py": _REPORT, "tracekit.toml": _COMMAND}, ()),
}
#: What may stand where nobody knows how a test ended; and where the end of the run is not written down yet.
UNKNOWN = frozenset({"notrun", "lost"})
UNFINISHED = UNKNOWN | {"pending", "running"}


def torture(outcome: Outcome) -> int:
    """Every kind of runner on every size of disk; gives how many runs that were."""
    runs = 0
    for size in SIZES:
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as base:
                sandbox = Sandbox(Path(base) / "home")
                try:
                    with mounted(sandbox.home / "state", size):
                        for text in breaches(sandbox, kind):
                            outcome.fault(f"{kind} on {size}: {text}")
                except NoMountError as fault:
                    outcome.fault(f"nothing can be mounted here: {fault}")
                    return runs
                runs += 1
    return runs


def breaches(sandbox: Sandbox, kind: str) -> list[str]:
    """One run on the disk that is mounted, and everything that can be asked about it later."""
    files, words = KINDS[kind]
    root = sandbox.project(files)
    report = sandbox.home / "report.xml"
    done = sandbox.run("run", root, "--junit", report, *words)
    folders = sorted((sandbox.state / "runs").glob("*")) if (sandbox.state / "runs").exists() else []
    if done.code == 2 and not folders:
        # A disk on which no run can begin is said to be so, and nothing was run.
        return [] if "space" in done.err else [f"not begun, and the disk is not named: {done.err[-300:]}"]
    found = []
    if done.code != 1:
        found.append(f"exit {done.code}: {done.out[-400:]}{done.err[-400:]}")
    told = done.out + done.err
    wrong = ("Traceback",) if kind == DEADLY else ("crashed", "Traceback")
    found += [f"{name!r} is told: {told[-800:]}" for name in wrong if name in told]
    if not report.exists() or _green_junit(report.read_text()):
        found.append("the report of the run is green, or not there")
    found += _wrong(sandbox.run("show", "last", "--json"), "show on the full disk", UNFINISHED, kind)
    resize(sandbox.home / "state", ROOM)
    return [*found, *_with_room(sandbox, kind)]


def _with_room(sandbox: Sandbox, kind: str) -> list[str]:
    """There is room again: what is there can be brought to its end, and says nothing that is not so."""
    (run,) = (sandbox.state / "runs").iterdir()
    found = []
    # The agent may be there still, and write down by itself what it could not before.
    until(lambda: not sandbox.daemons())
    for words in (("recover", run.name), ("verify", run.name)):
        done = sandbox.run(*words)
        if done.code:
            found.append(f"{words[0]} exits {done.code}: {done.out[-300:]}{done.err[-300:]}")
    shown = sandbox.run("show", run.name, "--json")
    found += _wrong(shown, "show with room again", UNKNOWN, kind)
    whole = sum(row["verdict"] not in UNKNOWN for row in _rows(shown)) >= GREEN + 1
    told = sandbox.run("show", run.name)
    if told.code not in (0, 1) or (not whole and "written down" not in told.out + told.err):
        found.append(f"show does not say what is missing: {told.code} {told.out[-400:]}{told.err[-200:]}")
    for option, green in GREENS.items():
        file = sandbox.home / f"out{option}"
        done = sandbox.run("export", run.name, option, file)
        if done.code or green(file.read_text()):
            found.append(f"export {option}: exit {done.code}, or green: {done.err[-300:]}")
    bundle = sandbox.home / "out.bundle"
    done = sandbox.run("export", run.name, "--bundle", bundle)
    if done.code:
        found.append(f"export --bundle: exit {done.code}: {done.err[-300:]}")
    return found


def _rows(shown: Done) -> list[dict[str, Any]]:
    try:
        return [row for row in shown.lines() if "id" in row]
    except json.JSONDecodeError:
        return []


def _wrong(shown: Done, where: str, unknown: frozenset[str], kind: str) -> list[str]:
    """What is told of a test and is neither what it did nor that nobody knows."""
    found = []
    if shown.code not in (0, 1) or "Traceback" in shown.err:
        found.append(f"{where}: exit {shown.code}: {shown.err[-300:]}")
    for row in _rows(shown):
        name = str(row["id"])
        number = name.rpartition("test_")[2]
        # What stands for the whole of a command is red as it is.
        truth = "failed" if f"{GREEN}" in number or "test_" not in name else "passed"
        if kind == DEADLY and f"{DIES}" in number:
            truth = "crashed"
        if row["verdict"] not in unknown | {truth}:
            found.append(f"{where}: {name} is {row.get('verdict')}, and {truth} in truth")
    return found[:3]


def _green_junit(text: str) -> bool:
    return not re.search(r'<testsuites [^>]*(?:failures|errors)="[1-9]', text)


def _green_ctrf(text: str) -> bool:
    """What reads such files goes by what failed, and takes no other word for red."""
    results = json.loads(text)["results"]
    return results["summary"]["failed"] == 0 or all(test["status"] != "failed" for test in results["tests"])


GREENS = {"--junit": _green_junit, "--ctrf": _green_ctrf}
