"""What of a workspace can be built when not all of it can, and what is to be said of the rest.

`cargo test` gives up at the first part that does not compile. `cargo build --keep-going` does not, and leaves the same
programs; where cargo does not know that, or targets are chosen which it would build otherwise, each package is built by
itself, and each target of one that does not compile.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tracekit.agent.hosts.cargo_reader import Fault, Part, Reader, run, say
from tracekit.agent.hosts.cargo_words import Words, spec_of, target_words

#: How much of the compiler's words a part that is not built carries.
ERRORS = 16 * 1024
# What cargo says without the compiler: a build script that failed, a compiler that was killed.
_SCRIPT = re.compile(
    r"^error: failed to run custom build command for `(?P<name>\S+) v(?P<version>[^\s`]+)[^`]*`\n"
    r"(?P<text>.*?)(?=^(?:error: |warning: build failed|\s+Compiling )|\Z)",
    re.MULTILINE | re.DOTALL,
)
_KEPT = 256 * 1024

Package = Mapping[str, Any]


@dataclass(frozen=True)
class Missing:
    """A part of the workspace that was not built: what is wrong with it, where, and what shows it alone."""

    #: The sources of the programs of tests that are not there because of it.
    sources: tuple[tuple[str, str, str], ...]
    message: str
    remedy: str
    text: str = ""
    file: str = ""
    line: int = 0
    #: The directory of a package whose documentation tests are not there because of it.
    documentation: str = ""


class Rest:
    """The parts of a workspace of which one did not compile."""

    def __init__(self, cargo: str, cwd: str, words: Words, about: dict[str, Any], reader: Reader) -> None:
        self._cargo, self._cwd, self._words, self._reader = cargo, cwd, words, reader
        self._packages = {str(package["id"]): package for package in about["packages"]}
        self._selected = words.selected(about, cwd)
        self._root = str(about["workspace_root"])
        self._scripts: dict[str, str] = {}
        self._said = ""

    def build(self) -> None:
        """Build whatever can be built."""
        if self._words.chooses or not self._going_on():
            for package in self._selected:
                self._one(package)
        self._said_of_scripts()

    def _going_on(self) -> bool:
        """Have cargo go on behind what does not compile; whether it knows how (it does since 1.74)."""
        known = subprocess.run(
            [self._cargo, "build", "--help"],
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        lines = [line for line in known.stdout.splitlines() if b"--keep-going" in line]
        if not lines or b"unstable" in lines[0]:
            return False
        targets = [target for package in self._selected for target in package["targets"]]
        # Documentation tests need the library itself; cargo takes it ill to be asked for one where there is none.
        kinds = ["--lib"] if any(target.get("doctest") for target in targets) else []
        kinds += [] if self._words.documentation_only else ["--tests", "--examples"]
        command = [self._cargo, *self._words.as_build(kinds), "--keep-going", "--message-format", "json"]
        self._run(command)
        return self._reader.finished

    def _one(self, package: Package) -> None:
        """One package by itself, or the parts of it one by one."""
        own = [target for target in package["targets"] if self._words.wants(target)]
        base = [self._cargo, "test", "--no-run", "--message-format", "json", "-p", spec_of(package)]
        if not own or not self._run([*base, *self._words.without_packages()]) or len(own) == 1:
            return
        for target in own:
            if _part(package, target) not in self._reader.programs:
                self._run([*base, *self._words.without_choices(), *target_words(target)])

    def _run(self, command: list[str]) -> int:
        """A build of which cargo's own words are kept, too."""
        end, pipe = os.pipe()
        kept: list[str] = []

        def relay() -> None:
            with open(end, encoding="utf-8", errors="replace") as words:
                for line in words:
                    say(line)
                    kept.append(line)

        reading = threading.Thread(target=relay, daemon=True)
        reading.start()
        try:
            return run(command, self._cwd, self._reader, pipe)
        finally:
            os.close(pipe)
            # What a build leaves behind may keep its end of the pipe open.
            reading.join(2)
            self._said = (self._said + "".join(kept))[-_KEPT:]

    def _said_of_scripts(self) -> None:
        for found in _SCRIPT.finditer(self._said):
            text = found.group(0).rstrip() + "\n"
            self._scripts.setdefault(f"{found.group('name')}:{found.group('version')}", text)

    # -- what is said of the rest

    def missing(self) -> list[Missing]:
        """Each part that has a fault, and each package that waits for one of another's."""
        found: list[Missing] = []
        told: set[str] = set()
        for part, fault in self._reader.faults.items():
            package = self._packages.get(part.package)
            if package is None or part in self._reader.programs:
                continue
            # What a package's library lacks, its other programs do not have.
            others = self._unbuilt(package) if part.package not in told and _is_needed(part) else []
            told |= {part.package} if _is_needed(part) else set()
            found.append(self._broken(package, part, fault, others))
        for package in self._selected:
            identity, unbuilt = str(package["id"]), self._unbuilt(package)
            script = self._scripts.get(spec_of(package))
            if script is not None:
                found.append(self._script(package, script, unbuilt))
            elif unbuilt and identity not in told:
                found.append(self._waiting(package, unbuilt))
        return found

    def partial(self) -> set[str]:
        """The packages that have a fault."""
        return {part.package for part in self._reader.faults if part not in self._reader.programs}

    def documented(self) -> list[str]:
        """The packages whose documentation tests can be built."""
        reader = self._reader
        found: list[str] = []
        for package in self._selected:
            libraries = [target for target in package["targets"] if target.get("doctest")]
            there = any(_part(package, target) in reader.programs for target in libraries)
            if libraries and (there or str(package["id"]) in reader.libraries):
                found.append(spec_of(package))
        return found

    def _unbuilt(self, package: Package) -> list[tuple[str, str, str]]:
        """Programs of tests that a package should have, that are not there, and of which nobody says why."""
        reader = self._reader
        there = reader.programs | set(reader.faults)
        if self._words.documentation_only and str(package["id"]) in reader.libraries:
            return []
        return [
            (str(target["src_path"]), str(target["kind"][0]), str(target["name"]))
            for target in package["targets"]
            # Without their features cargo leaves these out, and says nothing.
            if self._words.wants(target) and not target.get("required-features")
            if _part(package, target) not in there
        ]

    def _broken(
        self, package: Package, part: Part, fault: Fault, others: list[tuple[str, str, str]]
    ) -> Missing:
        target = next((one for one in package["targets"] if _part(package, one) == part), None)
        words = target_words(target) if target is not None and part.kind != "custom-build" else []
        name = str(package["name"])
        source = [(str(target["src_path"]), part.kind, part.name)] if target is not None else []
        alone = self._words.alone(package, words)
        place = f"{fault.file}:{fault.line}" if fault.line else fault.file or "what the compiler names"
        return Missing(
            sources=(*source, *others),
            message=f"{name} ({_called(part)}) does not compile: {fault.message}",
            remedy=f"mend {place}; `{alone}` shows it alone",
            text=fault.text[:ERRORS] + self._with_it(others),
            file=os.path.join(self._root, fault.file)
            if fault.file
            else next((path for path, _, _ in source), ""),
            line=fault.line,
            documentation=self._documentation(package),
        )

    def _script(self, package: Package, text: str, unbuilt: list[tuple[str, str, str]]) -> Missing:
        name = str(package["name"])
        script = next((one for one in package["targets"] if "custom-build" in one["kind"]), package)
        return Missing(
            sources=tuple(unbuilt),
            message=f"{name} is not built: its build script failed",
            remedy=f"see what the build script says; `{self._words.alone(package)}` shows it alone",
            text=text[:ERRORS] + self._with_it(unbuilt),
            file=str(script.get("src_path") or package["manifest_path"]),
            documentation=self._documentation(package),
        )

    def _waiting(self, package: Package, unbuilt: list[tuple[str, str, str]]) -> Missing:
        """A package that has no fault of its own: what it needs has."""
        name = str(package["name"])
        needs = sorted(self._needs(package))
        named = ", ".join(needs) or "something that it needs"
        verb = "do" if len(needs) > 1 else "does"
        # What a package of the workspace lacks is told with it.
        faults = self._reader.faults.items()
        outside = "".join(fault.text for part, fault in faults if part.package not in self._packages)
        return Missing(
            sources=tuple(unbuilt),
            message=f"{name} is not built: {named} {verb} not compile",
            remedy=f"mend {named} first; `{self._words.alone(package)}` shows whether that is all",
            text=(outside[:ERRORS] + self._with_it(unbuilt)).lstrip("\n"),
            file=unbuilt[0][0],
            documentation=self._documentation(package),
        )

    def _documentation(self, package: Package) -> str:
        """The package's directory, where its documentation tests are not there either."""
        held = spec_of(package) not in self.documented()
        return os.path.dirname(str(package["manifest_path"])) if held else ""

    def _needs(self, package: Package) -> set[str]:
        """What is broken of all that a package needs; of the workspace's own packages that is known exactly."""
        own = {str(one["name"]): one for one in self._packages.values()}
        broken = {self._name(part.package) for part in self._reader.faults if _is_shared(part)}
        broken |= {spec.partition(":")[0] for spec in self._scripts}
        seen: set[str] = set()
        waiting = [package]
        while waiting:
            for needed in waiting.pop()["dependencies"]:
                name = str(needed["name"])
                if name not in seen:
                    seen.add(name)
                    waiting += [own[name]] if name in own else []
        return broken & seen or broken - set(own)

    def _name(self, identity: str) -> str:
        package = self._packages.get(identity)
        if package is not None:
            return str(package["name"])
        # `registry+https://…#name@1.2.3`; before 1.77 `name 1.2.3 (registry+https://…)`.
        return identity.rpartition("#")[2].partition("@")[0].partition(" ")[0]

    def _with_it(self, others: Iterable[tuple[str, str, str]]) -> str:
        names = [os.path.relpath(source, self._root) for source, _, _ in others]
        if not names:
            return ""
        return f"\nnot built with it: {', '.join(names)}\n"


def _part(package: Package, target: Mapping[str, Any]) -> Part:
    return Part(str(package["id"]), str(target["kind"][0]), str(target["name"]))


def _is_shared(part: Part) -> bool:
    """Whether other programs of the package, and other packages, need it."""
    return part.kind not in {"test", "bench", "example", "bin"}


def _is_needed(part: Part) -> bool:
    """Whether other programs of the package need it: to integration tests cargo gives its binaries."""
    return part.kind not in {"test", "bench", "example"}


def _called(part: Part) -> str:
    """As cargo calls it."""
    kind = "build script" if part.kind == "custom-build" else part.kind
    return f'{kind} "{part.name}"' if kind in {"bin", "test", "bench", "example"} else kind
