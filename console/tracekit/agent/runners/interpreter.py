"""Which Python runs a suite, found by looking at files and variables alone; no tool is started to ask.

The choice is always explained: where it came from, and everything that was looked at before.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Optional

from tracekit.wire.problems import Problem, ProblemError

_LOOKED_AT = frozenset({".venv", "venv"})
_ADDS = {
    "uv.lock": "uv add --dev pytest",
    "poetry.lock": "poetry add --group dev pytest",
    "pdm.lock": "pdm add -d pytest",
    "Pipfile": "pipenv install --dev pytest",
}
_USUAL = frozenset({"env", ".env", "ENV", "virtualenv", ".virtualenv"})


@dataclass(frozen=True)
class Interpreter:
    path: str
    why: str


@dataclass
class Search:
    """One search: the places it looks at, in order, and what it found wrong with each."""

    cwd: str
    root: str
    environ: Mapping[str, str]
    tried: list[str] = field(default_factory=list)

    def python(self, path: str, why: str) -> Optional[Interpreter]:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return Interpreter(path, why)
        fault = "a link to nothing" if os.path.islink(path) else "missing"
        if os.path.exists(path):
            fault = "not executable"
        self.tried.append(f"{why}: {path} ({fault})")
        return None

    def environment(self, directory: str, why: str) -> Optional[Interpreter]:
        return self.python(os.path.join(directory, "bin", "python"), why)

    def candidates(self) -> Iterator[Optional[Interpreter]]:
        active = self.environ.get("VIRTUAL_ENV", "")
        if active:
            yield self.environment(active, "the active virtual environment (VIRTUAL_ENV)")
        for directory in self._upwards():
            for name in (".venv", "venv"):
                yield self._in_project(directory, name)
        for directory in self._upwards():
            for path in other_environments(directory, self.environ):
                yield self.environment(path, f"{os.path.relpath(path, directory)} in {directory}")
        yield from self._tools()
        for name in ("python3", "python"):
            found = shutil.which(name, path=self.environ.get("PATH", os.defpath))
            if found:
                yield Interpreter(found, f"{name} on PATH")
            self.tried.append(f"{name} on PATH: not found")

    def _upwards(self) -> Iterator[str]:
        """The suite's directory, then its parents up to the project's root."""
        directory, root = os.path.abspath(self.cwd), os.path.abspath(self.root)
        yield directory
        while directory != root and directory.startswith(root.rstrip(os.sep) + os.sep):
            directory = os.path.dirname(directory)
            yield directory

    def _in_project(self, directory: str, name: str) -> Optional[Interpreter]:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            # Some tools keep the environment elsewhere and leave a file that names it.
            path = os.path.join(directory, _first_line(path))
        if not os.path.isdir(path):
            self.tried.append(f"{name} in the project: {path} (missing)")
            return None
        return self.environment(path, f"{name} in {directory}")

    def _tools(self) -> Iterator[Optional[Interpreter]]:
        uv = self.environ.get("UV_PROJECT_ENVIRONMENT", "")
        if uv:
            yield self.environment(
                os.path.join(self.root, uv), "uv's project environment (UV_PROJECT_ENVIRONMENT)"
            )
        for directory in self._upwards():
            pdm = _first_line(os.path.join(directory, ".pdm-python"))
            if pdm:
                yield self.python(pdm, f"pdm's choice in {directory}")
            for path in poetry_environments(directory, self.environ):
                yield self.environment(path, f"poetry's environment of {directory}")
            for path in hatch_environments(directory, self.environ):
                yield self.environment(path, f"hatch's environment {os.path.basename(path)} of {directory}")
            for path in pipenv_environments(directory, self.environ):
                yield self.environment(path, f"pipenv's environment of {directory}")
            for tool in (".tox", ".nox"):
                for path in tool_environments(os.path.join(directory, tool)):
                    yield self.environment(path, f"{tool[1:]}'s environment {os.path.basename(path)}")
        conda = self.environ.get("CONDA_PREFIX", "")
        if conda:
            yield self.environment(conda, "the active conda environment (CONDA_PREFIX)")


def find(wanted: Optional[str], cwd: str, root: str, environ: Mapping[str, str]) -> Interpreter:
    """The interpreter of a suite. Raises ProblemError with everything that was tried."""
    search = Search(cwd, root, environ)
    if wanted:
        found = _named(search, wanted)
        if found is not None:
            return found
        action = "correct `python` in the suite's table, or remove it to let the environment be found"
        raise ProblemError(
            Problem("interpreter.missing", f"there is no Python at {wanted}", "; ".join(search.tried), action)
        )
    for candidate in search.candidates():
        if candidate is not None:
            return candidate
    what = f"no Python was found for {cwd}"
    action = "create `.venv` there (`python3 -m venv .venv`), or name an interpreter with `python` in the suite's table"
    raise ProblemError(Problem("interpreter.missing", what, "; ".join(search.tried), action))


def _named(search: Search, wanted: str) -> Optional[Interpreter]:
    why = "`python` of the suite"
    if os.sep not in wanted:
        found = shutil.which(wanted, path=search.environ.get("PATH", os.defpath))
        if found:
            return Interpreter(found, why)
    path = os.path.join(search.cwd, os.path.expanduser(wanted))
    if os.path.isdir(path):
        return search.environment(path, why)
    return search.python(path, why)


def poetry_environments(directory: str, environ: Mapping[str, str]) -> list[str]:
    """Where poetry keeps the environments of a project, newest Python first: its names end in a hash of the path."""
    if not os.path.isfile(os.path.join(directory, "poetry.lock")):
        return []
    home = environ.get("HOME", os.path.expanduser("~"))
    cache = os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "pypoetry")
    base = environ.get("POETRY_VIRTUALENVS_PATH") or os.path.join(
        environ.get("POETRY_CACHE_DIR") or cache, "virtualenvs"
    )
    digest = hashlib.sha256(
        os.path.normcase(os.path.realpath(directory)).encode("utf-8", "surrogateescape")
    ).digest()
    mark = base64.urlsafe_b64encode(digest).decode("ascii")[:8]
    return sorted(
        glob.glob(os.path.join(glob.escape(base), f"*-{glob.escape(mark)}-py*")), key=_version, reverse=True
    )


def other_environments(directory: str, environ: Mapping[str, str]) -> list[str]:
    """Environments in a directory that have a name of their own, and those that direnv and hatch keep there."""
    base = glob.escape(directory)
    patterns = ("*/pyvenv.cfg", ".[!.]*/pyvenv.cfg", ".direnv/*/pyvenv.cfg", ".hatch/*/pyvenv.cfg")
    found = [os.path.dirname(path) for one in patterns for path in glob.glob(os.path.join(base, one))]
    held = {path: _has_pytest(path, environ) for path in found if os.path.basename(path) not in _LOOKED_AT}
    # One for documents, or for a linter, is none for tests.
    kept = [path for path, holds in held.items() if holds or os.path.basename(path) in _USUAL]
    return sorted(kept, key=lambda path: (not held[path], path))


def hatch_environments(directory: str, environ: Mapping[str, str]) -> list[str]:
    """Where hatch keeps the environments of a project: those for its tests first, then its default one."""
    if not any(os.path.isfile(os.path.join(directory, name)) for name in ("pyproject.toml", "hatch.toml")):
        return []
    base = environ.get("HATCH_DATA_DIR") or os.path.join(_data_home(environ), "hatch")
    mark = _marked(os.path.realpath(directory), 32)
    found = glob.glob(os.path.join(glob.escape(base), "env", "virtual", "*", glob.escape(mark), "*"))

    def rank(path: str) -> tuple[bool, bool, int, bool, str]:
        name, project = os.path.basename(path), os.path.basename(os.path.dirname(os.path.dirname(path)))
        version, _ = _version(path)
        lacks = not _has_pytest(path, environ)
        return lacks, not name.startswith("hatch-test"), -version, name != project, path

    return sorted(found, key=rank)


def pipenv_environments(directory: str, environ: Mapping[str, str]) -> list[str]:
    """Where pipenv keeps the environment of a project: its name ends in a hash of the Pipfile's path."""
    file = os.path.join(os.path.realpath(directory), "Pipfile")
    if not os.path.isfile(file):
        return []
    base = environ.get("WORKON_HOME") or os.path.join(_data_home(environ), "virtualenvs")
    return sorted(glob.glob(os.path.join(glob.escape(os.path.expanduser(base)), f"*-{_marked(file, 6)}*")))


