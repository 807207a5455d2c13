"""How `real_suites` runs a suite: natively and through the product, once for verdicts and again for the clock.

Both get the same tree, interpreter, arguments and variables. The runs that are timed have nothing beside them: no
plugin natively, and no journal on standard output here. It must never change a suite.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tools.tasks.common import say, tool

SUBTEST = " ▸ "
# What a run needs from outside; everything else of this machine stays away from both runs.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
#: One run of a suite takes a minute; one that takes this long hangs.
PATIENCE = 1200


@dataclass(frozen=True)
class Suite:
    """A published suite: of a package whose source carries its tests, or of the interpreter itself."""

    name: str
    version: str
    title: str = ""
    extras: str = ""
    needs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("tests",)
    arguments: tuple[str, ...] = ()
    runner: str = "pytest"
    #: A file of its environment that is taken away, so that much of it is red.
    breaks: str = ""

    @property
    def key(self) -> str:
        """What it is called on the command line and in the kept results."""
        return self.title or self.name

    def native_words(self) -> list[str]:
        """The arguments of the interpreter that run it without us."""
        return ["-m", self.runner, "-q", *self.arguments, *self.paths]


@dataclass
class Result:
    """Verdicts by test id, and how the run ended."""

    exit: int
    verdicts: dict[str, list[str]] = field(default_factory=dict)
    #: What the run said of its trace at the end, if it had one.
    trace: dict[str, Any] = field(default_factory=dict)

    def add(self, test: str, verdict: str) -> None:
        """Note one verdict; a test that is run twice has two."""
        self.verdicts.setdefault(test, []).append(verdict)

    def counts(self) -> str:
        """The verdicts in words."""
        found = Counter(verdict for verdicts in self.verdicts.values() for verdict in verdicts)
        ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
        return ", ".join(f"{count} {verdict}" for verdict, count in ordered)


def environment(places: Path) -> dict[str, str]:
    """The same few variables for both runs."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    folders = {f"XDG_{name}_HOME": str(places / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
    ours = {"PYTHONHASHSEED": "0", "NO_COLOR": "1", "TRACEKIT_AGENT_IDLE": "1"}
    return {**kept, **folders, **ours}


