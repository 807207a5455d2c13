"""`tools/real-others`: published suites in Rust, Go and JavaScript, unmodified, natively and through the product.

`--sources DIR` names a folder that holds checkouts by their names; without it, what has none is cloned from where its
own registry says that its source is. Verdicts are compared test by test; the table of `docs/real-suites.md` is written.
It must never change a suite: what differs is a fault of ours, or is explained in the page.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.tasks.common import ROOT, cache, say, tool
from tools.tasks.real_runs import Result, call, differences, environment, places

PAGE = ROOT / "docs" / "real-suites.md"
MARK = "<!-- others -->"
HEAD = (
    "| suite | tools | natively | tests | native verdicts | here | differences |",
    "|---|---|---|---|---|---|---|",
)
# What a debugger needs doubles what is built, and changes no verdict.
_LIGHT = {"CARGO_PROFILE_DEV_DEBUG": "0"}
# What Go's own library is compiled to is the same for every run.
_LIGHT["GOCACHE"] = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
_RED = {"error": "failed", "timedout": "failed", "crashed": "failed"}
_LIBTEST = re.compile(
    r"^test (.+?)(?: - (?:should panic|compile(?: fail)?))? \.\.\. (ok|FAILED|ignored)", re.MULTILINE
)
_WORDS = {
    "ok": "passed",
    "FAILED": "failed",
    "ignored": "skipped",
    "pass": "passed",
    "fail": "failed",
    "skip": "skipped",
}
_ENDS = {
    "passed": "passed",
    "failed": "failed",
    "pending": "skipped",
    "skipped": "skipped",
    "todo": "skipped",
}


@dataclass(frozen=True)
class Other:
    """One suite: what it is called, who runs it, with which words, and how its tools are put in place."""

    name: str
    runner: str
    words: tuple[str, ...]
    version: tuple[str, ...]
    module: str = ""
    installs: tuple[str, ...] = ()
    path: str = "."


NPM = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
MOCHA = ("--require", "test/support/env", "--check-leaks")
SUITES = (
    Other("toml", "cargo", ("--workspace",), ("cargo", "--version")),
    Other("mux", "go", (), ("go", "version"), module="github.com/gorilla/mux@v1.8.1"),
    Other("ufo", "vitest", (), ("node", "--version"), installs=NPM),
    Other("express", "mocha", MOCHA, ("node", "--version"), installs=NPM, path="test/ test/acceptance/"),
)


def source(suite: Other, sources: Path | None) -> Path:
    """The checkout of a suite, with its tools in place."""
    place = (sources or cache() / "real-others") / suite.name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        if suite.module:
            told = json.loads(_said(["go", "mod", "download", "-json", suite.module], place.parent))
            shutil.copytree(told["Dir"], place)
            for path in [place, *place.rglob("*")]:
                path.chmod(path.stat().st_mode | 0o200)
        else:
            word = (
                ["cargo", "info", suite.name]
                if suite.runner == "cargo"
                else ["npm", "view", suite.name, "repository.url"]
            )
            found = re.search(r"https://\S+?(?=\.git\b|/tree/|\s|$)", _said(word, place.parent))
            if found is None:
                raise SystemExit(f"{suite.name}: its registry does not say where its source is")
            subprocess.run(["git", "clone", "--quiet", "--depth=1", found[0], str(place)], check=True)
    if suite.installs and not (place / "node_modules").exists():
        subprocess.run(suite.installs, cwd=place, check=True, stdout=subprocess.DEVNULL)
    return place


def _said(command: list[str], cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


# -- natively


def cargo(suite: Other, root: Path, env: dict[str, str]) -> Result:
    """`cargo test`: which program speaks is said on the other stream, in the same order."""
    built = call(["cargo", "test", "--no-run", "--message-format=json", *suite.words], root, env)
    files = {}
    for raw in built.stdout.splitlines():
        line = json.loads(raw)
        if line.get("executable"):
            files[Path(line["executable"]).name] = (
                Path(line["target"]["src_path"]).relative_to(root).as_posix()
            )
    done = call(["cargo", "test", "--no-fail-fast", *suite.words], root, env)
    programs = re.findall(
        r"^\s+(?:Running .*\((.*)\)|Doc-tests .*)$", done.stderr.decode("utf-8", "replace"), re.MULTILINE
    )
    result = Result(done.returncode)
    parts = re.split(r"^running \d+ tests?$", done.stdout.decode("utf-8", "replace"), flags=re.MULTILINE)[1:]
    # A crate's documentation may be run in two parts, of which only the first is announced.
    for number, part in enumerate(parts):
        program = programs[number] if number < len(programs) else ""
        for name, word in _LIBTEST.findall(part):
            if program:
                result.add(f"{files[Path(program).name]}::{name}", _WORDS[word])
            else:
                result.add(f"{os.path.normpath(name.partition(' - ')[0])} (doc)", _WORDS[word])
    return result


def go(suite: Other, root: Path, env: dict[str, str]) -> Result:
    """`go test -json`."""
    done = call(["go", "test", "-json", "-count=1", *suite.words, "./..."], root, env)
    module = _said(["go", "list", "-m"], root).strip()
    result = Result(done.returncode)
    for raw in done.stdout.splitlines():
        line = json.loads(raw)
        if line.get("Test") and line["Action"] in _WORDS:
            directory = line["Package"].removeprefix(module).strip("/") or "."
            result.add(f"{directory}::{line['Test'].replace('/', ' ▸ ', 1)}", _WORDS[line["Action"]])
    return result


def vitest(suite: Other, root: Path, env: dict[str, str]) -> Result:
    """Vitest's own JSON."""
    program = str(root / "node_modules" / "vitest" / "vitest.mjs")
    with places() as place:
        told = place / "told.json"
        done = call(
            ["node", program, "run", "--reporter=json", f"--outputFile={told}", *suite.words], root, env
        )
        found = json.loads(told.read_bytes())
    result = Result(done.returncode)
    for file in found["testResults"]:
        name = Path(file["name"]).relative_to(root).as_posix()
        for test in file["assertionResults"]:
            result.add(f"{name}::{' '.join([*test['ancestorTitles'], test['title']])}", _ENDS[test["status"]])
    return result


