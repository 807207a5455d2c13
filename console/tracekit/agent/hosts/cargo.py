"""The host of cargo: builds, lists what the programs hold, and runs each test as a process of its own.

What runs is what `cargo test` would run with the same arguments; only that a test shares its process with no other.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional, Union

from tracekit.agent.hosts import nextest
from tracekit.agent.hosts.cargo_binary import Together
from tracekit.agent.hosts.cargo_build import BuildError, Built, build
from tracekit.agent.hosts.cargo_list import Listed, listed, mark, reasons
from tracekit.agent.hosts.cargo_missing import Paths, Unbuilt
from tracekit.agent.hosts.cargo_reader import Target
from tracekit.agent.hosts.cargo_words import Words
from tracekit.agent.hosts.crew import Crew
from tracekit.agent.hosts.doctests import DOC, DocTest, DocTests, Telling, UnlistedError
from tracekit.agent.hosts.libtest import RustTest
from tracekit.agent.hosts.panics import Sources, cut
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.rust_places import RustPlaces
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.system import System
from tracekit.wire.names import E

_KINDS = {"test": "integration", "bench": "bench", "example": "example"}
_QUIET = ("--nocapture", "--no-capture", "--show-output", "-q", "--quiet", "--exact")
_CODE = 400

Test = Union[RustTest, DocTest]


@dataclass(frozen=True)
class Asked:
    """What a suite's arguments say to the programs of tests."""

    threads: int
    ignored: str  # "", "only" or "too"
    skip: tuple[str, ...]
    filters: tuple[str, ...]
    exact: bool
    more: tuple[str, ...]

    @classmethod
    def of(cls, words: Sequence[str], environ: dict[str, str]) -> Asked:
        """Read what stands behind `--`."""
        threads, ignored = _number(environ.get("RUST_TEST_THREADS", "")), ""
        skip: list[str] = []
        filters: list[str] = []
        more: list[str] = []
        rest = list(words)
        while rest:
            name, equals, value = rest.pop(0).partition("=")
            if name in {"--test-threads", "--skip"}:
                value = value if equals or not rest else rest.pop(0)
                if name == "--skip":
                    skip.append(value)
                else:
                    threads = _number(value)
            elif name == "--ignored":
                ignored = "only"
            elif name == "--include-ignored":
                ignored = "too"
            elif name.startswith("-"):
                more += [name + equals + value] if name not in _QUIET else []
            else:
                filters.append(name + equals + value)
        every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(threads or every, ignored, tuple(skip), tuple(filters), "--exact" in words, tuple(more))

    def whole(self, whole: bool) -> list[str]:
        """What to tell a program that runs several of its tests: which of them, where that is all it would run."""
        ignored = {"only": ["--ignored"], "too": ["--include-ignored"]}.get(self.ignored, [])
        skipped = [word for name in self.skip for word in ("--skip", name)]
        which = [*ignored, *skipped, *(["--exact"] if self.exact else ()), *self.filters] if whole else []
        return [*which, *self.more]

    def wants(self, name: str) -> bool:
        """Whether libtest would run a test of this name."""
        if self.exact:
            return (not self.filters or name in self.filters) and name not in self.skip
        found = not self.filters or any(part in name for part in self.filters)
        return found and not any(part in name for part in self.skip)