def _marked(path: str, size: int) -> str:
    """The first letters of a path's hash, of so many bytes of which those tools write eight letters."""
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()[:size]
    return base64.urlsafe_b64encode(digest).decode("ascii")[:8]


def _data_home(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", os.path.expanduser("~"))
    return environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")


def _has_pytest(path: str, environ: Mapping[str, str]) -> bool:
    return may_have("pytest", os.path.join(path, "bin", "python"), environ)


def tool_environments(directory: str) -> list[str]:
    """Environments of a tool that makes many: those that hold pytest, newest Python first."""
    if not os.path.isdir(directory):
        return []
    found = glob.glob(os.path.join(glob.escape(directory), "*", "lib", "python3*", "site-packages", "pytest"))
    places = {path.split(os.sep + "lib" + os.sep + "python3", 1)[0] for path in found}
    return sorted(places, key=_version, reverse=True)


def _version(path: str) -> tuple[int, str]:
    """Sort by the Python that a name mentions: `py39`, `py3.12`, `tests-3.11`."""
    found = re.search(r"3\.?(\d{1,2})(?!.*3\.?\d)", os.path.basename(path))
    return int(found.group(1)) if found else 0, path


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().strip()
    except OSError:
        return ""


def install_pytest(python: str, cwd: str, root: str) -> str:
    """The command that gives an interpreter pytest, in the words of whatever made it."""
    for directory in dict.fromkeys((cwd, root)):
        for name, command in _ADDS.items():
            if os.path.isfile(os.path.join(directory, name)):
                return command
    base = os.path.dirname(os.path.dirname(python))
    try:
        with open(os.path.join(base, "pyvenv.cfg"), encoding="utf-8") as file:
            made_by_uv = any(line.startswith("uv ") for line in file)
    except OSError:
        made_by_uv = False
    if made_by_uv:
        return f"uv pip install --python {python} pytest"
    # An environment may have been made without pip.
    first = "" if may_have("pip", python, {}) else f"{python} -m ensurepip && "
    return f"{first}{python} -m pip install pytest"


def may_have(package: str, python: str, environ: Mapping[str, str]) -> bool:
    """Whether a package may be importable by an interpreter; False only where all its places are known to lack it."""
    places = list(_site_directories(python, environ))
    return not places or any(os.path.exists(os.path.join(place, package)) for place in places)


def _site_directories(python: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Where an interpreter looks for packages, its own version or not: too many rather than too few."""
    yield from (path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if path)
    base = os.path.dirname(os.path.dirname(os.path.abspath(python)))
    bases = [base]
    try:
        with open(os.path.join(base, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            said = dict(_setting(line) for line in file)
    except OSError:
        said = None
    if said is None or said.get("include-system-site-packages", "").lower() == "true":
        real = os.path.dirname(os.path.dirname(os.path.realpath(python)))
        home = environ.get("HOME", os.path.expanduser("~"))
        bases += [real, os.path.join(environ.get("PYTHONUSERBASE") or os.path.join(home, ".local"))]
        bases += ["/usr", "/usr/local"] if real in {"/usr", "/usr/local"} else []
    for each in dict.fromkeys(bases):
        for pattern in (
            "lib/python3*/site-packages",
            "lib64/python3*/site-packages",
            "lib/python3*/dist-packages",
        ):
            yield from glob.glob(os.path.join(glob.escape(each), pattern))


def _setting(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip().lower(), value.strip()