def mocha(suite: Other, root: Path, env: dict[str, str]) -> Result:
    """Mocha's own JSON."""
    program = str(root / "node_modules" / "mocha" / "bin" / "mocha.js")
    with places() as place:
        told = place / "told.json"
        words = [*suite.words, "--reporter=json", f"--reporter-option=output={told}", *suite.path.split()]
        done = call(["node", program, *words], root, env)
        found = json.loads(told.read_bytes())
    result = Result(done.returncode)
    for kind, verdict in (("passes", "passed"), ("failures", "failed"), ("pending", "skipped")):
        for test in found[kind]:
            result.add(f"{Path(test['file']).relative_to(root).as_posix()}::{test['fullTitle']}", verdict)
    return result


NATIVE: dict[str, Callable[[Other, Path, dict[str, str]], Result]] = {
    "cargo": cargo,
    "go": go,
    "vitest": vitest,
    "mocha": mocha,
}


# -- here


def here(suite: Other, root: Path) -> Result:
    """The same through the product, from its journal."""
    paths = [] if suite.path == "." else suite.path.split()
    table = {"runner": suite.runner, "args": list(suite.words), "paths": paths}
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in table.items())
    profile = root / "tracekit.toml"
    profile.write_text(f"[suite.real]\n{text}", encoding="utf-8")
    try:
        with places() as place:
            done = call([tool("tracekit"), "run", str(root), "--json"], root, environment(place) | _LIGHT)
    finally:
        profile.unlink()
    result = Result(done.returncode)
    names: dict[str, list[str]] = {}
    last: dict[str, str] = {}
    for raw in done.stdout.splitlines():
        line: dict[str, Any] = json.loads(raw)
        if line.get("e") == "scenario.found":
            names[line["scenario"]] = line["path"]
        elif line.get("e") == "attempt.ended":
            last[line["scenario"]] = _RED.get(line["verdict"], line["verdict"])
    for scenario, verdict in last.items():
        result.add(_native_id(suite, scenario, names.get(scenario)), verdict)
    if not last:
        say((done.stdout[-1000:] + done.stderr[-2000:]).decode(errors="replace"))
    return result