class Cargo:
    """One launch."""

    def __init__(self, system: System, request: Request) -> None:
        self._request = request
        self._system = system
        self._told = Teller(system, request.spool, "main")
        self._words = Words.of(request.args)
        self._asked = Asked.of(self._words.tests, dict(os.environ))
        if request.at_once:
            self._asked = replace(self._asked, threads=request.at_once)
        size = 1 if request.order == "given" else self._asked.threads
        self._crew = Crew(system, request.spool, request.launch, size, request.attempts)
        self._together = Together(system, request, self._asked.threads, self._asked.whole)
        self._cargo = str(request.more.get("cargo") or "cargo")
        documented = self._documenting(self._words.cargo)
        self._docs = DocTests(system, documented, request.cwd, lambda: self._crew.stopping)
        self._workspace = request.cwd
        self._target = ""
        self._lines: dict[str, list[str]] = {}
        # Whether nextest's filter has left out tests of a program.
        self._filtered = False
        # What was chosen or asked for and is not built, by how its ids begin, and why.
        self._unbuilt: dict[str, str] = {}
        self._unlisted: Optional[UnlistedError] = None
        # The programs that gave no list in time.
        self._silent: list[str] = []

    def run(self) -> int:
        """Build, list and run; gives the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._told.line(E.SPAWNED, pid=os.getpid(), role="main")
        try:
            built = self._built()
        except BuildError as fault:
            return self._failed(fault)
        self._workspace, self._target = built.workspace, built.directory
        try:
            tests = self._found(built)
        except BuildError as fault:
            return self._failed(fault)
        docs = self._documented([test.scenario for test in tests], built.documented)
        every: list[Test] = [*tests, *docs]
        chosen = [every[place] for place in self._request.chosen([test.scenario for test in every])]
        self._tell(chosen)
        unbuilt = Unbuilt(self._request, built, Paths(built, self._name), self._name)
        for line in unbuilt.lines():
            self._told.line(E.DISCOVER_FAILED, **line)
        self._unbuilt = unbuilt.reasons()
        if self._unlisted is not None:
            line = unbuilt.unlisted(self._unlisted, self._docs.command)
            self._told.line(E.DISCOVER_FAILED, **line)
            self._unbuilt.update(dict.fromkeys(unbuilt.documents, line["message"]))
        run = [test for test in chosen if self._aside(test) is None]
        if self._request.discovers:
            return self._ended(0, "")
        self._run([test for test in run if isinstance(test, RustTest)], tests)
        self._run_documented([test for test in run if isinstance(test, DocTest)], docs)
        if self._crew.stopping:
            return self._ended(2, "cancelled")
        return self._ended(0, "", **self._unexplained())

    def _stop(self, *_: object) -> None:
        self._together.stop()
        self._crew.stop()
        self._docs.stop()

    # -- building

    def _built(self) -> Built:
        phase = {"phase": "build", "id": f"{self._request.launch}/build", "suite": self._request.suite}
        command = [self._cargo, *self._words.building()]
        self._told.line(E.PHASE_STARTED, **phase, command=command, reason="build")
        code: Optional[int] = None
        try:
            built = build(self._cargo, self._request.cwd, self._words)
            code = built.exit
        except BuildError as fault:
            code = fault.exit
            raise
        finally:
            self._told.line(E.PHASE_ENDED, **phase, exit=code, signal=None)
        return built

    def _failed(self, fault: BuildError) -> int:
        if self._crew.stopping:
            return self._ended(2, "cancelled")
        told = {"code": fault.code, "what": fault.what, "remedy": fault.remedy, "text": fault.text}
        return self._ended(1, "", fault={**told, "command": list(fault.command), "exit": fault.exit})

    def _ended(self, status: int, reason: str, **more: Any) -> int:
        more = {**more, "unbuilt": self._unbuilt} if self._unbuilt else more
        more = {**more, "silent": self._silent} if self._silent else more
        self._told.line(E.SESSION_ENDED, exitstatus=status, reason=reason, **more)
        return status

    # -- finding

    def _found(self, built: Built) -> list[RustTest]:
        only, prefix = self._request.only, self._request.prefix
        paths = Paths(built, self._name)
        places = [
            (target, paths.of(target.source, target.kind, target.name))
            for target in built.targets
            if self._request.under(self._name(target.source)[0])
        ]
        if only is not None:
            # A program of which nothing was chosen is not asked: one that hangs then costs nobody its time.
            heads = {name.partition("::")[0] for name in only}
            places = [(target, path) for target, path in places if prefix + path in heads]
        known = (
            nextest.decided(self._request, self._words, built, self._cargo, self._told)
            if only is None
            else {}
        )
        self._filtered = bool(known)
        asked = [target for target, _ in places if target.program not in known]
        silent = self._request.more.get("silent") or ()
        lists = listed(asked, self._asked.threads, lambda: self._crew.stopping, silent)
        self._silent = [mark(target.program) for target, one in zip(asked, lists) if one.silent]
        known.update(zip((target.program for target in asked), lists))
        sources = Sources(self._name, self._code)
        found: list[RustTest] = []
        for target, path in places:
            found += self._tests(target, known.get(target.program, Listed()), path, sources)
        return found

    def _tests(self, target: Target, one: Listed, path: str, sources: Sources) -> Iterable[RustTest]:
        prefix, places = self._request.prefix, RustPlaces(target.source)
        here = replace(sources, here=target.cwd)
        if one.whole:
            file = self._name(target.source)[0]
            if one.why.startswith("it did not"):
                self._told.line(E.WARNING, message=f"{path}: {one.why}", category="cargo", file=file)
            names = [path, target.name]
            more = self._asked.more
            yield RustTest(prefix + "::".join(names), target, "", names, file, 0, here, False, more)
            return
        for name in one.names:
            if not self._asked.wants(name) or (self._asked.ignored == "only" and name not in one.ignored):
                continue
            names = name.split("::")
            file, line = places.find(names)
            scenario = f"{prefix}{path}::{name}"
            ignored = name in one.ignored
            yield RustTest(
                scenario,
                target,
                name,
                [path, *names],
                self._name(file)[0],
                line,
                here,
                ignored,
                self._asked.more,
            )

    def _documenting(self, words: Sequence[str]) -> list[str]:
        own = [word for word in words if word != "--doc"]
        return [self._cargo, "test", "--doc", "--no-fail-fast", *own]

    def _documented(self, taken: list[str], packages: Optional[list[str]]) -> list[DocTest]:
        """Documentation tests, where this launch can be about any: to list them takes rustdoc a while."""
        only = self._request.only
        asked = only is None or any(f"::{DOC}::" in name for name in only)
        if not asked or not self._words.documentation or self._asked.ignored == "only" or self._crew.stopping:
            return []
        if packages is not None:
            # Where a package of those asked for does not compile, cargo runs none of the others' either.
            named = [word for package in packages for word in ("-p", package)]
            self._docs.command = self._documenting([*self._words.without_packages(), *named])
        if packages == []:
            return []
        try:
            found = self._docs.found(self._request.prefix, self._name, taken)
        except UnlistedError as fault:
            self._unlisted = fault
            return []
        return [test for test in found if self._request.under(test.file) and self._asked.wants(test.name)]

    def _name(self, file: str) -> tuple[str, bool]:
        """A file as the suite calls it, and whether it is the project's own: cargo names files from the workspace."""
        path = os.path.normpath(os.path.join(self._workspace, file))
        root = os.path.normpath(self._request.root) + os.sep
        inside = path.startswith(root) and not (self._target and path.startswith(self._target + os.sep))
        own = inside and f"{os.sep}.cargo{os.sep}" not in path
        return (os.path.relpath(path, self._request.cwd).replace(os.sep, "/") if own else file), own

    def _code(self, file: str, line: int) -> str:
        path = os.path.join(self._workspace, file)
        if not os.path.isfile(path):
            path = os.path.join(self._request.cwd, file)
        if path not in self._lines:
            try:
                with open(path, encoding="utf-8", errors="replace") as opened:
                    self._lines[path] = opened.read(1 << 22).splitlines()
            except OSError:
                self._lines[path] = []
        lines = self._lines[path]
        return cut(lines[line - 1].strip(), _CODE) if 0 < line <= len(lines) else ""

    def _tell(self, tests: list[Test]) -> None:
        """Tell what was found."""
        request = self._request
        facts = {"suite": request.suite, "runner": "cargo"}
        about = {"root": request.cwd, "framework": self._version(), "count": len(tests)}
        self._told.line(E.SUITE_FOUND, **facts, **about, launch=request.launch)
        for test in tests:
            pattern = self._aside(test)
            more: dict[str, Any] = {} if pattern is None else {"isolate": pattern}
            place = {"path": list(test.path), "file": test.file, "line": test.line}
            tags = ["doc"]
            if isinstance(test, RustTest):
                tags = [_KINDS.get(test.target.kind, "unit"), *(["ignored"] if test.ignored else ())]
            self._told.line(
                E.SCENARIO_FOUND, scenario=test.scenario, **facts, **place, tags=tags, doc=None, **more
            )

    def _aside(self, test: Test) -> Optional[str]:
        """The pattern by which a test runs alone, without any other beside it."""
        if self._request.discovers or isinstance(test, DocTest) or test.ignored:
            return None
        return self._request.aside(test.scenario)

    def _version(self) -> str:
        try:
            done = subprocess.run(
                [self._cargo, "--version"],
                cwd=self._request.cwd,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError:
            return "cargo"
        return " ".join(done.stdout.decode("utf-8", "replace").split()[:2]) or "cargo"

    # -- running

    def _run(self, tests: list[RustTest], every: list[RustTest]) -> None:
        # Who chooses nothing but ignored tests wants them run: they are skipped anyway.
        chosen = self._request.only is not None and all(test.ignored for test in tests)
        too = bool(self._asked.ignored) or chosen
        left = [test for test in tests if test.ignored and not too]
        for program in dict.fromkeys(test.target.program for test in left):
            self._skip([test for test in left if test.target.program == program])
        run = [test for test in tests if not test.ignored or too]
        # An order that was given has a meaning only where we decide it.
        if self._request.more.get("isolation") == "binary" and self._request.order != "given":
            run = self._shared(run, every)
        self._crew.run(run)

    def _shared(self, tests: list[RustTest], every: list[RustTest]) -> list[RustTest]:
        """Run the tests of each program in one process; gives those that need one of their own."""
        chosen = {test.scenario for test in tests}
        programs: dict[str, list[RustTest]] = {}
        for test in every:
            if test.name and test.scenario in chosen:
                programs.setdefault(test.target.program, []).append(test)
        alone = [test for test in tests if not test.name]
        for program in dict.fromkeys(test.target.program for test in tests if test.name):
            some = programs[program]
            too = bool(self._asked.ignored)
            rest = [one for one in every if one.target.program == program and (too or not one.ignored)]
            whole = self._request.only is None and rest == some and not self._filtered
            alone += self._together.run(some, whole=whole)
        self._crew.attempts.update(self._together.attempts)
        return alone

    def _unexplained(self) -> dict[str, Any]:
        """What ended a process that several tests shared, where none of them does so alone."""
        left = [words for words, whose in self._together.faults if whose.isdisjoint(self._crew.crashed)]
        if not left:
            return {}
        message = f"{left[0]}, and none of them does so alone"
        remedy = 'run them in their own processes (`isolation = "process"`), or look for what they share'
        return {"failed": {"message": message, "code": "cargo.shared_death", "remedy": remedy, "detail": ""}}

    def _run_documented(self, tests: list[DocTest], every: list[DocTest]) -> None:
        request, sources = self._request, Sources(self._name, self._code)
        teller = Teller(self._system, request.spool, "doc")
        told = Telling(teller, request.spool, request.launch, dict(request.attempts), sources)
        self._docs.run(tests, every, told)

    def _skip(self, tests: list[RustTest]) -> None:
        """Ignored tests of one program: none of them is run, and the program says why."""
        why = reasons(tests[0].target, [test.name for test in tests], lambda: self._crew.stopping)
        for test in tests:
            number = self._request.attempts.get(test.scenario, 0) + 1
            verdict: dict[str, Any] = {"verdict": "skipped", "cause": None, "d": 0, "durations": {}}
            reason = why.get(test.name) or "ignored"
            self._told.line(E.ATTEMPT_ENDED, scenario=test.scenario, attempt=number, **verdict, reason=reason)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
