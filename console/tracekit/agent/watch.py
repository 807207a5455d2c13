"""Notices attempts that say nothing for too long, or run for too long; three clocks are never one.

It looks at how spools grow and reads them only when one has gone quiet or a limit may have passed. It names what it
found; whoever asked decides what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Optional

from tracekit.agent.ingest import Spool
from tracekit.agent.progress import Facts

LOOK_EVERY = 0.25
# A limit is checked this many times while it passes, so that a long one costs few looks.
PARTS = 8
#: However short the timeout of a test is, what stands around all tests has this long.
AROUND = 300.0


class Alarm(NamedTuple):
    """One attempt that is over a limit; `limit` is "stall", "soft" or "timeout"."""

    limit: str
    scenario: str
    attempt: int
    since_t: int
    seconds: float
    pid: object = None
    #: Where no attempt runs: when, in words. Then no scenario has a name here.
    when: str = ""
    #: Where in the project its process was, once that was asked.
    where: str = ""


class Watch:
    """The clocks of a run's current launch."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._scanned = 0.0
        self._told: set[tuple[str, str, int]] = set()
        self._seen: Optional[tuple[str, str, int]] = None

    def look(
        self,
        now: float,
        mono: int,
        suite: dict[str, Any],
        spools: list[Spool],
        facts: Callable[[], Facts],
        *,
        builds: bool = False,
        heard: float = 0.0,
    ) -> list[Alarm]:
        """Give what is over its limit and was not told before.

        `builds`: tests are built before they are found. `heard` is when the launch itself last printed something.
        """
        if now - self._looked < LOOK_EVERY or not spools:
            return []
        self._looked = now
        stall, timeout = _limit(suite.get("stall")), _limit(suite.get("timeout"))
        soft = _limit(suite.get("soft_timeout"))
        quiet = now - max(spool.grown for spool in spools)
        due = (stall is not None and any(now - spool.grown > stall for spool in spools)) or not (
            timeout is None and soft is None
        )
        every = min(limit / PARTS for limit in (stall, timeout, soft, 240.0) if limit is not None)
        if not due or now - self._scanned < max(every, LOOK_EVERY):
            return []
        self._scanned = now
        found: list[Alarm] = []
        known = facts()
        if not known.running:
            if builds and not known.collected:
                return []  # a compiler may be silent for as long as it needs
            return self._outside(known, spools, min(quiet, now - heard), stall, timeout)
        self._seen = None
        for scenario, line in known.running.items():
            began = line.get("m")
            if not isinstance(began, int):
                continue
            ran = (mono - began) / 1e9
            if timeout is not None and ran > timeout:
                found += self._once("timeout", scenario, line, timeout)
                continue
            if soft is not None and ran > soft and not line.get("parent"):
                found += self._once("soft", scenario, line, soft)
            if stall is not None and min(ran, self._quiet(line, spools, now, quiet)) > stall:
                found += self._once("stall", scenario, line, stall)
        return found

    def _outside(
        self,
        facts: Facts,
        spools: list[Spool],
        quiet: float,
        stall: Optional[float],
        timeout: Optional[float],
    ) -> list[Alarm]:
        """Nothing runs: a collection, a fixture of a class or the end of a session hangs, or takes its time."""
        launch, ended = spools[0].launch, len(facts.ended)
        workers = any(spool.name.startswith("gw") for spool in spools)
        if not facts.collected:
            when = "while collecting"
        elif any(name not in facts.ended for name in facts.collected):
            when = "between two tests" if ended else "before the first test"
        else:
            when = "after the last test"
        # A collection and a report of coverage may rightly take longer than any one test may, and workers wait for the
        # slowest of them.
        if when in ("while collecting", "after the last test") or (workers and not ended):
            timeout = timeout and max(timeout, AROUND)
        # What is read now may be newer than how quiet it was: it counts once it was seen before.
        seen, self._seen = self._seen, (launch, when, ended)
        if seen != self._seen:
            return []
        for limit, seconds in (("timeout", timeout), ("stall", stall)):
            key = (limit, f"{launch} {when}", ended)
            if seconds is not None and quiet > seconds and key not in self._told:
                self._told.add(key)
                return [Alarm(limit, "", 0, 0, seconds, when=when)]
        return []

    def _quiet(self, line: dict[str, Any], spools: list[Spool], now: float, otherwise: float) -> float:
        """How long the process of an attempt has said nothing; one with a host speaks through a spool of its worker."""
        pid, worker = f"-{line.get('pid')}-", f"{line.get('worker')}-"
        own = [spool.grown for spool in spools if pid in spool.name or spool.name.startswith(worker)]
        return now - max(own) if own else otherwise

    def _once(self, limit: str, scenario: str, line: dict[str, Any], seconds: float) -> list[Alarm]:
        attempt, since = line.get("attempt"), line.get("t")
        number = attempt if isinstance(attempt, int) else 1
        key = (limit, scenario, number)
        if key in self._told:
            return []
        self._told.add(key)
        return [
            Alarm(limit, scenario, number, since if isinstance(since, int) else 0, seconds, line.get("pid"))
        ]


def _limit(found: Any) -> Optional[float]:
    return (
        float(found)
        if isinstance(found, (int, float)) and not isinstance(found, bool) and found > 0
        else None
    )
