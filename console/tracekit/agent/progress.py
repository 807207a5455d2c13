"""What a launch's own spools say of it: collected, running, ended.

It is read from the raw spools, so that neither redaction nor a full disk changes what the driver knows: a piece at a
time while a long launch goes on, so that nobody waits for it at the end, and never per event. It decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.system import read_range
from tracekit.wire.lines import LineError, decode, whole_lines

_CHUNK = 4 << 20
# One expression over a whole file; what the usual order of fields does not give is looked up in the line.
_WANTED = re.compile(
    rb'"e":"(scenarios?\.found|attempt\.started|attempt\.ended|session\.ended|discover\.failed)"'
    rb'(?:,"scenario":"([^"\\\n]*)"(?:,"attempt":(\d+)(?:,"verdict":"([a-z]+)")?)?)?'
)
_VERDICT = re.compile(rb'"verdict":"([a-z]+)"')
_ATTEMPT = re.compile(rb'"attempt":(\d+)')
_ASIDE = b'"isolate":"'


@dataclass
class Facts:
    """A launch as its processes told it."""

    collected: list[str] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    # What was collected and left for a process of its own, with the pattern that it fits.
    aside: dict[str, str] = field(default_factory=dict)
    started: dict[tuple[str, int], bytes] = field(default_factory=dict)
    closed: set[tuple[str, int]] = field(default_factory=set)
    session_ended: Optional[dict[str, Any]] = None
    any_line: bool = False
    errors: int = 0

    @property
    def attempts(self) -> dict[str, int]:
        """How many attempts each scenario has had, by its highest number."""
        found: dict[str, int] = {}
        for scenario, number in (*self.started, *self.closed):
            if number > found.get(scenario, 0):
                found[scenario] = number
        return found

    @property
    def crashed(self) -> dict[str, int]:
        """What one process told of another's death: the number of each scenario's last attempt."""
        found = [scenario for scenario, verdict in self.ended.items() if verdict == "crashed"]
        attempts = self.attempts if found else {}
        return {scenario: attempts.get(scenario, 1) for scenario in found}

    def began(self, scenario: str) -> int:
        """When the last attempt of a scenario began, by the box's monotonic clock; 0 when nobody said."""
        line = _decoded(self.started.get((scenario, self.attempts.get(scenario, 1)), b""))
        found = line.get("m") if line else None
        return found if isinstance(found, int) else 0

    def last_of(self, pid: int) -> str:
        """What a process began last, or ""; every line is looked at, which only a silent launch is worth."""
        lines = [line for line in map(_decoded, self.started.values()) if line and line.get("pid") == pid]
        last = max(lines, key=lambda line: line["m"] if isinstance(line.get("m"), int) else 0, default={})
        return str(last.get("scenario", ""))

    @property
    def running(self) -> dict[str, dict[str, Any]]:
        """What started and did not end, with its line."""
        # One process may tell the end of what another one began, so neither file's order decides.
        lines = ((key[0], _decoded(line)) for key, line in self.started.items() if key not in self.closed)
        return {scenario: line for scenario, line in lines if line is not None}


class Scan:
    """A launch's facts as far as its spools were read: the next look reads what has come since."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._at: dict[str, int] = {}

    @property
    def read(self) -> int:
        """How many bytes were taken in."""
        return sum(self._at.values())

    def look(self, paths: Iterable[str]) -> Facts:
        """Read on to the last whole line of each."""
        for path in paths:
            size = _CHUNK
            while True:
                position = self._at.get(path, 0)
                data = read_range(path, position, size)
                whole = whole_lines(data)
                if not whole:
                    if len(data) < size:
                        break
                    size *= 2
                    continue
                self.facts.any_line = True
                _take(self.facts, data[:whole])
                self._at[path] = position + whole
        return self.facts


def scan(paths: Iterable[str]) -> Facts:
    """Read the spools of a launch from their beginnings."""
    return Scan().look(paths)


def _take(facts: Facts, data: bytes) -> None:
    isolates = _ASIDE in data
    for found in _WANTED.finditer(data):
        kind, raw, attempt, verdict = found.groups()
        if kind == b"scenario.found":
            scenario = _scenario(raw, data, found)
            if scenario is None:
                continue
            pattern = _pattern(_line(data, found)) if isolates else None
            if pattern is None:
                facts.collected.append(scenario)
            else:
                facts.aside[scenario] = pattern
        elif kind == b"scenarios.found":
            facts.collected += _group(_decoded(_line(data, found)))
        elif kind == b"session.ended":
            facts.session_ended = _decoded(_line(data, found)) or facts.session_ended
        elif kind == b"discover.failed":
            facts.errors += 1
        else:
            _attempt(facts, data, found, attempt, verdict)


def _group(line: Optional[dict[str, Any]]) -> list[str]:
    stem, names = (line.get("id"), line.get("names")) if line else (None, None)
    if not isinstance(stem, str) or not isinstance(names, list):
        return []
    return [stem + name for name in names if isinstance(name, str)]


def _attempt(
    facts: Facts, data: bytes, found: re.Match[bytes], attempt: Optional[bytes], verdict: Optional[bytes]
) -> None:
    scenario = _scenario(found.group(2), data, found)
    if scenario is None:
        return
    line = _line(data, found)
    if attempt is None:
        told = _ATTEMPT.search(line)
        attempt = told.group(1) if told else b"1"
    number = int(attempt)
    key = (scenario, number)
    if found.group(1) == b"attempt.started":
        facts.started[key] = line
        return
    if verdict is None:
        word = _VERDICT.search(line)
        verdict = word.group(1) if word else b""
    # Several files are read in turn, so that neither their order nor when they were looked at may decide: the last
    # attempt counts, and of one attempt what its own process said, before what another said of its death.
    if (scenario, number + 1) not in facts.closed and not (verdict == b"crashed" and key in facts.closed):
        facts.ended[scenario] = verdict.decode()
    facts.closed.add(key)
    if b'"parent":"' in line:
        facts.children.add(scenario)


def _pattern(line: bytes) -> Optional[str]:
    told = _decoded(line) if _ASIDE in line else None
    found = told.get("isolate") if told else None
    return found if isinstance(found, str) else None


def _line(data: bytes, found: re.Match[bytes]) -> bytes:
    return data[data.rfind(b"\n", 0, found.start()) + 1 : data.find(b"\n", found.end()) + 1]


def _scenario(raw: Optional[bytes], data: bytes, found: re.Match[bytes]) -> Optional[str]:
    if raw is not None:
        return raw.decode("utf-8", "replace")
    obj = _decoded(_line(data, found))
    scenario = obj.get("scenario") if obj else None
    return scenario if isinstance(scenario, str) else None


def _decoded(line: bytes) -> Optional[dict[str, Any]]:
    try:
        return decode(line)
    except LineError:
        return None
