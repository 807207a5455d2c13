"""What one run says of each scenario in a single row: the stuff that histories and comparisons are made of.

A row is taken from the records as they stand, without building what a reader of one attempt would need: a run of
60,000 scenarios gives its rows in a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from tracekit.model.status import WORDS, Status
from tracekit.wire.names import GREEN, RED

if TYPE_CHECKING:
    from tracekit.model.records import Record
    from tracekit.model.state import RunState

#: Passed in the end, after an attempt that did not.
FLAKY = "flaky"
STALLED = "stalled"
LEAKS = "leaks"
SUBTEST = "subtest"
QUARANTINED = "quarantined"
_SUBTEST_ALONE = (SUBTEST,)


class Result(NamedTuple):
    """How one scenario ended in one run."""

    scenario: str
    verdict: str
    duration_ns: int = 0
    attempts: int = 1
    started_t: int = 0
    cpu_ns: int = 0
    peak_kib: int = 0
    flags: tuple[str, ...] = ()

    @property
    def red(self) -> bool:
        """Whether it counts as a failure of the run."""
        return self.verdict in RED

    @property
    def green(self) -> bool:
        """Whether it is as it should be."""
        return self.verdict in GREEN


def results(state: RunState) -> Iterator[Result]:
    """A row for every scenario that the run came to, sub-tests included."""
    quarantine = state.quarantine
    for i, status in enumerate(state.status):
        if status == Status.PENDING:
            continue
        name, numbers = state.ids[i], state.attempt_numbers(i)
        entry = quarantine.of(name) if quarantine else None
        held = entry is not None and not entry.expired
        parent = state.facts[i].parent
        records = [state.known_record(i, number) for number in numbers]
        if len(records) == 1 and not (held or records[0].stalls or records[0].evidence):
            # As most are: thousands of them at the end of a run.
            started = records[0].started[0] if records[0].started else 0
            flags = _SUBTEST_ALONE if parent >= 0 else ()
            yield Result(name, WORDS[status], state.duration[i], 1, started, 0, 0, flags)
            continue
        cpu, peak, leaks = _used(records)
        told = (
            (FLAKY, state.flaky(i)),
            (STALLED, any(record.stalls for record in records)),
            (LEAKS, leaks),
            (SUBTEST, parent >= 0),
            (QUARANTINED, held),
        )
        yield Result(
            name,
            WORDS[status],
            state.duration[i],
            len(records),
            min((record.started[0] for record in records if record.started), default=0),
            cpu,
            peak,
            tuple(flag for flag, holds in told if holds),
        )


def _used(records: Iterable[Record]) -> tuple[int, int, bool]:
    """Processor time of all attempts, the highest peak of memory, and whether anything was left behind."""
    cpu, peak, leaks = 0.0, 0, False
    for record in records:
        for _, line in record.evidence or ():
            if "rusage" in line or "leaks" in line:
                from tracekit.model.evidence import usage_of

                used = usage_of(line)
                leaks = leaks or bool(line.get("leaks"))
                if used is not None:
                    cpu += used.user + used.system
                    peak = max(peak, used.peak_kib)
    return round(cpu * 1e9), peak, leaks
