"""The host of go: `go test -json`, a process a package as go has it; what a package's death left over runs in another.

go itself says which test a line of output belongs to. Sub-tests are parts of their test, and run with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Optional

from tracekit.agent import at_once
from tracekit.agent.hosts import goroutines
from tracekit.agent.hosts.cases import Cases, said
from tracekit.agent.hosts.command import MOST_NAMES, Command, some
from tracekit.agent.hosts.crew import End
from tracekit.agent.hosts.go_words import GoWords
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.paths import told_name
from tracekit.agent.reports.cases import Case, Left, parsed
from tracekit.agent.reports.gotest import PACKAGE, places
from tracekit.agent.system import System
from tracekit.agent.waiting import place_of
from tracekit.wire.ids import SUBTEST_MARK, subtest_id
from tracekit.wire.names import RED, E

_TEST = re.compile(r"(?:Test|Example|Fuzz)\w*")
_FUNCTION = re.compile(r"^func (?P<name>(?:Test|Example|Fuzz)\w*)\(", re.MULTILINE)
_LOGS = re.compile(r"\.Logf?\(")
_MAIN = "TestMain"
_VETTED = re.compile(r"^# \[", re.MULTILINE)
_DIED = re.compile(rb'"Output":"(exit status \d+|signal: [\w ]+)')
_ERRORS = 16 * 1024
_OF_THE_PROCESS = frozenset({"crashed", "timedout"})
#: A package that dies again and again costs a start each time.
_MOST_ROUNDS = 50


class GoCases(Cases):
    """Cases by the directory of their package, sub-tests below their test."""

    _places = False

    def __init__(self, system: System, request: Request, teller: Teller) -> None:
        super().__init__(system, request, teller, apart=True)
        #: The directory of each package.
        self.modules: dict[str, str] = {}
        #: Tests that ran side by side when their process ended of itself: one of them ended it.
        self.suspects: dict[str, None] = {}
        self._without_end: dict[str, Left] = {}
        # The lines of files that tests speak from.
        self._sources: dict[str, list[str]] = {}

    def _scenario(self, path: tuple[str, ...]) -> str:
        package, *names = path
        base = self._request.prefix + "::".join([self.modules.get(package, package), *names[:1]])
        return subtest_id(base, "/".join(names[1:])) if len(names) > 1 else base

    def _case(self, case: Case) -> None:
        if (case.path[-1] == PACKAGE or case.verdict in _OF_THE_PROCESS) and self._ended_by_us():
            return  # go only says what we did
        case = self._complaint(case)
        super()._case(replace(case, file=self._file(case)) if case.file else case)

    def _complaint(self, case: Case) -> Case:
        """A red test by the first of its words that its source does not merely log; else by the last."""
        if case.verdict not in RED or case.kind or case.compared is not None:
            return case
        told = places(case.text)
        if len(told) < 2 or told[0] != (case.file, case.line, case.message):
            return case
        for file, line, message in told:
            if not self._logs(self._file(replace(case, file=file)), line):
                return replace(case, file=file, line=line, message=message)
        file, line, message = told[-1]
        return replace(case, file=file, line=line, message=message)

    def _logs(self, file: str, line: int) -> bool:
        if file not in self._sources:
            text = ""
            with (
                contextlib.suppress(OSError),
                open(os.path.join(self._request.cwd, file), encoding="utf-8", errors="replace") as opened,
            ):
                text = opened.read(4 << 20)
            self._sources[file] = text.split("\n")
        lines = self._sources[file]
        return 0 < line <= len(lines) and _LOGS.search(lines[line - 1]) is not None

    def _says_nothing(self, case: Case) -> bool:
        # What a test prints stands where its complaints do: those have a place, or a form of their own.
        return not (case.file or case.kind or case.compared)

    def _file(self, case: Case) -> str:
        """A file is named without its directory, or from the machine's root: here it is below the suite's."""
        directory = self.modules.get(case.path[0], "")
        if os.path.isabs(case.file):
            below = os.path.relpath(case.file, os.path.realpath(self._request.cwd))
            return case.file if below.startswith("..") else below
        return (
            f"{directory}/{case.file}" if directory not in {"", "."} and "/" not in case.file else case.file
        )

    def conclude(self, end: End, note: Optional[dict[str, Any]], fault: str) -> bool:
        """The package's process is over; one that was ended for its time told where it was."""
        scenario = str((note or {}).get("scenario", ""))
        told = self._known.get(scenario)
        if note is not None and told is not None and note.get("verdict") == "timedout":
            events = (parsed(line) or {} for line in end.out.decode("utf-8", "replace").splitlines())
            text = "".join(str(event.get("Output") or "") for event in events)
            stacks = goroutines.parse(text, scenario.partition(SUBTEST_MARK)[0].rpartition("::")[2])
            if stacks:
                head = {"scenario": scenario, "attempt": told.number, "since": self._clock.wall()}
                self._teller.line(E.ATTEMPT_STALLED, **head, limit="timeout", after=0, stacks=stacks)
                place = place_of(stacks, os.path.realpath(self._request.cwd))
                note = {**note, "reason": f"{note.get('reason', '')}{f': in {place}' if place else ''}"}
        if note is None:
            self._told_apart()
        self._without_end.clear()
        return super().conclude(end, note, fault)

    def _left(self, left: Left) -> None:
        """Whose end it was is known when the process is over: it may have been ours."""
        self._without_end[self._scenario(left.path)] = left

    def _told_apart(self) -> None:
        """What a package's process left without an end, when nobody of ours ended it."""
        lefts, self._without_end = self._without_end, {}
        by_package: dict[str, set[str]] = {}
        for scenario, left in lefts.items():
            if left.verdict == "crashed":
                by_package.setdefault(left.path[0], set()).add(scenario.partition(SUBTEST_MARK)[0])
        for scenario, left in lefts.items():
            beside = len(by_package.get(left.path[0], ())) - 1
            if left.verdict == "crashed" and beside:
                self.suspects[scenario.partition(SUBTEST_MARK)[0]] = None
                others = f"{beside} other{'s' if beside > 1 else ''}"
                why = f"{left.why}, beside {others}: it runs again, alone"
                left = Left(left.path, "cancelled", why)
            super()._left(left)

    def _ended_by_us(self) -> bool:
        name = told_name(self.pid, self._system.processes.started(self.pid))
        return os.path.exists(os.path.join(self._request.spool, name))

    def _died(self, end: End) -> str:
        # go's own status says nothing of the test's process; what it prints of that, it does not always print.
        found = _DIED.findall(end.out)
        how = f": {found[-1].decode()}" if found else ""
        return f"the process of its package ended during it{how}"

    def any_crashed(self, scenarios: Sequence[str]) -> bool:
        """Whether one of these ended its process."""
        return any(self._known[one].verdict in _OF_THE_PROCESS for one in scenarios if one in self._known)

    def _parent(self, scenario: str) -> dict[str, str]:
        base, mark, _ = scenario.partition(SUBTEST_MARK)
        return {"parent": base} if mark else {}

    def _asked(self, scenario: str) -> bool:
        only = self._request.only
        return (
            only is None or scenario.partition(SUBTEST_MARK)[0] in only or scenario.endswith(f"::{PACKAGE}")
        )


