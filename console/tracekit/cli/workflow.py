"""The workflow that `ci init` writes: text made from what stands in the project, with a comment beside each choice.

It looks at files of the project and runs none of them. Every word that comes out of the project is quoted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracekit.config.profile import Suite

NEWEST = "3.x"
# What people call the extras and groups that hold what their tests need.
_FOR_TESTS = ("test", "tests", "testing", "dev", "develop")
_REQUIREMENTS = (
    "requirements-test.txt",
    "requirements-dev.txt",
    "test-requirements.txt",
    "dev-requirements.txt",
)


@dataclass(frozen=True)
class Found:
    """What a project says of itself that a workflow needs to know."""

    suites: Sequence[str]
    python: str
    why: str
    install: Sequence[str]
    installed: str
    folder: str = ""
    needs: bool = False

    @property
    def split(self) -> bool:
        """Whether each suite can have a job of its own."""
        return len(self.suites) > 1 and all(self.suites) and not self.needs


def look(root: Path, repository: Path, suites: Sequence[Suite]) -> Found:
    """Find out what a workflow has to know of a project."""
    project = _pyproject(root)
    python, why = _python(root, project)
    pytest = any(suite.runner == "pytest" for suite in suites)
    install, installed = _install(root, project, pytest=pytest)
    folder = root.relative_to(repository).as_posix() if root.is_relative_to(repository) else ""
    return Found(
        suites=[suite.name for suite in suites],
        python=python,
        why=why,
        install=install,
        installed=installed,
        folder="" if folder == "." else folder,
        needs=any(suite.needs for suite in suites),
    )


def workflow(found: Found) -> str:
    """The whole file."""
    return "\n".join((*_head(found), *_job(found), *_steps(found))) + "\n"


def _quoted(text: str) -> str:
    """A text as YAML's single-quoted scalar, or, where it holds what must be escaped, as a double-quoted one."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    import json

    return json.dumps(text)