def _native_id(suite: Other, scenario: str, path: list[str] | None) -> str:
    plain = scenario.partition("@real:")[2]
    if suite.runner == "cargo":
        file, kind, _ = plain.partition("::doctests::")
        return f"{file} (doc)" if kind else plain
    if suite.runner == "go" or path is None:
        return plain
    # The same name again has a number here, and none there.
    last = re.sub(r"\[\d+\]$", "", path[-1]) if plain.endswith("]") else path[-1]
    return f"{path[0]}::{' '.join([*path[1:-1], last])}"


def _as_wholes(one: Result, other: Result) -> tuple[Result, str]:
    """Programs whose own harness takes none of libtest's words are one scenario here: theirs is the verdict of all."""
    wholes = {test.partition("::")[0]: test for test in other.verdicts if test not in one.verdicts}
    found, parts = Result(one.exit), 0
    for test, verdicts in one.verdicts.items():
        whole = wholes.get(test.partition("::")[0]) if test not in other.verdicts else None
        if whole is None:
            found.verdicts[test] = verdicts
            continue
        parts += len(verdicts)
        red = "failed" in [*verdicts, *found.verdicts.get(whole, [])]
        found.verdicts[whole] = ["failed" if red else "passed"]
    count = len([whole for whole in wholes.values() if whole in found.verdicts])
    return (
        found,
        f"; {parts} tests of {count} programs with a harness of their own as {count} scenarios"
        if parts
        else "",
    )


def compare(suite: Other, sources: Path | None) -> tuple[str, bool]:
    """One line of the table, and whether every verdict is the same."""
    root = source(suite, sources).resolve()
    with places() as place:
        one = NATIVE[suite.runner](suite, root, environment(place) | _LIGHT)
    say(f"{suite.name}: native: exit {one.exit}: {one.counts()}")
    native, count = one.counts(), sum(len(verdicts) for verdicts in one.verdicts.values())
    other = here(suite, root)
    say(f"{suite.name}: tracekit: exit {other.exit}: {other.counts()}")
    one, note = _as_wholes(one, other) if suite.runner == "cargo" else (one, "")
    faults = differences(one, other)
    if not one.verdicts:
        faults.append("no verdicts at all")
    for fault in faults[:30]:
        say(f"  {fault}")
    version = re.sub(r"^go version |^cargo | linux.*| \(.*", "", _said(list(suite.version), root).strip())
    base = {"cargo": "cargo test", "go": "go test", "vitest": "vitest run", "mocha": "mocha"}[suite.runner]
    words = [*base.split(), *suite.words, *([] if suite.path == "." else suite.path.split())]
    commit = suite.module.partition("@")[2] or _said(["git", "rev-parse", "--short=10", "HEAD"], root).strip()
    cells = [
        f"{suite.name} {commit}",
        f"{suite.runner}, {version}",
        f"`{shlex.join(words)}`",
        str(count),
        native,
        other.counts() + note,
        str(len(faults)) if faults else "none",
    ]
    return f"| {' | '.join(cells)} |", not faults


def main(arguments: list[str]) -> int:
    """Compare the named suites, or all, and then write the table; exit 1 when a verdict differs."""
    sources = Path(arguments[arguments.index("--sources") + 1]) if "--sources" in arguments else None
    names = [word for word in arguments if not word.startswith("-") and word != str(sources)]
    rows = [compare(suite, sources) for suite in SUITES if not names or suite.name in names]
    if not names:
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(MARK)
        _, _, after = rest.partition(MARK)
        table = "\n".join([*HEAD, *(row for row, _ in rows)])
        PAGE.write_text(f"{before}{MARK}\n\n{table}\n\n{MARK}{after}", encoding="utf-8")
        say(f"written: {PAGE.relative_to(ROOT)}")
    return 0 if all(same for _, same in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