def call(command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command without input, keeping what it says."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


@contextmanager
def places() -> Iterator[Path]:
    """A folder for one run, with everything that it leaves behind."""
    with TemporaryDirectory(prefix="tracekit-real-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def tree(source: Path | None, place: Path) -> Path:
    """A tree of its own for each run: what a suite leaves behind must not change the other run."""
    if source is None:
        place.mkdir()
    else:
        shutil.copytree(source, place, symlinks=True)
    return place


def profiled(suite: Suite, folder: Path, python: Path) -> Path:
    """The tree with a profile in it that says what the native command says."""
    table = {"python": str(python), "runner": suite.runner, "paths": [], "args": ["-q", *suite.arguments]}
    # What is a module and no path, unittest takes among its arguments.
    table["args" if suite.runner == "unittest" else "paths"] += suite.paths  # type: ignore[operator]
    lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
    text = "\n".join(["[suite.real]", *lines, ""])
    (folder / "tracekit.toml").write_text(text, encoding="utf-8")
    return folder


# -- verdicts


def native(suite: Suite, source: Path | None, python: Path) -> Result:
    """The suite under its runner alone, each verdict told by a few lines beside it."""
    with places() as place:
        beside = place / "beside"
        beside.mkdir()
        (beside / "verdicts_of_native.py").write_text(
            PYTEST if suite.runner == "pytest" else UNITTEST, encoding="utf-8"
        )
        told = place / "native.jsonl"
        env = environment(place) | {"PYTHONPATH": str(beside), "VERDICTS": str(told)}
        words = suite.native_words()
        if suite.runner == "pytest":
            words[2:2] = ["-p", "verdicts_of_native"]
        else:
            words[1] = "verdicts_of_native"
        done = call([str(python), *words], tree(source, place / "tree"), env)
        result = Result(done.returncode)
        with told.open(encoding="utf-8") as file:
            for line in file:
                result.add(*json.loads(line))
    if not result.verdicts:
        say(done.stdout.decode(errors="replace")[-2000:] + done.stderr.decode(errors="replace")[-2000:])
    return result


def traced(suite: Suite, source: Path | None, python: Path, level: str = "") -> Result:
    """The same through the product, from its journal; at another level of tracing than the usual one if it is named."""
    words = ["--trace", level] if level else []
    with places() as place:
        folder = profiled(suite, tree(source, place / "tree"), python)
        done = call([tool("tracekit"), "run", *words, "--json"], folder, environment(place))
    result = Result(done.returncode)
    paths: dict[str, list[str]] = {}
    for raw in done.stdout.splitlines():
        line: dict[str, Any] = json.loads(raw)
        if line.get("e") == "scenario.found":
            paths[line["scenario"]] = line["path"]
        elif line.get("e") == "attempt.ended" and SUBTEST not in line["scenario"]:
            scenario = line["scenario"]
            result.add(native_id(suite, scenario, paths.get(scenario)), line["verdict"])
        elif line.get("e") == "trace.ended":
            result.trace = line
    if not result.verdicts:
        say((done.stdout[-1000:] + done.stderr[-2000:]).decode(errors="replace"))
    return result


def native_id(suite: Suite, scenario: str, path: list[str] | None) -> str:
    """How the runner itself calls a scenario."""
    plain = scenario.removeprefix(f"{suite.runner}@real:")
    if suite.runner == "pytest":
        return plain
    # unittest knows modules, not files: what stands behind the library's folder is the module.
    names = path or plain.partition(" #")[0].split("::")
    if len(names) == 2:
        # A doctest has a name of its own and no class.
        return names[1]
    module = (
        f"/{names[0]}".rpartition("/test/")[2].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )
    return ".".join([f"test.{module}", *names[1:]])


def differences(one: Result, other: Result) -> list[str]:
    """Every test whose verdicts are not the same."""
    ids = sorted({*one.verdicts, *other.verdicts})
    rows = ((test, one.verdicts.get(test, []), other.verdicts.get(test, [])) for test in ids)
    return [
        f"{test}: native {' '.join(a) or 'none'}, here {' '.join(b) or 'none'}"
        for test, a, b in rows
        if sorted(a) != sorted(b)
    ]


# -- the clock


def native_seconds(suite: Suite, source: Path | None, python: Path) -> float:
    """The wall time of the native command, with nothing beside it."""
    with places() as place:
        folder, env = tree(source, place / "tree"), environment(place)
        before = time.monotonic()
        call([str(python), *suite.native_words()], folder, env)
        return time.monotonic() - before


def traced_seconds(suite: Suite, source: Path | None, python: Path) -> float:
    """The wall time of `tracekit run`, its own start and its agent's included.

    It is not the first run of this installation: the agent is unpacked, and the probe compiled for this interpreter.
    """
    with places() as place:
        folder, env = profiled(suite, tree(source, place / "tree"), python), environment(place)
        first = profiled(replace(suite, paths=(), arguments=()), tree(None, place / "first"), python)
        (first / "test_first.py").write_text(FIRST, encoding="utf-8")
        # A state of its own has an agent of its own: the one that is timed starts anew.
        call([tool("tracekit"), "run"], first, env | {"XDG_STATE_HOME": str(place / "other")})
        before = time.monotonic()
        call([tool("tracekit"), "run"], folder, env)
        return time.monotonic() - before


# What any runner finds and passes.
FIRST = """\
import unittest


class TestFirst(unittest.TestCase):
    def test_first(self):
        pass
"""

# A native verdict is told by pytest's own words for it: what its summary line would count.
PYTEST = """\
import json
import os

import pytest

PATH = os.environ["VERDICTS"]
CONFIG = []
PARTS = {}


def pytest_configure(config):
    CONFIG.append(config)


def tell(nodeid, verdict):
    with open(PATH, "a", encoding="utf-8") as file:
        file.write(json.dumps([nodeid, verdict]) + "\\n")


def worst(found):
    return next((word for word in ("failed", "error") if word in found), found[-1])


def pytest_runtest_logreport(report):
    config = CONFIG[0]
    if hasattr(config, "workerinput"):
        return
    category = config.hook.pytest_report_teststatus(report=report, config=config)[0]
    if getattr(report, "context", None) is not None:
        return
    if category:
        PARTS.setdefault(report.nodeid, []).append(category)
    if report.when == "teardown":
        tell(report.nodeid, worst(PARTS.pop(report.nodeid, ["nothing"])))


def pytest_sessionfinish(session, exitstatus):
    for nodeid, found in PARTS.items():
        tell(nodeid, worst(found))
"""

# What unittest's own result class is told, and in whose words.
UNITTEST = """\
import json
import os
import sys
import unittest

FILE = open(os.environ.pop("VERDICTS"), "a", encoding="utf-8")
sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
os.environ.pop("PYTHONPATH", None)


class Result(unittest.TextTestResult):
    def startTest(self, test):
        self.found = []
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        word = next((word for word in ("failed", "error") if word in self.found), (self.found or ["nothing"])[-1])
        FILE.write(json.dumps([test.id(), word]) + "\\n")

    def note(self, word, test=None):
        # A fixture of a class or a module is no test, and has neither start nor stop.
        if getattr(test, "_testMethodName", None) is None and type(test).__name__ == "_ErrorHolder":
            FILE.write(json.dumps([test.id(), word]) + "\\n")
        else:
            self.found.append(word)

    def addSuccess(self, test):
        self.note("passed")
        super().addSuccess(test)

    def addFailure(self, test, err):
        self.note("failed", test)
        super().addFailure(test, err)

    def addError(self, test, err):
        # Outside of a test method it is an error; inside, the method failed.
        torn = any(frame in ("tearDown", "setUp", "doCleanups") for frame in names(err[2]))
        self.note("error" if torn else "failed", test)
        super().addError(test, err)

    def addSkip(self, test, reason):
        self.note("skipped", test)
        super().addSkip(test, reason)

    def addExpectedFailure(self, test, err):
        self.note("xfailed")
        super().addExpectedFailure(test, err)

    def addUnexpectedSuccess(self, test):
        self.note("failed")
        super().addUnexpectedSuccess(test)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note("failed")
        super().addSubTest(test, subtest, err)


def names(traceback):
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_name
        traceback = traceback.tb_next


if __name__ == "__main__":
    unittest.main(module=None, testRunner=unittest.TextTestRunner(resultclass=Result, verbosity=0))
"""
