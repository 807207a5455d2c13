"""Tells what a JavaScript reporter of ours tells: names become scenarios, and what is printed meanwhile becomes theirs.

A reporter in the process of the tests says how much had been printed at each of its lines: then whose output it is is
exact. It is inferred where one test alone was running, and the launch's own otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from tracekit.agent.hosts.cases import Cases, Told
from tracekit.agent.hosts.compared import compared
from tracekit.agent.hosts.crew import End, Word
from tracekit.agent.hosts.following import Followed
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.reports.cases import MESSAGE_LIMIT, cut
from tracekit.agent.system import System
from tracekit.wire.ids import SUBTEST_MARK, subtest_id
from tracekit.wire.names import RED, VERDICTS, E

_CAUSES = {"failed": "assertion", "error": "exception", "timedout": "hang"}
_PASSED_ON = ("cause", "reason")


class ScriptCases(Cases):
    """The tests of one launch, in however many processes."""

    def __init__(self, system: System, request: Request, teller: Teller) -> None:
        super().__init__(system, request, teller, apart=True)
        #: What was found, with its place, in the order of its finding.
        self.places: dict[str, tuple[str, int]] = {}
        #: Files that could not be loaded, and what the tool said that belongs to no test.
        self.broken: set[str] = set()
        self.faults: list[dict[str, str]] = []
        #: Groups that were left out as a whole, and why; what they hold their tool does not look at.
        self.left_out: dict[str, tuple[str, str]] = {}
        #: Why those did not run that were found and have no end, as far as somebody says.
        self.whys: dict[str, str] = {}
        #: Files that are done, as far as the tool tells that.
        self.done: set[str] = set()
        # Rows of hooks that failed.
        self._hooks: set[str] = set()
        self._running: dict[str, Followed] = {}
        self._causes: dict[str, str] = {}
        # What a tool calls its tests, the worker that each began in, and what began last in each worker.
        self._called: dict[str, str] = {}
        self._worker: dict[str, tuple[Followed, str]] = {}
        self._last: dict[tuple[Followed, str], str] = {}
        # Beginnings of tests that nobody has named yet, and tests that were there when a process ended of itself.
        self._unnamed: dict[str, tuple[Followed, str]] = {}
        self._suspects: set[str] = set()
        # How many files each process has still to come to, where its tool says how many there are.
        self._files: dict[Followed, int] = {}

    def running(self, followed: Followed) -> list[str]:
        """The tests that have begun in that process and not ended."""
        return [scenario for scenario, whose in self._running.items() if whose is followed]

    def has_come_to_all(self, followed: Followed) -> bool:
        """Whether that process has told of each file that it was to run."""
        return self._files.get(followed, 1) <= 0

    def verdict(self, scenario: str) -> str:
        """How it ended last, "" where it has not."""
        told = self._known.get(scenario)
        return "" if told is None else told.verdict

    def ended(self) -> set[str]:
        """All that have."""
        return {scenario for scenario, told in self._known.items() if told.verdict}

    # -- what a reporter tells

    def told(self, followed: Followed, line: dict[str, Any]) -> None:
        """Tell one line of it."""
        self.pid = followed.pid
        self.any = True
        at = line.get("at")
        if isinstance(at, list):
            followed.exact = True
            followed.until([int(size) for size in at])
        event = line.get("e")
        names = [str(name) for name in line.get("names") or ()]
        if event == "discover.failed":
            self.unloaded(line)
        elif event == "fault":
            self.faults.append({key: str(line.get(key, "")) for key in ("message", "detail")})
        elif event in {"file.ended", "file.started", "file.died", "collected"}:
            followed.notes.append((str(event), str(line.get("file", ""))))
            if event == "file.ended":
                self.done.add(str(line.get("file", "")))
        elif event == "not.run" and names:
            self.whys[self._request.prefix + "::".join(names)] = str(line.get("reason", ""))
        elif event == "left.out" and names:
            self.left_out["::".join(names)] = (names[0], str(line.get("reason", "")))
        elif event == "files.planned" and type(line.get("count")) is int:
            self._files[followed] = line["count"]
        elif event == "file.found" and followed in self._files:
            self._files[followed] -= 1
        elif event == E.OUTPUT:
            self._said(names, line)
        elif event == "began":
            self._began(followed, str(line.get("id", "")), str(line.get("worker", "")))
        elif event == E.SESSION_ENDED:
            followed.concluded = True
        elif names:
            scenario = self._request.prefix + "::".join(names)
            part = line.get("part")
            scenario = subtest_id(scenario, str(part)) if part is not None else scenario
            self._test(followed, str(event), scenario, names, line)

    def skip(self, scenario: str, reason: str) -> None:
        """Tell that it was left out with what it stands in, where it has had no end."""
        told = None if self.verdict(scenario) else self.begin(scenario)
        if told is not None:
            self._over(scenario, told, {"verdict": "skipped", "reason": reason})

    def heard(self, followed: Followed, stream: str, data: bytes) -> None:
        """Bytes of that process: of the one test that runs in it, else of nobody."""
        running = [one for one in self.running(followed) if not self._is_parent(one, followed)]
        whose: dict[str, Any] = {"launch": self._request.launch}
        if len(running) == 1:
            told = self._known[running[0]]
            whose = {"scenario": running[0], "attempt": told.number, "step": "call"}
        attribution = "exact" if followed.exact or len(running) != 1 else "inferred"
        self._teller.output(stream, whose, data, attribution)

    def close(self, followed: Followed, end: End, note: Optional[dict[str, Any]]) -> list[str]:
        """That process is over: what began in it and has not ended. Gives those that another one's end cost theirs."""
        died = Word("crashed", "crash", f"its process {end.how} during it")
        word, meant, rest = died, "", died
        if note is not None:
            cause = "hang" if note.get("verdict") == "timedout" else None
            word, meant = (
                Word(str(note.get("verdict")), cause, str(note.get("reason", ""))),
                str(note.get("scenario")),
            )
            if cause == "hang":
                meant = self._blocked(meant)
            rest = Word("cancelled", None, f"its process was ended because of {meant}")
        culprits = None
        if note is None:
            culprits = self._culprits(followed)
            rest = Word("cancelled", None, f"its process {end.how} beside it: it runs again")
        lost = []
        for scenario in self.running(followed):
            mine = not meant or scenario.partition(SUBTEST_MARK)[0] == meant.partition(SUBTEST_MARK)[0]
            mine = mine and (culprits is None or scenario in culprits)
            self._running.pop(scenario)
            self._close(scenario, self._known[scenario], word if mine else rest, end)
            if not mine:
                lost.append(scenario)
        return lost

    # -- one test

    def _began(self, followed: Followed, called: str, worker: str) -> None:
        """A worker itself says so, in front of what its tool tells later."""
        scenario = self._called.get(called)
        if scenario is None:
            self._unnamed[called] = (followed, worker)
            return
        if self.begin(scenario) is None:
            return
        self._running.setdefault(scenario, followed)
        self._worker[scenario] = (followed, worker)
        self._last[followed, worker] = scenario

    def _blocked(self, meant: str) -> str:
        """Whose time is over: what began last in the same worker, where that one can tell nothing more.

        A loop keeps a worker from telling that the tests before have ended, which then seem to run the longest.
        """
        worker = self._worker.get(meant)
        last = "" if worker is None else self._last[worker]
        return last if last in self._running else meant

    def _culprits(self, followed: Followed) -> set[str]:
        """Of what ran when its process ended of itself: what may have ended it, where workers say what begins.

        In each worker that is what began last: of those before it the tool had only not told the end. Where several
        workers ran, each of theirs runs again, and is the culprit if it is there a second time.
        """
        running = set(self.running(followed))
        behind = {one for one in running if one in self._worker and self._last[self._worker[one]] != one}
        first = running - behind
        if not behind and not first & set(self._worker):
            return running  # nobody says what begins
        if len(first) == 1:
            return first
        again, self._suspects = first & self._suspects, self._suspects | first
        return again

    def _asked(self, scenario: str) -> bool:
        only = self._request.only
        if only is None or scenario.partition(SUBTEST_MARK)[0] in only or scenario in only:
            return True
        # A hook that failed says why what it stands around did not pass.
        group = f"{scenario.rpartition('::')[0]}::"
        return scenario in self._hooks and any(one.startswith(group) for one in only)

    def _parent(self, scenario: str) -> dict[str, str]:
        base, mark, _ = scenario.partition(SUBTEST_MARK)
        return {"parent": base} if mark else {}

    def _is_parent(self, scenario: str, followed: Followed) -> bool:
        """Whether a part of it runs: what is printed is that part's."""
        start = scenario + (SUBTEST_MARK if SUBTEST_MARK not in scenario else "/")
        return any(other.startswith(start) for other in self.running(followed))

    def place(self, scenario: str, names: list[str], line: dict[str, Any]) -> None:
        """Tell that there is such a test, once, and again where its place has become known."""
        file, number = str(line.get("file") or names[0]), line.get("line")
        place = (file, number if type(number) is int else 0)
        known = self.places.get(scenario)
        if known is not None and (known == place or not place[1]):
            return
        self.places[scenario] = place
        tags = [str(tag) for tag in line.get("tags") or ()]
        if "hook" in tags:
            self._hooks.add(scenario)
        if not self._asked(scenario):
            return
        facts: dict[str, Any] = {"suite": self._request.suite, "runner": self._request.runner}
        aside = None if self._request.discovers else self._request.aside(scenario)
        more = {} if aside is None else {"isolate": aside}
        self._teller.line(
            E.SCENARIO_FOUND,
            scenario=scenario,
            **facts,
            path=names,
            file=place[0],
            line=place[1],
            tags=tags,
            doc=None,
            **more,
        )

    def _test(
        self, followed: Followed, event: str, scenario: str, names: list[str], line: dict[str, Any]
    ) -> None:
        if event == E.SCENARIO_FOUND:
            self.place(scenario, names, line)
            called = line.get("id")
            if isinstance(called, str):
                self._called[called] = scenario
                if called in self._unnamed:
                    whose, worker = self._unnamed.pop(called)
                    self._began(whose, called, worker)
            return
        if self._request.discovers:
            return
        told = self.begin(scenario)
        if told is None:
            return
        self._running.setdefault(scenario, followed)
        head = {"scenario": scenario, "attempt": told.number, "step": "call"}
        if event == E.ASSERTION:
            self._teller.line(E.ASSERTION, **head, **_compared(line))
        elif event == E.FAILURE:
            cause = self._causes[scenario] = str(line.get("cause") or "exception")
            when = cause if cause in {"setup", "teardown"} else "call"
            chain = line.get("chain") or []
            self._teller.line(
                E.FAILURE, **head, when=when, cause=cause, chain=chain, text=str(line.get("text", ""))
            )
        elif event == E.ATTEMPT_ENDED:
            self._running.pop(scenario, None)
            self._over(scenario, told, line)

    def _over(self, scenario: str, told: Told, line: dict[str, Any]) -> None:
        verdict = str(line.get("verdict"))
        told.verdict = verdict if verdict in VERDICTS else "error"
        lasted = line.get("d")
        lasted = lasted if type(lasted) is int else max(0, self._clock.mono() - told.began)
        facts: dict[str, Any] = {"cause": self._causes.pop(scenario, None) or _CAUSES.get(told.verdict)}
        facts.update({key: str(line[key]) for key in _PASSED_ON if line.get(key)})
        if "reason" in facts:
            facts["reason"] = cut(facts["reason"], MESSAGE_LIMIT)
        if told.verdict not in RED:
            facts["cause"] = None
        head = {"scenario": scenario, "attempt": told.number, **self._parent(scenario)}
        durations = {} if told.verdict in {"skipped", "crashed", "cancelled"} else {"call": lasted}
        self._teller.line(
            E.ATTEMPT_ENDED, **head, verdict=told.verdict, d=lasted, durations=durations, **facts
        )

    def _said(self, names: list[str], line: dict[str, Any]) -> None:
        """Output that the tool itself has collected, and mostly knows the test of."""
        stream = "stderr" if line.get("stream") == "stderr" else "stdout"
        whose: dict[str, Any] = {"launch": self._request.launch}
        told = self._known.get(self._request.prefix + "::".join(names)) if names else None
        if told is not None:
            scenario = self._request.prefix + "::".join(names)
            whose = {"scenario": scenario, "attempt": told.number, "step": "call"}
        attribution = "inferred" if line.get("attribution") == "inferred" else "exact"
        data = str(line.get("text", "")).encode("utf-8", "replace")
        self._teller.output(stream, whose, data, attribution)

    def unloaded(self, line: dict[str, Any]) -> None:
        """A module that does not load keeps none of the others from being run."""
        file = str(line.get("file", ""))
        if file in self.broken:
            return
        self.broken.add(file)
        only = self._request.only
        if only is not None and not any(one.startswith(f"{self._request.prefix}{file}::") for one in only):
            return
        detail = cut(str(line.get("detail", "")))
        remedy = "mend what the message names; nothing of this file can run before"
        facts = {"suite": self._request.suite, "file": file, "message": str(line.get("message", ""))}
        self._teller.line(E.DISCOVER_FAILED, **facts, detail=detail, failure=None, remedy=remedy)


def missing(asked: Optional[Iterable[str]], cases: ScriptCases) -> list[str]:
    """Of what was asked for that which has had no end."""
    ended = cases.ended()
    return [one for one in asked or () if one.partition(SUBTEST_MARK)[0] not in ended]


def _compared(line: dict[str, Any]) -> dict[str, Any]:
    number = line.get("line")
    expected, actual = str(line.get("expected", "")), str(line.get("actual", ""))
    at = number if type(number) is int else 0
    return compared(str(line.get("op") or "=="), expected, actual, str(line.get("file", "")), at)
