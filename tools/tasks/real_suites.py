"""`tools/real-suites`: real suites, unmodified, run natively and through the product; every verdict is compared.

Sources come from pip's own index as sdists, each into an environment of its own in the cache; the interpreter's own
tests come with it. `--pairs N` times N pairs of native run and ours, interleaved. What was done is kept, so that a call
that was interrupted goes on where it was, with the product as it is; `--fresh` forgets it. With `--check` the page is
only compared, its times apart. `--trace` compares the levels of tracing instead (`real_traced`). Must never change a
suite: what differs is a fault of ours, or is explained in the page.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from tools.tasks import real_runs
from tools.tasks.common import ROOT, cache, say
from tools.tasks.pythons import find
from tools.tasks.real_runs import Result, Suite, differences

PAGE = ROOT / "docs" / "real-suites.md"
MARK = "<!-- results -->"
HEAD = (
    "| suite | interpreter | natively | tests | native verdicts | here | differences | wall, here / native |",
    "|---|---|---|---|---|---|---|---|",
)
#: Here a suite may take this much of its native time.
ALLOWED = 1.10
HTTPX = {
    "version": "0.28.1",
    "extras": "[brotli,cli,http2,socks,zstd]",
    "needs": (
        "pytest==8.3.4",
        "uvicorn==0.32.1",
        "trio==0.27.0",
        "trustme==1.2.0",
        "chardet==5.2.0",
        "anyio==4.7.0",
    ),
}
MODULES = (
    "argparse",
    "bytes",
    "collections",
    "dataclasses",
    "datetime",
    "dict",
    "email",
    "enum",
    "functools",
    "json",
    "list",
    "re",
    "struct",
    "typing",
    "unicode",
)
SUITES = (
    Suite("httpx", **HTTPX),  # type: ignore[arg-type]
    # Every client that checks certificates needs this file.
    Suite("httpx", **HTTPX, title="httpx-broken", breaks="certifi/cacert.pem"),  # type: ignore[arg-type]
    Suite(
        "attrs",
        "26.1.0",
        needs=("pytest==9.0.2", "pytest-xdist==3.8.0", "hypothesis", "cloudpickle", "pympler"),
        arguments=("-n", "2"),
    ),
    Suite("click", "8.1.8", needs=("pytest==7.4.4",)),
    Suite(
        "cpython",
        "{}.{}.{}".format(*sys.version_info[:3]),
        runner="unittest",
        paths=tuple(f"test.test_{name}" for name in MODULES),
    ),
)


def prepared(suite: Suite, version: str = "") -> tuple[Path | None, Path]:
    """The unpacked source, if it has one, and its environment's Python, made once: this one, or that of a version."""
    base = find(version, fetch=True) if version else Path(sys.executable)
    if base is None:
        raise RuntimeError(f"no Python {version} can be had here")
    home = cache() / "real-suites" / "-".join(filter(None, (suite.key, suite.version, version)))
    source, python = home / "source", home / "venv" / "bin" / "python"
    published = suite.runner == "pytest"
    stamp = home / "ready.json"
    wanted = json.dumps([suite.extras, suite.needs, suite.breaks, version or sys.version_info[:3]])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return (source if published else None), python
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    if published:
        _fetch(suite, home, source)
    words = [] if published else ["--without-pip"]
    subprocess.run([str(base), "-m", "venv", *words, str(home / "venv")], check=True)
    if published:
        pip(python, "install", "--quiet", f"{source}{suite.extras}", *suite.needs)
    if suite.breaks:
        next(home.glob(f"venv/lib/*/site-packages/{suite.breaks}")).unlink()
    stamp.write_text(wanted, encoding="utf-8")
    return (source if published else None), python


def _fetch(suite: Suite, home: Path, source: Path) -> None:
    fetch = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(home)]
    pip(Path(sys.executable), *fetch, f"{suite.name}=={suite.version}")
    with tarfile.open(next(home.glob("*.tar.gz"))) as packed:
        packed.extractall(home, filter="data")
    next(path for path in home.iterdir() if path.is_dir()).rename(source)


