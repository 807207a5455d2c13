"""`tools/real-suites`: real suites, unmodified, run natively and through the product; every verdict is compared.

Sources come from pip's own index as sdists, each into an environment of its own in the cache. Both runs use the same
interpreter and the same arguments, one after the other. With --check the page is not written, only compared. Must
never change a suite: what differs is a fault of ours, or is explained in the page.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.tasks.common import ROOT, cache, say, tool

PAGE = ROOT / "docs" / "real-suites.md"
MARK = "<!-- results -->"
HEAD = (
    "| suite | interpreter | natively | tests | native verdicts | here | differences |",
    "|---|---|---|---|---|---|---|",
)
PREFIX = "pytest@real:"
SUBTEST = " ▸ "
# What a run needs from outside; everything else of this machine stays away from both runs.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Suite:
    """A published package whose source carries its tests."""

    name: str
    version: str
    extras: str = ""
    needs: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("tests",)
    arguments: tuple[str, ...] = ()


SUITES = (
    Suite(
        "httpx",
        "0.28.1",
        extras="[brotli,cli,http2,socks,zstd]",
        needs=(
            "pytest==8.3.4",
            "uvicorn==0.32.1",
            "trio==0.27.0",
            "trustme==1.2.0",
            "chardet==5.2.0",
            "anyio==4.7.0",
        ),
    ),
    Suite("attrs", "26.1.0", needs=("pytest==9.0.2", "hypothesis", "cloudpickle", "pympler")),
)


@dataclass
class Result:
    """Verdicts by test id, and how the run ended."""

    exit: int
    verdicts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, test: str, verdict: str) -> None:
        """Note one verdict; a test that is run twice has two."""
        self.verdicts.setdefault(test, []).append(verdict)

    def counts(self) -> str:
        """The verdicts in words."""
        found = Counter(verdict for verdicts in self.verdicts.values() for verdict in verdicts)
        return ", ".join(
            f"{count} {verdict}" for verdict, count in sorted(found.items(), key=lambda one: -one[1])
        )


def prepared(suite: Suite) -> tuple[Path, Path]:
    """The unpacked source and its environment's Python, made once."""
    home = cache() / "real-suites" / f"{suite.name}-{suite.version}"
    source, python = home / "source", home / "venv" / "bin" / "python"
    stamp = home / "ready.json"
    wanted = json.dumps([suite.extras, suite.needs, sys.version_info[:2]])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return source, python
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    fetch = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(home)]
    pip(Path(sys.executable), *fetch, f"{suite.name}=={suite.version}")
    archive = next(home.glob("*.tar.gz"))
    with tarfile.open(archive) as packed:
        packed.extractall(home, filter="data")
    next(path for path in home.iterdir() if path.is_dir()).rename(source)
    subprocess.run([sys.executable, "-m", "venv", str(home / "venv")], check=True)
    pip(python, "install", "--quiet", f"{source}{suite.extras}", *suite.needs)
    stamp.write_text(wanted, encoding="utf-8")
    return source, python


def pip(python: Path, *words: str) -> None:
    """Run pip of an interpreter; its failure ends this."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def environment(places: Path) -> dict[str, str]:
    """The same few variables for both runs."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    folders = {f"XDG_{name}_HOME": str(places / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
    return {**kept, **folders, "PYTHONHASHSEED": "0", "NO_COLOR": "1", "TRACEKIT_AGENT_IDLE": "1"}