def _commented(text: str) -> str:
    """Outside text inside a comment: it may not end the line."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _head(found: Found) -> Iterator[str]:
    yield "# Runs the tests of this project with tracekit. Written once by `tracekit ci init`; it is yours to change."
    names = ", ".join(_commented(name) or "the project's own" for name in found.suites)
    yield f"# Suites found: {names or 'none yet'}."
    yield from (
        "name: tracekit",
        "",
        "on:",
        "  push:",
        "    branches: [main, master]",
        "  pull_request:",
        "",
        "# A newer push to the same branch makes the older run pointless.",
        "concurrency:",
        "  group: ${{ github.workflow }}-${{ github.ref }}",
        "  cancel-in-progress: true",
        "",
        "permissions:",
        "  contents: read # annotations and the summary need no more",
        "",
    )


def _job(found: Found) -> Iterator[str]:
    yield from ("jobs:", "  tests:", "    runs-on: ubuntu-latest", "    timeout-minutes: 60")
    if found.split:
        yield from (
            "    strategy:",
            "      fail-fast: false # one red suite says nothing of the others",
            "      matrix:",
            "        # One job for each suite of the profile. For one job for all: remove this, and -s below.",
            "        suite:",
            *(f"          - {_quoted(name)}" for name in found.suites),
        )
    elif found.needs:
        yield "    # Suites of this profile need one another: they run in one job, in that order."
    if found.folder:
        yield from ("    defaults:", "      run:", f"        working-directory: {_quoted(found.folder)}")


def _steps(found: Found) -> Iterator[str]:
    yield from (
        "    steps:",
        "      - uses: actions/checkout@v4",
        "",
        f"      # The tests' own Python: {_commented(found.why)}.",
        "      - uses: actions/setup-python@v5",
        "        with:",
        f"          python-version: {_quoted(found.python)}",
        "",
        f"      # What the tests need: {_commented(found.installed)}. tracekit finds `.venv` by itself.",
        "      - name: Install the project",
        "        run: |",
        *(f"          {line}" for line in found.install),
        "",
        "      # Apart from the project: tracekit has a Python of its own, and puts nothing beside the tests.",
        "      - name: Install tracekit",
        "        run: pipx install tracekit",
        "",
        "      # One line a scenario; annotations and the job's summary come by themselves.",
        "      # `--retries 2` runs what is red again and tells it as flaky; `--fail-on-flaky` makes that red too.",
        "      - name: Run the tests",
        "        id: tests",
        *(("        env:", "          SUITE: ${{ matrix.suite }}") if found.split else ()),
        f"        run: tracekit run{_selected(found)} --junit junit.xml",
        "",
        "      # For whatever reads JUnit: written whatever the verdicts are.",
        "      - name: Keep the report",
        "        if: ${{ !cancelled() }}",
        "        uses: actions/upload-artifact@v4",
        "        with:",
        f"          name: junit{_number(found)}",
        f"          path: {_quoted(_below(found, 'junit.xml'))}",
        "          if-no-files-found: ignore",
        "",
    )
    yield from _kept(found)


def _kept(found: Found) -> Iterator[str]:
    yield from (
        "      # A failed run as one file, output included: `tracekit replay FILE` shows it as it was, on any machine.",
        "      # Secrets are taken out before anything is recorded.",
        "      - name: Pack the failed run",
        "        if: ${{ failure() && steps.tests.outcome == 'failure' }}",
        "        run: tracekit export last --bundle run.tracekit",
        "      - name: Keep the failed run",
        "        if: ${{ failure() && steps.tests.outcome == 'failure' }}",
        "        uses: actions/upload-artifact@v4",
        "        with:",
        f"          name: tracekit-run{_number(found)}",
        f"          path: {_quoted(_below(found, 'run.tracekit'))}",
        "          if-no-files-found: ignore",
        "          retention-days: 14",
    )


def _selected(found: Found) -> str:
    # Through a variable of the shell: a name is never part of a command line's text.
    return ' -s "suite:$SUITE"' if found.split else ""


def _number(found: Found) -> str:
    # A suite's name may hold signs that an artefact's may not.
    return "-${{ strategy.job-index }}" if found.split else ""


def _below(found: Found, file: str) -> str:
    return f"{found.folder}/{file}" if found.folder else file


def _pyproject(root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _table(of: object, *names: str) -> dict[str, Any]:
    for name in names:
        of = of.get(name) if isinstance(of, dict) else None
    return of if isinstance(of, dict) else {}


def _python(root: Path, project: dict[str, Any]) -> tuple[str, str]:
    """The version to test with, and where it was found."""
    try:
        pinned = (root / ".python-version").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        pinned = []
    if pinned and re.fullmatch(r"3\.\d{1,2}(\.\d{1,2})?", pinned[0]):
        return pinned[0], ".python-version says so"
    for wanted, where in (
        (_table(project, "project").get("requires-python"), "the lowest that requires-python allows"),
        (
            _table(project, "tool", "poetry", "dependencies").get("python"),
            "the lowest that poetry's table allows",
        ),
    ):
        lowest = re.search(r"(?:>=|~=|\^|==)\s*(3\.\d{1,2})", wanted) if isinstance(wanted, str) else None
        if lowest is not None:
            return lowest[1], where
    return NEWEST, "the newest, as nothing in the project names one"


def _install(root: Path, project: dict[str, Any], *, pytest: bool) -> tuple[list[str], str]:
    """The commands that make `.venv`, and what they were chosen by."""
    for lock, tool, command in (
        ("uv.lock", "uv", "uv sync"),
        ("poetry.lock", "poetry", "POETRY_VIRTUALENVS_IN_PROJECT=1 poetry install"),
        ("pdm.lock", "pdm", "pdm install"),
    ):
        if (root / lock).is_file():
            return [f"pipx install {tool}", command], lock
    pip = ".venv/bin/python -m pip install"
    commands, by = ["python -m venv .venv"], list[str]()
    for name in ("requirements.txt", *_REQUIREMENTS):
        if (root / name).is_file():
            commands.append(f"{pip} -r {name}")
            by.append(name)
    # Without a build system pip takes setuptools; what lists its packages in requirements is not meant to be built.
    named = bool(_table(project, "project").get("name"))
    if "project" in project and ("build-system" in project or (named and not by)):
        extras = _table(project, "project", "optional-dependencies")
        extra = next((name for name in _FOR_TESTS if name in extras), "")
        commands.append(f"{pip} -e '.{f'[{extra}]' if extra else ''}'")
        by.append("pyproject.toml")
    groups = _table(project, "dependency-groups")
    group = next((name for name in _FOR_TESTS if name in groups), "")
    if group:
        commands.append(f"{pip} --upgrade pip # groups need pip 25.1")
        commands.append(f"{pip} --group {group}")
        by.append(f"its dependency group {group}")
    if pytest:
        commands.append(f"{pip} pytest")
    return commands, ", ".join(by) or "nothing in the project says more than the runner itself"