def pip(python: Path, *words: str) -> None:
    """Run pip of an interpreter; its failure ends this."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=real_runs.PATIENCE)


def product() -> str:
    """What the product is made of now, in one number: what was seen of another one says nothing of this."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "console").rglob("*")):
        if path.suffix in {".py", ".so"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Kept:
    """What was done so far, by suite: an interrupted call goes on from it."""

    def __init__(self) -> None:
        self._product = product()
        self._path = cache() / "real-suites" / "results.json"
        self._all: dict[str, Any] = {}
        if self._path.exists():
            self._all = json.loads(self._path.read_text(encoding="utf-8"))

    def of(self, suite: Suite) -> dict[str, Any]:
        """The results of a suite as it is defined now."""
        said = json.dumps([repr(suite), sys.version, self._product])
        found = self._all.get(suite.key)
        if found is None or found["said"] != said:
            found = self._all[suite.key] = {"said": said, "pairs": []}
        return found

    def forget(self, suite: Suite) -> None:
        """Do it all again."""
        self._all.pop(suite.key, None)

    def save(self) -> None:
        """Write everything; whole, or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self._all), encoding="utf-8")
        part.replace(self._path)


def compare(suite: Suite, kept: Kept) -> dict[str, Any]:
    """Every verdict both ways; raises nothing for a suite that is red."""
    found = kept.of(suite)
    if "tests" in found:
        say(f"{suite.key}: verdicts are known: {found['here']}")
        return found
    source, python = prepared(suite)
    one = real_runs.native(suite, source, python)
    say(f"{suite.key}: native: exit {one.exit}: {one.counts()}")
    other = real_runs.traced(suite, source, python)
    say(f"{suite.key}: tracekit: exit {other.exit}: {other.counts()}")
    faults = differences(one, other)
    if not one.verdicts or not other.verdicts:
        faults.append("no verdicts at all")
    for fault in faults[:20]:
        say(f"  {fault}")
    found |= facts(suite, python, one, other, faults)
    kept.save()
    return found


def facts(suite: Suite, python: Path, one: Result, other: Result, faults: list[str]) -> dict[str, Any]:
    """What the page says of a suite's verdicts."""
    place = "{}.{}.{}".format(*sys.version_info[:3])
    if suite.runner == "pytest":
        place += f", pytest {version_of(python, 'pytest')}"
    return {
        "place": place,
        "tests": len(one.verdicts),
        "native": one.counts(),
        "here": other.counts(),
        "faults": faults,
    }


def version_of(python: Path, module: str) -> str:
    """The version of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({module!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, check=True).stdout.decode().strip()


def time_pairs(suite: Suite, kept: Kept, pairs: int) -> None:
    """Native and ours by turns, each first every other time, until there are so many pairs."""
    found = kept.of(suite)
    source, python = prepared(suite)
    ways = (real_runs.native_seconds, real_runs.traced_seconds)
    while len(found["pairs"]) < pairs:
        order = (0, 1) if len(found["pairs"]) % 2 == 0 else (1, 0)
        took = {way: ways[way](suite, source, python) for way in order}
        found["pairs"].append([took[0], took[1]])
        kept.save()
        say(f"{suite.key}: native {took[0]:.2f} s, here {took[1]:.2f} s: {took[1] / took[0]:.3f}")


def figures(pairs: list[list[float]]) -> str:
    """The pairs as a cell of the table."""
    if not pairs:
        return "not timed"
    ratios = sorted(here / native for native, here in pairs)
    native, here = (statistics.median(column) for column in zip(*pairs, strict=True))
    middle = statistics.median(ratios)
    verdict = "" if middle <= ALLOWED else f", over {ALLOWED:.2f}"
    return (
        f"{here:.1f} s / {native:.1f} s = {middle:.2f}{verdict} (least {ratios[0]:.2f}, {len(pairs)} pairs)"
    )


def row(suite: Suite, found: dict[str, Any]) -> str:
    """One line of the table."""
    words = shlex.join(["python", *suite.native_words()])
    cells = [
        f"{suite.name} {suite.version}" + (f" without `{suite.breaks}`" if suite.breaks else ""),
        found["place"],
        f"`{words}`",
        str(found["tests"]),
        found["native"],
        found["here"],
        "none" if not found["faults"] else str(len(found["faults"])),
        figures(found["pairs"]),
    ]
    return f"| {' | '.join(cells)} |"


def page(rows: list[str], mark: str = MARK, head: tuple[str, ...] = HEAD) -> str:
    """The page with its results in place."""
    text = PAGE.read_text(encoding="utf-8")
    before, first, rest = text.partition(mark)
    _, second, after = rest.partition(mark)
    if not first or not second:
        raise ValueError(f"{PAGE.name} lacks the two marks {mark} around its results")
    table = "\n".join([*head, *rows])
    return f"{before}{mark}\n\n{table}\n\n{mark}{after}"


def steady(text: str) -> str:
    """The page without what a check must not insist on: patch levels, times, and how much was recorded.

    How much of it was lost stays.
    """
    text = re.sub(r"\b(3\.\d+)\.\d+\b", r"\1", text)
    text = re.sub(r"\| \d+ (\| \d+ \|)$", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"\| [^|]*(?:pairs\)|not timed) \|$", "|", text, flags=re.MULTILINE)


def main(arguments: list[str]) -> int:
    """Compare the named suites, or all; exit 1 when a verdict differs, or with --check the page."""
    check, fresh = "--check" in arguments, "--fresh" in arguments
    if "--trace" in arguments:
        from tools.tasks import real_traced  # which stands on this module

        return real_traced.main([word for word in arguments if word != "--trace"])
    pairs = int(arguments[arguments.index("--pairs") + 1]) if "--pairs" in arguments else 0
    names = [word for word in arguments if not word.startswith("-") and not word.isdecimal()]
    chosen = [suite for suite in SUITES if not names or suite.key in names]
    kept = Kept()
    for suite in chosen if fresh else ():
        kept.forget(suite)
    results = [compare(suite, kept) for suite in chosen]
    code = 1 if any(found["faults"] for found in results) else 0
    for suite in chosen:
        time_pairs(suite, kept, pairs)
    for suite in chosen:
        say(f"{suite.key}: {figures(kept.of(suite)['pairs'])}")
    if len(chosen) < len(SUITES):
        return code
    wanted = page([row(suite, found) for suite, found in zip(chosen, results, strict=True)])
    return written(wanted, check) or code


def written(wanted: str, check: bool) -> int:
    """Write the page, or compare it with what is there."""
    if check:
        same = steady(wanted) == steady(PAGE.read_text(encoding="utf-8"))
        say("the page says the same" if same else f"{PAGE.name} is out of date: run tools/real-suites")
        return 0 if same else 1
    PAGE.write_text(wanted, encoding="utf-8")
    say(f"written: {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
