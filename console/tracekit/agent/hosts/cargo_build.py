"""Asks cargo: what the workspace holds, and to build its tests. The compiler's words go on to standard error, live.

Everything that cargo itself would set for a test's process is worked out here, from what cargo says alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

_ERRORS = 16 * 1024
# Arguments of `cargo test` that choose targets: where one is given there are no documentation tests.
_CHOOSES = (
    "--lib",
    "--bin",
    "--bins",
    "--test",
    "--tests",
    "--bench",
    "--benches",
    "--example",
    "--examples",
    "--all-targets",
)


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
class BuildError(Exception):
    """cargo did not do what it was asked; `text` is the compiler's own, where it spoke."""

    code: str
    what: str
    remedy: str
    command: Sequence[str]
    exit: Optional[int] = None
    text: str = ""


@dataclass
class Built:
    """What came out of a build."""

    targets: list[Target] = field(default_factory=list)
    workspace: str = ""
    directory: str = ""


@dataclass(frozen=True)
class Words:
    """A suite's arguments, as `cargo test` reads them: its own, and behind `--` those of the programs."""

    cargo: tuple[str, ...]
    tests: tuple[str, ...]
    #: Filters in nextest's language, which cargo itself does not know.
    filtersets: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: Sequence[str]) -> Words:
        """Cut them at the first `--`."""
        words = list(args)
        at = words.index("--") if "--" in words else len(words)
        # What only says how many failures are too many, or what to do with a build, is not for a build.
        own: list[str] = []
        filtersets: list[str] = []
        rest = [word for word in words[:at] if word not in {"--no-run", "--no-fail-fast"}]
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if name in {"-E", "--filterset", "--filter-expr"}:
                filtersets.append(value if equals or not rest else rest.pop(0))
            else:
                own.append(word)
        return cls(tuple(own), tuple(words[at + 1 :]), tuple(filtersets))

    @property
    def documentation_only(self) -> bool:
        """Whether only documentation tests are asked for."""
        return "--doc" in self.cargo

    @property
    def documentation(self) -> bool:
        """Whether documentation tests are asked for; a filter of nextest's knows none."""
        if self.filtersets:
            return False
        return self.documentation_only or not any(word.partition("=")[0] in _CHOOSES for word in self.cargo)


def build(cargo: str, cwd: str, words: Words) -> Built:
    """Build the tests of a workspace. Raises BuildError."""
    about = _metadata(cargo, cwd, words)
    built = Built(workspace=str(about["workspace_root"]), directory=str(about["target_directory"]))
    if words.documentation_only:
        return built
    command = [cargo, "test", "--no-run", "--message-format", "json", *words.cargo]
    reader = _Reader({str(package["id"]): package for package in about["packages"]})
    process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with process:
        for line in process.stdout or ():
            reader.take(line)
    if process.returncode:
        text = "".join(reader.errors)[:_ERRORS]
        code, what = "cargo.build_failed", "the tests do not compile"
        remedy = "mend what the compiler names; `cargo test --no-run` shows it alone"
        if not text:
            code, what, remedy = "cargo.failed", "cargo did not build the tests", "see what cargo says"
        raise BuildError(code, what, remedy, command, process.returncode, text)
    built.targets = sorted(reader.targets(cargo, built), key=_order)
    return built


def _order(target: Target) -> tuple[str, int, str]:
    """As `cargo test` runs them: packages by name, in each its library, its programs, and then the others."""
    rank = {"bin": 1, "example": 2, "test": 3, "bench": 4}.get(target.kind, 0)
    return str(target.package["name"]), rank, target.name


def _metadata(cargo: str, cwd: str, words: Words) -> dict[str, Any]:
    passed = _passed(words.cargo, ("--manifest-path", "--locked", "--offline", "--frozen", "--config"))
    command = [cargo, "metadata", "--format-version", "1", "--no-deps", *passed]
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        remedy = "mend what cargo names in Cargo.toml or in its own configuration"
        raise BuildError("cargo.failed", "cargo cannot read the workspace", remedy, command, done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _passed(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Of cargo's arguments those that every command of it must be given."""
    found: list[str] = []
    for place, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if name in names:
            found.append(word)
            if name in {"--manifest-path", "--config"} and not equals:
                found += words[place + 1 : place + 2]
    return found


class _Reader:
    """Takes what cargo says of a build, line by line."""

    def __init__(self, packages: dict[str, dict[str, Any]]) -> None:
        self._packages = packages
        self._programs: list[dict[str, Any]] = []
        self._binaries: dict[str, dict[str, str]] = {}
        self._scripts: dict[str, dict[str, Any]] = {}
        self.errors: list[str] = []

    def take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            # A build script or a wrapper that prints: it is for people.
            _say(line.decode("utf-8", "replace"))
            return
        reason = told.get("reason")
        if reason == "compiler-message":
            rendered = str(told["message"].get("rendered") or "")
            _say(rendered)
            if str(told["message"].get("level", "")).startswith("error"):
                self.errors.append(rendered)
        elif reason == "build-script-executed":
            self._scripts[str(told["package_id"])] = told
        elif reason == "compiler-artifact" and told.get("executable"):
            if told["profile"].get("test"):
                self._programs.append(told)
            elif "bin" in told["target"]["kind"]:
                own = self._binaries.setdefault(str(told["package_id"]), {})
                own[str(told["target"]["name"])] = str(told["executable"])

    def targets(self, cargo: str, built: Built) -> list[Target]:
        found: list[Target] = []
        libraries = ""
        for told in self._programs:
            package = self._packages.get(str(told["package_id"]))
            if package is None:
                continue
            target = told["target"]
            if not libraries and set(target["crate_types"]) & {"proc-macro", "dylib"}:
                libraries = _libraries(os.path.dirname(cargo))
            kind = str(target["kind"][0])
            environ = self._environ(cargo, package, str(told["executable"]), built.directory, libraries)
            if kind in {"test", "bench"}:
                for name, path in self._binaries.get(str(package["id"]), {}).items():
                    environ[f"CARGO_BIN_EXE_{name}"] = path
            found.append(
                Target(
                    package,
                    kind,
                    str(target["name"]),
                    str(target["src_path"]),
                    str(told["executable"]),
                    environ,
                )
            )
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


def _say(text: str) -> None:
    sys.stderr.write(text if text.endswith("\n") or not text else text + "\n")
    sys.stderr.flush()