def call(command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run a command without input, keeping what it says."""
    return subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


def copied(source: Path, place: Path) -> Path:
    """A tree of its own for each run: what a suite leaves behind must not change the other run."""
    shutil.copytree(source, place, symlinks=True)
    return place


def native(suite: Suite, source: Path, python: Path, places: Path) -> Result:
    """The suite under pytest alone, each verdict through a report hook in a plugin beside it."""
    tree = copied(source, places / "native")
    (places / "plugin").mkdir()
    (places / "plugin" / "verdicts_of_pytest.py").write_text(PLUGIN, encoding="utf-8")
    env = environment(places) | {
        "PYTHONPATH": str(places / "plugin"),
        "VERDICTS": str(places / "native.jsonl"),
    }
    words = ["-m", "pytest", "-p", "verdicts_of_pytest", "-q", *suite.arguments, *suite.paths]
    done = call([str(python), *words], tree, env)
    result = Result(done.returncode)
    with (places / "native.jsonl").open(encoding="utf-8") as file:
        for line in file:
            result.add(*json.loads(line))
    if not result.verdicts:
        say(done.stdout.decode(errors="replace")[-2000:])
    return result


# A native verdict is told by pytest's own words for it: what its summary line would count.
PLUGIN = """\
import json
import os

import pytest

FILE = open(os.environ.pop("VERDICTS"), "a", encoding="utf-8")
CONFIG = []


def pytest_configure(config):
    CONFIG.append(config)


def tell(nodeid, verdict):
    FILE.write(json.dumps([nodeid, verdict]) + "\\n")
    FILE.flush()


PARTS = {}


def worst(found):
    return next((word for word in ("failed", "error") if word in found), found[-1])


def pytest_runtest_logreport(report):
    category = CONFIG[0].hook.pytest_report_teststatus(report=report, config=CONFIG[0])[0]
    if getattr(report, "context", None) is not None:
        return
    if category:
        PARTS.setdefault(report.nodeid, []).append(category)
    if report.when == "teardown":
        tell(report.nodeid, worst(PARTS.pop(report.nodeid, ["nothing"])))


def pytest_sessionfinish(session, exitstatus):
    for nodeid, found in PARTS.items():
        tell(nodeid, worst(found))
    FILE.close()
"""


def traced(suite: Suite, source: Path, python: Path, places: Path) -> Result:
    """The same through the product, from its journal."""
    tree = copied(source, places / "traced")
    words = ", ".join(json.dumps(word) for word in suite.arguments)
    paths = ", ".join(json.dumps(path) for path in suite.paths)
    (places / "profile").mkdir()
    table = f'[suite.real]\npython = "{python}"\npaths = [{paths}]\nargs = [{words}]\n'
    (tree / "tracekit.toml").write_text(table, encoding="utf-8")
    done = call([tool("tracekit"), "run", "--json"], tree, environment(places))
    result = Result(done.returncode)
    for raw in done.stdout.splitlines():
        line: dict[str, Any] = json.loads(raw)
        if line.get("e") == "attempt.ended" and SUBTEST not in line["scenario"]:
            result.add(line["scenario"].removeprefix(PREFIX), line["verdict"])
    if not result.verdicts:
        say((done.stdout[-1000:] + done.stderr[-2000:]).decode(errors="replace"))
    return result


def differences(one: Result, other: Result) -> list[str]:
    """Every test whose verdicts are not the same."""
    ids = sorted({*one.verdicts, *other.verdicts})
    rows = ((test, one.verdicts.get(test, []), other.verdicts.get(test, [])) for test in ids)
    return [
        f"{test}: native {' '.join(a) or 'none'}, here {' '.join(b) or 'none'}"
        for test, a, b in rows
        if a != b
    ]


def version_of(python: Path, module: str) -> str:
    """The version of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({module!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, check=True).stdout.decode().strip()


def row(suite: Suite, python: Path, one: Result, other: Result, faults: list[str]) -> str:
    """One line of the table."""
    place = "{}.{}.{}".format(*sys.version_info[:3])
    words = shlex.join(["python", "-m", "pytest", "-q", *suite.arguments, *suite.paths])
    cells = [
        f"{suite.name} {suite.version}",
        f"{place}, pytest {version_of(python, 'pytest')}",
        f"`{words}`",
        str(len(one.verdicts)),
        one.counts(),
        other.counts(),
        "none" if not faults else str(len(faults)),
    ]
    return f"| {' | '.join(cells)} |"


def compare(suite: Suite) -> tuple[str, list[str]]:
    """Run a suite both ways; gives its row and what differs."""
    source, python = prepared(suite)
    places = Path(tempfile.mkdtemp(prefix="tracekit-real-"))
    try:
        one = native(suite, source, python, places)
        say(f"{suite.name}: native: exit {one.exit}: {one.counts()}")
        other = traced(suite, source, python, places)
        say(f"{suite.name}: tracekit: exit {other.exit}: {other.counts()}")
    finally:
        shutil.rmtree(places, ignore_errors=True)
    faults = differences(one, other)
    if len(one.verdicts) == 0 or len(other.verdicts) == 0:
        faults.append("no verdicts at all")
    for fault in faults[:20]:
        say(f"  {fault}")
    return row(suite, python, one, other, faults), faults


def page(rows: list[str]) -> str:
    """The page with its results in place."""
    text = PAGE.read_text(encoding="utf-8")
    before, first, rest = text.partition(MARK)
    _, second, after = rest.partition(MARK)
    if not first or not second:
        raise ValueError(f"{PAGE.name} lacks the two marks {MARK} around its results")
    table = "\n".join([*HEAD, *rows])
    return f"{before}{MARK}\n\n{table}\n\n{MARK}{after}"


def without_patches(text: str) -> str:
    """The page with the interpreter's patch level left out, which a check must not insist on."""
    return re.sub(r"\b(3\.\d+)\.\d+, pytest", r"\1, pytest", text)


def main(arguments: list[str]) -> int:
    """Compare the named suites, or all; exit 1 when a verdict differs, or with --check the page."""
    check = "--check" in arguments
    names = [word for word in arguments if not word.startswith("-")]
    chosen = [suite for suite in SUITES if not names or suite.name in names]
    results = [compare(suite) for suite in chosen]
    code = 1 if any(faults for _, faults in results) else 0
    if len(chosen) < len(SUITES):
        return code
    wanted = page([line for line, _ in results])
    if check:
        same = without_patches(wanted) == without_patches(PAGE.read_text(encoding="utf-8"))
        say("the page says the same" if same else f"{PAGE.name} is out of date: run tools/real-suites")
        return code if same else 1
    PAGE.write_text(wanted, encoding="utf-8")
    say(f"written: {PAGE.relative_to(ROOT)}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
