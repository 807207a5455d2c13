"""Takes what cargo says of a build: its programs of tests, what their processes are told, and what the compiler has
against the rest.

The compiler's words go on to standard error, live and each once, whatever number of builds has them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional


class Part(NamedTuple):
    """A target of a package, as cargo tells it in every message: by the package's id, its kind and its name."""

    package: str
    kind: str
    name: str


@dataclass(frozen=True)
class Target:
    """One program of tests."""

    package: Mapping[str, Any]
    kind: str
    name: str
    source: str
    program: str
    environ: dict[str, str]

    @property
    def cwd(self) -> str:
        """Where cargo runs it: the directory of its package."""
        return os.path.dirname(str(self.package["manifest_path"]))


@dataclass
class Fault:
    """What the compiler has against one target: its first error with its place, and all of them as it draws them."""

    message: str
    file: str = ""
    line: int = 0
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The compiler's own rendering."""
        return "".join(self.texts)


class Reader:
    """What builds of one workspace have said so far."""

    def __init__(self, packages: Mapping[str, Mapping[str, Any]]) -> None:
        self._packages = packages
        self._binaries: dict[str, dict[str, str]] = {}
        self._scripts: dict[str, dict[str, Any]] = {}
        self._said: set[str] = set()
        self._programs: dict[str, Mapping[str, Any]] = {}
        self.faults: dict[Part, Fault] = {}
        #: The packages whose library was built for others to use.
        self.libraries: set[str] = set()
        #: Whether the last build got as far as compiling: it says when it is over.
        self.finished = False

    @property
    def programs(self) -> set[Part]:
        """The programs of tests that were built."""
        return set(map(_part, self._programs.values()))

    @property
    def errors(self) -> str:
        """All that the compiler has against it, one after the other."""
        return "".join(dict.fromkeys(text for fault in self.faults.values() for text in fault.texts))

    def take(self, line: bytes) -> None:
        """One line that cargo wrote."""
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            # A build script or a wrapper that prints: it is for people.
            say(line.decode("utf-8", "replace"))
            return
        reason = told.get("reason")
        if reason == "compiler-message":
            self._message(told)
        elif reason == "build-script-executed":
            self._scripts[str(told["package_id"])] = told
        elif reason == "build-finished":
            self.finished = True
        elif reason == "compiler-artifact":
            self._artefact(told)

    def _artefact(self, told: Mapping[str, Any]) -> None:
        if told.get("executable"):
            if told["profile"].get("test"):
                self._programs[str(told["executable"])] = told
            elif "bin" in told["target"]["kind"]:
                own = self._binaries.setdefault(str(told["package_id"]), {})
                own[str(told["target"]["name"])] = str(told["executable"])
        elif told["target"].get("doctest"):
            self.libraries.add(str(told["package_id"]))

    def _message(self, told: Mapping[str, Any]) -> None:
        message = told["message"]
        rendered = str(message.get("rendered") or "")
        if rendered not in self._said:
            self._said.add(rendered)
            say(rendered)
        if not str(message.get("level", "")).startswith("error"):
            return
        fault = self.faults.get(_part(told))
        if fault is None:
            file, line = _place(message.get("spans") or ())
            fault = self.faults[_part(told)] = Fault(str(message.get("message") or ""), file, line)
        # A library is compiled twice, by itself and as its own tests.
        if rendered not in fault.texts:
            fault.texts.append(rendered)

    def targets(self, cargo: str, directory: str) -> list[Target]:
        """The programs of tests, with what cargo would tell the process of each."""
        found: list[Target] = []
        libraries = ""
        for program, told in self._programs.items():
            part = _part(told)
            package = self._packages.get(part.package)
            if package is None:
                continue
            target = told["target"]
            if not libraries and set(target["crate_types"]) & {"proc-macro", "dylib"}:
                libraries = _libraries(os.path.dirname(cargo))
            environ = self._environ(cargo, package, program, directory, libraries)
            if part.kind in {"test", "bench"}:
                for name, path in self._binaries.get(part.package, {}).items():
                    environ[f"CARGO_BIN_EXE_{name}"] = path
            found.append(Target(package, part.kind, part.name, str(target["src_path"]), program, environ))
        return found

    def _environ(
        self, cargo: str, package: Mapping[str, Any], program: str, directory: str, libraries: str
    ) -> dict[str, str]:
        script = self._scripts.get(str(package["id"]), {})
        places = [str(path).partition("=")[2] or str(path) for path in script.get("linked_paths") or ()]
        inside = [path for path in places if path.startswith(directory + os.sep)]
        deps = os.path.dirname(program)
        paths = [*inside, deps, os.path.dirname(deps), libraries, os.environ.get("LD_LIBRARY_PATH", "")]
        environ = {**os.environ, **package_environ(package)}
        environ["LD_LIBRARY_PATH"] = os.pathsep.join(path for path in paths if path)
        environ.setdefault("CARGO", cargo)
        for name, value in script.get("env") or ():
            environ[str(name)] = str(value)
        if script.get("out_dir"):
            environ["OUT_DIR"] = str(script["out_dir"])
        return environ


def run(command: Sequence[str], cwd: str, reader: Reader, said: Optional[int] = None) -> int:
    """Run one build, which speaks where we do or into a descriptor of its own; gives its exit status."""
    reader.finished = False
    process = subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
    )
    with process:
        for line in process.stdout or ():
            reader.take(line)
    return process.returncode


def _part(told: Mapping[str, Any]) -> Part:
    target = told["target"]
    return Part(str(told["package_id"]), str(target["kind"][0]), str(target["name"]))


def _place(spans: Any) -> tuple[str, int]:
    """Where an error stands; for one inside somebody's macro, where the macro was called."""
    span = next((one for one in spans if one.get("is_primary")), None)
    while span is not None and os.path.isabs(str(span.get("file_name"))) and span.get("expansion"):
        span = span["expansion"].get("span")
    return (str(span.get("file_name") or ""), int(span.get("line_start") or 0)) if span else ("", 0)


def package_environ(package: Mapping[str, Any]) -> dict[str, str]:
    """What cargo tells a process of the package that it belongs to."""
    version = str(package.get("version", ""))
    core, _, pre = version.partition("+")[0].partition("-")
    major, minor, patch = [*core.split("."), "", "", ""][:3]
    manifest = str(package["manifest_path"])
    return {
        "CARGO_MANIFEST_DIR": os.path.dirname(manifest),
        "CARGO_MANIFEST_PATH": manifest,
        "CARGO_PKG_NAME": str(package.get("name", "")),
        "CARGO_PKG_VERSION": version,
        "CARGO_PKG_VERSION_MAJOR": major,
        "CARGO_PKG_VERSION_MINOR": minor,
        "CARGO_PKG_VERSION_PATCH": patch,
        "CARGO_PKG_VERSION_PRE": pre,
        "CARGO_PKG_AUTHORS": ":".join(map(str, package.get("authors") or ())),
        **{
            f"CARGO_PKG_{name.upper()}": str(package.get(name) or "")
            for name in (
                "description",
                "homepage",
                "repository",
                "license",
                "license_file",
                "readme",
                "rust_version",
            )
        },
    }


def _libraries(directory: str) -> str:
    """Where the compiler keeps the libraries that such programs load."""
    rustc = os.path.join(directory, "rustc")
    command = [rustc if os.path.isfile(rustc) else "rustc", "--print", "target-libdir"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    except OSError:
        return ""
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def say(text: str) -> None:
    """Let whoever watches the launch read it."""
    sys.stderr.write(text if text.endswith("\n") or not text else text + "\n")
    sys.stderr.flush()