class Go(Command):
    """One launch."""

    def __init__(self, system: System, request: Request) -> None:
        self._go = str(request.more.get("go") or "go")
        super().__init__(system, replace(request, more={"report": ["gotest", "-"], "list": ["go"]}))
        self._packages = [f"./{path.rstrip('/')}/..." for path in request.paths] or ["./..."]
        self._words = GoWords.of(request.args)
        # The scenarios that there are, with go's own package and name.
        self._tests: dict[str, tuple[str, str]] = {}

    def _made_cases(self) -> Cases:
        self._found_apart = GoCases(self._system, self._request, self._told)
        self._modules = self._found_apart.modules
        return self._found_apart

    def run(self) -> int:
        """List, and run what was chosen; gives the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._told.line(E.SPAWNED, pid=os.getpid(), role="main")
        if not self._found():
            return 1
        names = list(self._tests)
        chosen = [names[place] for place in self._request.chosen(names)]
        run = self._announced(chosen)
        if self._request.discovers or self._stopping:
            return self._ended(0)
        whole = self._request.only is None and len(run) == len(names)
        return self._all(run, whole=whole)

    # -- finding

    def _found(self) -> bool:
        """List packages and their tests; False when go cannot, which is told."""
        command = [
            self._go,
            "list",
            "-e",
            "-test=false",
            "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles",
            *self._packages,
        ]
        done = subprocess.run(
            command, cwd=self._request.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
        if done.returncode:
            self._failed(command, "go cannot list the packages", "see what go says", exit=done.returncode)
            return False
        for package in _objects(done.stdout.decode("utf-8", "replace")):
            name, place = str(package.get("ImportPath")), str(package.get("Dir"))
            directory = os.path.relpath(place, os.path.realpath(self._request.cwd)).replace(os.sep, "/")
            files = [*(package.get("TestGoFiles") or ()), *(package.get("XTestGoFiles") or ())]
            if files and not any(part in {"testdata", ".."} for part in directory.split("/")):
                self._modules[name] = directory
        return self._listed()

    def _listed(self) -> bool:
        if not self._modules:
            return True
        # Who is chosen by an id is looked for among all.
        pattern = "." if self._request.only is not None else self._words.listed
        behind = self._words.behind
        command = [self._go, "test", "-json", "-list", pattern, *self._words.rest, *self._modules, *behind]
        done = subprocess.run(
            command, cwd=self._request.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
        )
        texts: dict[str, str] = {}
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            event = parsed(line) or {}
            package = str(event.get("Package") or str(event.get("ImportPath") or "").partition(" ")[0])
            text = str(event.get("Output") or "")
            if event.get("Action") == "build-output":
                texts[package] = (texts.get(package, "") + text)[:_ERRORS]
            elif (
                event.get("Action") == "output" and _TEST.fullmatch(text.strip()) and package in self._modules
            ):
                if self._request.only is None and self._words.skips(text.strip()):
                    continue
                scenario = f"{self._request.prefix}{self._modules[package]}::{text.strip()}"
                self._tests[scenario] = (package, text.strip())
        for package, text in texts.items():
            self._broken(package, text)
        self._mains_that_list_nothing(pattern, texts)
        if done.returncode and not self._tests and not texts:
            self._failed(command, "go cannot list the tests", "see what go says", exit=done.returncode)
            return False
        return True

    def _mains_that_list_nothing(self, pattern: str, broken: Collection[str]) -> None:
        """Tell of packages whose own main ends before it lists or runs the tests that their files hold."""
        told = {package for package, _ in self._tests.values()}
        for package, directory in self._modules.items():
            if package in told or package in broken or pattern != "." or not self._asked_in(directory):
                continue
            there = _functions(self._request.cwd, directory)
            names = [name for name in there if not name.startswith("Example") and name != _MAIN]
            if _MAIN not in there or not names:
                continue
            several = "s" if len(names) > 1 else ""
            message = f"{_MAIN} lists no test, and the package has {len(names)} test{several}: {some(names)}"
            file, line = there[_MAIN]
            action = f"have {_MAIN} call m.Run(); until then go says ok and runs none of them"
            facts = {"category": "go", "file": file, "line": line, "action": action}
            self._told.line(E.WARNING, suite=self._request.suite, message=f"{directory}: {message}", **facts)

    def _asked_in(self, directory: str) -> bool:
        only, start = self._request.only, f"{self._request.prefix}{directory}::"
        return only is None or any(name.startswith(start) for name in only)

    def _broken(self, package: str, text: str) -> None:
        """A package that does not compile keeps none of the others from being run, as in go itself."""
        directory = self._modules.get(package, package)
        if not self._asked_in(directory):
            return
        first = next((line for line in text.splitlines() if ".go:" in line), text.strip().partition("\n")[0])
        place = re.match(r"(?:vet: )?(?:\./)?(?P<file>[^:]+\.go):(?P<line>\d+)", first)
        facts = {"suite": self._request.suite, "file": place.group("file") if place else directory}
        remedy = f"mend what the compiler names; `go vet ./{directory}` shows it alone"
        # go has its vet look at a package before it runs the tests: what that finds was compiled.
        what = "go vet refuses it" if _VETTED.search(text) else "does not compile"
        self._told.line(E.DISCOVER_FAILED, **facts, message=f"{what}: {first}", detail=text, remedy=remedy)

    def _announced(self, chosen: Sequence[str]) -> list[str]:
        """Tell what there is; gives what this launch runs."""
        request = self._request
        facts = {"suite": request.suite, "runner": "go", "root": request.cwd, "count": len(chosen)}
        self._told.line(E.SUITE_FOUND, **facts, framework=self._version(), launch=request.launch)
        places: dict[str, dict[str, tuple[str, int]]] = {}
        run: list[str] = []
        for scenario in chosen:
            package, name = self._tests[scenario]
            directory = self._modules[package]
            known = places.setdefault(directory, {}) or places[directory]
            if not known:
                known.update(_functions(request.cwd, directory))
            file, line = known.get(name, (directory, 0))
            aside = None if request.discovers else request.aside(scenario)
            more = {} if aside is None else {"isolate": aside}
            told = {
                "suite": request.suite,
                "runner": "go",
                "path": [directory, name],
                "file": file,
                "line": line,
            }
            tags = ["example"] if name.startswith("Example") else ["fuzz"] if name.startswith("Fuzz") else []
            self._told.line(E.SCENARIO_FOUND, scenario=scenario, **told, tags=tags, doc=None, **more)
            if aside is None:
                run.append(scenario)
        return run

    def _version(self) -> str:
        done = subprocess.run(
            [self._go, "env", "GOVERSION"], cwd=self._request.cwd, capture_output=True, check=False
        )
        return "go " + done.stdout.decode("utf-8", "replace").strip().removeprefix("go")

    # -- running

    def _stopped(self) -> bool:
        return self._stopping

    def _all(self, run: list[str], *, whole: bool) -> int:
        """Run them; what a package that died had not come to runs again without what has ended."""
        left = run
        for number in range(_MOST_ROUNDS):
            if not left or self._stopped():
                break
            for command in self._commands(left, whole=whole and not number):
                end = None if self._stopped() else self._started(command)
                if end is None:
                    break
                failed = not self._stopped() and self._cases.conclude(end, self._note, self._fault)
                if failed and not self._cases.any:
                    facts = {
                        "exit": end.code,
                        "message": f"go {end.how} and ran no test",
                        "detail": said(end),
                    }
                    remedy = "see what go printed"
                    return self._ended(1, failed={**facts, "code": "go.failed", "remedy": remedy})
            again = self._cases.unended(left)
            if len(again) == len(left):
                break
            left = again
        return self._ended(2 if self._stopped() else 0, **self._nobody_alone())

    def _nobody_alone(self) -> dict[str, Any]:
        """Of those that ran when a process ended, none ends its own: then it was what they do together."""
        suspects = list(self._found_apart.suspects)
        if not suspects or self._stopped() or self._found_apart.any_crashed(suspects):
            return {}
        names = ", ".join(one.removeprefix(self._request.prefix) for one in suspects[:MOST_NAMES])
        message = f"the process of a package ended while these ran, and none of them ends it alone: {names}"
        remedy = "run them together again: `tracekit rerun` with each of their names"
        return {"failed": {"exit": 1, "message": message, "detail": "", "code": "go.died", "remedy": remedy}}

    def _commands(self, run: Sequence[str], *, whole: bool) -> list[list[str]]:
        words, most = self._words, self._request.at_once
        if whole:
            bound = at_once.go(most, words.own, len(self._modules))
            return [[self._go, "test", "-json", *bound, *self._modules, *words.behind]]
        base = [self._go, "test", "-json", *at_once.go(most, words.chosen, 1)]
        packages: dict[tuple[str, str], list[str]] = {}
        suspects = self._found_apart.suspects
        for scenario in run:
            package, name = self._tests[scenario]
            packages.setdefault((package, name if scenario in suspects else ""), []).append(name)
        # -count=1: a test that was asked for is run, and not remembered.
        return [
            [*base, "-count=1", "-run", words.pattern(names), package, *words.behind]
            for (package, _), names in packages.items()
        ]


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects that stand one behind the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := text.find("{", at)) >= 0:
        try:
            one, at = decoder.raw_decode(text, at)
        except ValueError:
            break
        found.append(one)
    return found


def _functions(cwd: str, directory: str) -> dict[str, tuple[str, int]]:
    """Where the tests of a package stand."""
    found: dict[str, tuple[str, int]] = {}
    folder = os.path.join(cwd, directory)
    for name in sorted(os.listdir(folder)):
        if name.endswith("_test.go"):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                text = file.read(4 << 20)
            path = name if directory == "." else f"{directory}/{name}"
            for told in _FUNCTION.finditer(text):
                found.setdefault(told.group("name"), (path, text.count("\n", 0, told.start()) + 1))
    return found
