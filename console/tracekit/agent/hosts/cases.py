"""Tells what a report tells: its cases as scenarios of their own, or as parts of the one that is the whole command.

When a case began, only some formats say: for the others it is inferred from its end. It starts no process and reads no
file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Optional

from tracekit.agent.hosts.compared import compared
from tracekit.agent.hosts.crew import End, Word
from tracekit.agent.hosts.journal import Line
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.reports.cases import Begun, Case, Left, Printed
from tracekit.agent.reports.classes import cause_of, named
from tracekit.agent.system import System
from tracekit.wire.ids import SUBTEST_MARK, subtest_id
from tracekit.wire.names import RED, E

#: Of what a journal says no more about.
_CAUSES = {"failed": "assertion", "error": "exception"}
_UNKNOWN = End(None, None, b"", b"")


@dataclass
class Told:
    """What became of one case so far."""

    number: int
    began: int
    verdict: str = ""


class Cases:
    """The cases of one launch; `apart`: each is a scenario of its own."""

    # Whether a report is the one that says where a case stands.
    _places = True

    def __init__(self, system: System, request: Request, teller: Teller, *, apart: bool) -> None:
        self._system = system
        self._clock = system.clock
        self._request = request
        self._teller = teller
        self._apart = apart
        self._attempts = dict(request.attempts)
        self._known: dict[str, Told] = {}
        self._repeats: dict[str, int] = {}
        self.whole = request.prefix + (request.suite or request.runner)
        self.pid = 0
        self.program = ""
        #: Whether the report told of anything.
        self.any = False

    @property
    def red(self) -> bool:
        """Whether a case is red."""
        return any(told.verdict in RED for told in self._known.values())

    @property
    def begun(self) -> list[str]:
        """The scenarios that have begun, in that order."""
        return list(self._known)

    def counts(self) -> dict[str, int]:
        """How many ended how, parts apart."""
        ends = [told.verdict for name, told in self._known.items() if SUBTEST_MARK not in name]
        return {verdict: ends.count(verdict) for verdict in dict.fromkeys(ends) if verdict}

    def unended(self, scenarios: Iterable[str]) -> list[str]:
        """Of these what has not begun, or was ended for another's sake."""
        known = self._known
        return [one for one in scenarios if one not in known or known[one].verdict == "cancelled"]

    def names(self, scenario: str) -> list[str]:
        """The names of which an id is made."""
        return scenario.removeprefix(self._request.prefix).split("::")

    def found(self, scenario: str, path: list[str], file: str = "", line: int = 0) -> None:
        """Tell that there is such a scenario."""
        # A name alone stands below what told it: a tree has branches.
        shown = path if len(path) > 1 or not self.program else [self.program, *path]
        facts = {"suite": self._request.suite, "runner": self._request.runner, "path": shown}
        self._teller.line(
            E.SCENARIO_FOUND, scenario=scenario, **facts, file=file, line=line, tags=[], doc=None
        )

    def take(self, told: list[Any]) -> None:
        """Tell what a reader told."""
        for one in told:
            self.any = True
            if isinstance(one, Case):
                self._case(one)
            elif isinstance(one, Begun):
                self.begin(self._scenario(one.path))
            elif isinstance(one, Left):
                self._left(one)
            elif isinstance(one, Line):
                self._line(one)
            elif isinstance(one, Printed):
                self.printed("stdout", one.text.encode("utf-8", "replace"), one.path)

    def printed(self, stream: str, data: bytes, path: tuple[str, ...] = ()) -> None:
        """Tell what was printed: a running case's, where that is known, or else everybody's."""
        whose: dict[str, Any] = {"launch": self._request.launch}
        scenario = self._scenario(path) if path else self.whole
        told = self._known.get(scenario)
        if told is not None and not told.verdict:
            whose = {"scenario": scenario, "attempt": told.number, "step": "call"}
        self._teller.output(stream, whose, data)

    def begin(self, scenario: str) -> Optional[Told]:
        """Tell that it began; None for what nobody asked for."""
        told = self._known.get(scenario)
        if told is not None and not told.verdict:
            return told
        request = self._request
        if not self._asked(scenario):
            return None
        number = self._attempts[scenario] = self._attempts.get(scenario, 0) + 1
        told = self._known[scenario] = Told(number, self._clock.mono())
        facts = {"pid": self.pid, "worker": self._teller.role, "launch": request.launch}
        self._teller.line(
            E.ATTEMPT_STARTED, scenario=scenario, attempt=number, **facts, **self._parent(scenario)
        )
        return told

    def conclude(self, end: End, note: Optional[dict[str, Any]], fault: str) -> bool:
        """The command is over: tell what is not yet told. Whether nothing but its status says that it failed."""
        word = Word("crashed", "crash", self._died(end))
        other, meant = word, ""
        if note is not None:
            cause = "hang" if note.get("verdict") == "timedout" else None
            word, meant = (
                Word(str(note.get("verdict")), cause, str(note.get("reason", ""))),
                str(note.get("scenario")),
            )
            other = Word("cancelled", None, f"its process was ended because of {meant}")
        red = self.red
        for scenario, told in self._known.items():
            if scenario != self.whole and not told.verdict:
                mine = _family(scenario) == _family(meant) or meant in {"", self.whole}
                self._close(scenario, told, word if mine else other, end)
        if self._apart:
            return note is None and (bool(fault) or (end.code != 0 and not red))
        told = self._known[self.whole]
        if note is None:
            word = self._whole(told, end, fault, red=red)
        self._close(self.whole, told, word, end)
        return False

    def _whole(self, told: Told, end: End, fault: str, *, red: bool) -> Word:
        """What the end of the command means for it as a whole."""
        if end.signal is not None:
            return Word("crashed", "crash", f"the command {end.how}")
        if not (fault or end.code):
            return Word("failed", "assertion", "a part of it failed") if red else Word("passed")
        if fault or not red:
            kind, message = ("report", fault) if fault else ("exit status", f"the command {end.how}")
            self._failure(
                self.whole, told.number, "exception", Case((), "error", None, kind, message, said(end))
            )
        return Word("failed", "exception", "a part of it failed" if red else "")

    def _scenario(self, path: tuple[str, ...]) -> str:
        name = "::".join(path)
        return self._request.prefix + name if self._apart else subtest_id(self.whole, name)

    def _died(self, end: End) -> str:
        """Why what had begun never ended."""
        return f"the command {end.how} before it told how this ended"

    def _asked(self, scenario: str) -> bool:
        """Whether somebody wants to know of it."""
        only = self._request.only
        return not self._apart or only is None or scenario in only

    def _parent(self, scenario: str) -> dict[str, str]:
        return {} if self._apart or scenario == self.whole else {"parent": self.whole}

    def _case(self, case: Case) -> None:
        scenario = self._scenario(case.path)
        known = self._known.get(scenario)
        if known is not None and known.verdict and not self._apart:
            # The same name again is another case; a scenario by itself was tried again.
            count = self._repeats[scenario] = self._repeats.get(scenario, 1) + 1
            scenario = f"{scenario}[{count}]"
        ran = known is not None and not known.verdict  # its beginning was told: then its end says how long
        told = self.begin(scenario)
        if told is None:
            return
        told.verdict = case.verdict
        if self._apart and self._places and case.file:
            self.found(scenario, list(case.path), case.file, case.line)
        for stream, text in (("stdout", case.out), ("stderr", case.err)):
            if text:
                whose = {"scenario": scenario, "attempt": told.number, "step": "call"}
                self._teller.output(stream, whose, text.encode("utf-8", "replace"))
        cause: Optional[str] = None
        more = {"reason": case.message} if case.message and case.verdict not in RED else {}
        if case.verdict in RED and self._says_nothing(case) and self._parts_red(scenario):
            cause, more = "assertion", {"reason": "a sub-test failed"}
        elif case.verdict in RED:
            kind, message = named(case.kind, case.message, case.text)
            cause = "assertion" if case.compared is not None else cause_of(case.verdict, kind, message)
            self._failure(scenario, told.number, cause, replace(case, kind=kind, message=message))
        lasted = self._clock.mono() - told.began if case.seconds is None else int(case.seconds * 1e9)
        timed = ran or case.seconds is not None
        if not timed:
            lasted = 0  # its end alone is told: the time that reading took is not the test's
        durations = {"call": lasted} if timed else {}
        facts = {"verdict": case.verdict, "cause": cause, "d": lasted, "durations": durations}
        head = {"scenario": scenario, "attempt": told.number, **self._parent(scenario)}
        self._teller.line(E.ATTEMPT_ENDED, **head, **facts, **more)

    def _left(self, left: Left) -> None:
        """What a process that is known to have ended left without an end."""
        scenario = self._scenario(left.path)
        told = self._known.get(scenario)
        if told is not None and not told.verdict:
            cause = "crash" if left.verdict == "crashed" else None
            self._close(scenario, told, Word(left.verdict, cause, left.why), _UNKNOWN)

    def _says_nothing(self, case: Case) -> bool:
        """Whether it is red without a word of why."""
        return not case.text.strip()

    def _parts_red(self, scenario: str) -> bool:
        start = scenario + ("/" if SUBTEST_MARK in scenario else SUBTEST_MARK)
        return any(told.verdict in RED for name, told in self._known.items() if name.startswith(start))

    def _failure(self, scenario: str, number: int, cause: str, case: Case) -> None:
        name = case.path[-1] if case.path else ""
        place = {"file": case.file, "line": case.line, "function": name, "own": True, "code": ""}
        link: dict[str, Any] = {"type": case.kind or case.verdict, "message": case.message, "module": ""}
        link.update(notes=[], relation=None, frames=[place] if case.file else [])
        head = {"scenario": scenario, "attempt": number, "step": "call", "when": "call", "cause": cause}
        if case.compared is not None:
            operands = case.compared
            told = compared(operands.op, operands.expected, operands.actual, case.file, case.line)
            self._teller.line(E.ASSERTION, scenario=scenario, attempt=number, step="call", **told)
        self._teller.line(E.FAILURE, **head, chain=[link], text=case.text or case.message)

    def _line(self, line: Line) -> None:
        """A line of a journal: its scenarios are ours, by the names it gives them."""
        fields = dict(line.fields)
        name = str(fields.pop("scenario", ""))
        scenario = self._scenario((name.removeprefix(self._request.prefix),))
        if line.event == E.OUTPUT:
            data = str(fields.get("text", "")).encode("utf-8", "surrogateescape")
            stream = "stderr" if fields.get("stream") == "stderr" else "stdout"
            self.printed(stream, data, (name.removeprefix(self._request.prefix),) if name else ())
            return
        if line.event == E.SCENARIO_FOUND:
            if self._apart:
                path = fields.get("path")
                place = fields.get("line")
                names = [str(part) for part in path] if isinstance(path, list) else self.names(scenario)
                self.found(scenario, names, str(fields.get("file") or ""), place if type(place) is int else 0)
            return
        told = self.begin(scenario)
        if told is None or line.event == E.ATTEMPT_STARTED:
            return
        if line.event == E.ATTEMPT_ENDED:
            told.verdict = str(fields["verdict"])
            fields.setdefault("d", self._clock.mono() - told.began)
            fields.setdefault("durations", {})
            fields.setdefault("cause", _CAUSES.get(told.verdict))
            fields.update(self._parent(scenario))
        fields["attempt"] = told.number
        self._teller.line(line.event, scenario=scenario, **fields)

    def _close(self, scenario: str, told: Told, word: Word, end: End) -> None:
        told.verdict = word.verdict
        facts: dict[str, Any] = {"verdict": word.verdict, "cause": word.cause, "durations": {}}
        if word.reason:
            facts["reason"] = word.reason
        if word.verdict == "crashed":
            facts.update(exit=end.code, signal=end.signal)
        lasted = self._clock.mono() - told.began
        head = {"scenario": scenario, "attempt": told.number, **self._parent(scenario)}
        self._teller.line(E.ATTEMPT_ENDED, **head, d=lasted, **facts)


def _family(scenario: str) -> str:
    """A scenario without the part of it that a sub-test is."""
    return scenario.partition(SUBTEST_MARK)[0]


def said(end: End) -> str:
    """The last that a command printed."""
    return (end.err or end.out)[-8192:].decode("utf-8", "replace")
