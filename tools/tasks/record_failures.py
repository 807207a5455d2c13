"""`tools/record-failures [NAME…]`: records the failures in tests/fixtures/real-failures anew, or those that are named.

Each is one fault in the source of a published suite, as causes.toml says it; sources come from pip's own index, one
environment serves all. A recording names the places that it was made at, so they are those of nobody: `/srv/suites`, or
what `--at` names, and the system's own interpreter, or what `--python` names. It is kept only where its test is red.
Must never touch causes.toml, nor a source outside that folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools.tasks import real_runs
from tools.tasks.common import ROOT, say, tool
from tools.tasks.real_suites import pip

FIXTURES = ROOT / "tests" / "fixtures" / "real-failures"
PLACE = Path("/srv/suites")
#: How a published source is called where its distribution is called otherwise.
NAMES = {"jinja": "jinja2"}
#: One of them takes seconds; what takes this long hangs.
PATIENCE = 180


class RefusedError(Exception):
    """Why nothing is kept."""


def read() -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What is broken, by name, and how it is run."""
    causes = tomllib.loads((FIXTURES / "causes.toml").read_text(encoding="utf-8"))["failure"]
    recipe = tomllib.loads((FIXTURES / "recordings.toml").read_text(encoding="utf-8"))
    return recipe, {one["name"]: one | recipe["recording"][one["name"]] for one in causes}


def environment(place: Path, base: str, needs: list[str]) -> Path:
    """The one environment of all suites, made once; none of them is installed in it."""
    home, stamp = place / "venv", place / "needs.json"
    wanted = json.dumps([needs, base])
    python = home / "bin" / "python"
    if not (stamp.exists() and stamp.read_text(encoding="utf-8") == wanted):
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([base, "-m", "venv", str(home)], check=True)
        pip(python, "install", "--quiet", *needs)
        # Its suite brings its own.
        pip(python, "uninstall", "--quiet", "--yes", "httpx")
        stamp.write_text(wanted, encoding="utf-8")
    return python


def source(place: Path, suite: str, version: str) -> Path:
    """A source as it was published, fetched once and unpacked anew."""
    kept, name = place / "fetched", NAMES.get(suite, suite)
    kept.mkdir(exist_ok=True)
    wanted = f"{name}-{version}.tar.gz"
    if not (kept / wanted).exists():
        fetch = ["download", "--quiet", "--no-deps", "--no-binary", name, "--dest", str(kept)]
        pip(Path(sys.executable), *fetch, f"{name}=={version}")
    target = place / suite
    shutil.rmtree(target, ignore_errors=True)
    with tarfile.open(kept / wanted) as packed:
        packed.extractall(place, filter="data")
    (place / wanted.removesuffix(".tar.gz")).rename(target)
    return target


@contextmanager
def broken(failure: dict[str, Any], folder: Path, python: Path) -> Iterator[None]:
    """Its one fault: a line of the source is another one, or a file of the environment is not there."""
    if failure["file"].startswith("site-packages/"):
        found = next(python.parents[1].glob(f"lib/*/{failure['file']}"))
        aside = found.with_suffix(".aside")
        found.rename(aside)
        try:
            yield
        finally:
            aside.rename(found)
        return
    file = folder / failure["file"]
    text = file.read_text(encoding="utf-8")
    # The first of several is meant: causes.toml tells the line of its failure.
    if failure["before"] not in text:
        raise RefusedError(f"{failure['file']} has no {failure['before']!r}")
    file.write_text(text.replace(failure["before"], failure["after"], 1), encoding="utf-8")
    yield


def profile(failure: dict[str, Any], folder: Path, python: Path) -> None:
    """What the suite is called, and the only things that are said of it."""
    path = folder / "src" if (folder / "src").is_dir() else folder
    lines = ["[suite.tests]", 'runner = "pytest"', f"python = {json.dumps(str(python))}", 'paths = ["tests"]']
    lines += [f'timeout = "{failure["timeout"]}"'] if "timeout" in failure else []
    lines += ["[suite.tests.env]", f"PYTHONPATH = {json.dumps(str(path))}", ""]
    (folder / "tracekit.toml").write_text("\n".join(lines), encoding="utf-8")


def record(failure: dict[str, Any], place: Path, python: Path) -> None:
    """Run it once, and keep the bundle of that; raises `RefusedError` where the test was not red."""
    folder = source(place, failure["suite"], failure["version"])
    bundle = FIXTURES / f"{failure['name']}.bundle"
    with real_runs.places() as home, broken(failure, folder, python):
        profile(failure, folder, python)
        env = real_runs.environment(home)
        command = [tool("tracekit"), "run", "--json", "--select", failure["select"]]
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        ends = [json.loads(line) for line in done.stdout.splitlines() if b'"attempt.ended"' in line]
        red = {
            one["scenario"].partition(":")[2] for one in ends if one["verdict"] not in {"passed", "skipped"}
        }
        if failure["test"] not in red:
            said = done.stderr.decode(errors="replace").strip()[-2000:]
            raise RefusedError(f"{failure['test']} is not red: {len(ends)} ended, {len(red)} red\n{said}")
        part = home / bundle.name
        real_runs.call([tool("tracekit"), "export", "--bundle", str(part), "last"], folder, env)
        bundle.unlink(missing_ok=True)
        shutil.copyfile(part, bundle)
    say(f"{failure['name']}: {len(ends)} tests, {len(red)} red, {bundle.stat().st_size:,} bytes")


def main(arguments: list[str]) -> int:
    """Record all, or what is named; 1 where one could not be."""
    arguments, places = list(arguments), {"--at": str(PLACE), "--python": ""}
    for word in places:
        if word in arguments[:-1]:
            at = arguments.index(word)
            places[word] = arguments[at + 1]
            del arguments[at : at + 2]
    recipe, failures = read()
    unknown = set(arguments) - set(failures)
    if unknown:
        say(f"there is no {', '.join(sorted(unknown))}; there are: {', '.join(failures)}")
        return 2
    place = Path(places["--at"]).resolve()
    place.mkdir(parents=True, exist_ok=True)
    base = places["--python"] or f"/usr/bin/python{recipe['python']}"
    python, code = environment(place, base, recipe["needs"]), 0
    for name in arguments or failures:
        try:
            record(failures[name], place, python)
        except RefusedError as why:
            say(f"{name}: nothing is kept: {why}")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
