"""The things a reader gets from a folded run: attempts, steps, failures, output spans, notices.

Plain data without behaviour beyond small derived words. Whoever holds one treats it as read-only; the fold
makes new ones instead of changing those it gave away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tracekit.model.quarantine import Quarantined


@dataclass(slots=True)
class Step:
    """A fixture, phase, declared step or fault inside an attempt; `verdict` is None while it runs."""

    id: str
    kind: str
    name: str
    verdict: str | None = None
    start_m: int = 0
    duration_ns: int = 0
    parent: str | None = None


@dataclass(slots=True)
class OutputSpan:
    """A piece of a box's `output.bin`; `exact` is false where the test it belongs to was inferred."""

    stream: str
    offset: int
    length: int
    exact: bool = True
    step: str | None = None
    t: int = 0
    box: str = ""


@dataclass(slots=True)
class Assertion:
    """A comparison with its two operands: `actual op expected`."""

    op: str
    expected: Any
    actual: Any
    kind: str = "text"
    diff: str = ""
    file: str = ""
    line: int = 0
    passed: bool = False


@dataclass(slots=True)
class Frame:
    """One frame of a traceback; `own` marks the user's code."""

    file: str
    line: int
    function: str
    own: bool = False
    code: str = ""
    locals: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class ExceptionFacts:
    """One exception of a chain; `relation` says how it stands to the one before it."""

    type: str
    message: str
    module: str = ""
    notes: list[str] = field(default_factory=list)
    relation: str | None = None
    frames: list[Frame] = field(default_factory=list)
    group: list[ExceptionFacts] = field(default_factory=list)


@dataclass(slots=True)
class Handled:
    """An exception that was caught before the failure; `name` is what still holds it, `count` how often it came."""

    type: str
    message: str
    module: str = ""
    name: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    own: bool = False
    code: str = ""
    count: int = 1


@dataclass(slots=True)
class Failure:
    """What went wrong in one phase; `chain[0]` was raised, its causes and contexts follow."""

    when: str
    cause: str | None
    step: str | None
    chain: list[ExceptionFacts]
    text: str = ""
    handled: list[Handled] = field(default_factory=list)


@dataclass(slots=True)
class Leak:
    """Something an attempt left behind: a process, a listening port, an open file, a thread."""

    kind: str
    what: str
    detail: str = ""


@dataclass(slots=True)
class Usage:
    """What the test's process used during an attempt; the peak is the process's own up to then."""

    user: float
    system: float
    peak_kib: int = 0


@dataclass(slots=True)
class Attempt:
    """One try of a scenario; `verdict` is None until the journal tells an end."""

    number: int
    verdict: str | None = None
    cause: str | None = None
    started_t: int = 0
    started_m: int = 0
    duration_ns: int = 0
    durations: dict[str, int] = field(default_factory=dict)
    pid: int | None = None
    worker: str | None = None
    reason: str | None = None
    exit: int | None = None
    signal: int | str | None = None
    steps: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    assertions: list[Assertion] = field(default_factory=list)
    outputs: list[OutputSpan] = field(default_factory=list)
    launch: str | None = None
    stalls: int = 0
    leaks: list[Leak] = field(default_factory=list)
    rusage: Usage | None = None


@dataclass(slots=True)
class ScenarioFacts:
    """What discovery knows of a scenario; `parent` is the index of the row a sub-test belongs to, or -1."""

    id: str
    suite: str = ""
    runner: str = ""
    path: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
    tags: tuple[str, ...] = ()
    doc: str = ""
    parent: int = -1
    components: tuple[str, ...] = ()
    story: str = ""

    @property
    def name(self) -> str:
        """The last name of the path, raw."""
        return self.path[-1] if self.path else self.id


@dataclass(slots=True)
class Notice:
    """Something a person must know that is no scenario's verdict: launch failures, collection errors,
    gaps, warnings.
    """

    kind: str  # launch, discovery, gap, warning, stalled, link
    suite: str
    message: str
    detail: str = ""
    action: str = ""
    t: int = 0
    scenario: str = ""
    code: str = ""
    file: str = ""
    line: int = 0
    count: int = 1
    command: tuple[str, ...] = ()
    failure: Failure | None = None
    attempt: int = 0


@dataclass(slots=True)
class CauseGroup:
    """Failures with one cause; `notices` are indices into `RunState.notices` for causes that no scenario
    carries.
    """

    key: str
    cause: str
    title: str
    indices: list[int]
    notices: list[int] = field(default_factory=list)


@dataclass(slots=True)
class SuiteFacts:
    """A suite as planned and as found."""

    name: str
    runner: str = ""
    root: str = ""
    cwd: str = ""
    python: str = ""
    python_version: str = ""
    framework: str = ""
    count: int | None = None
    #: From how many nanoseconds on one of its scenarios is slow; 0 is never.
    slow_ns: int = 0


@dataclass(slots=True)
class BoxFacts:
    """The machine that a run, or its share of one, happened on; sizes in bytes."""

    machine: str = ""
    system: str = ""
    arch: str = ""
    libc: str = ""
    python: str = ""
    cpus: int = 0
    memory: int = 0
    disk_free: int = 0
    #: What was not to be had there, and why.
    unavailable: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unrun:
    """What was not run for one reason: how many, and which as far as they are named."""

    why: str
    count: int
    ids: tuple[str, ...]


@dataclass(slots=True)
class ServiceFacts:
    """How a service was before the suites of a run; `why` says it of one that was not well, or is not well yet."""

    box: str
    name: str
    after: float
    why: str = ""
    #: Nobody has said yet what became of it.
    awaited: bool = False


@dataclass(slots=True)
class RunFacts:
    """The run itself, as told by its first and last lines."""

    run_id: str = ""
    parent: str | None = None
    root: str = ""
    profile: str | None = None
    environment: str = ""
    seed: int | None = None
    trace: str = ""
    mode: str = "run"
    started_t: int = 0
    ended: bool = False
    reason: str = ""
    ended_t: int = 0
    suites: list[SuiteFacts] = field(default_factory=list)
    versions: dict[str, Any] = field(default_factory=dict)
    git: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    plan_hash: str = ""
    verdicts: dict[str, int] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)
    not_run_count: int = 0
    why: str = ""
    #: What was not run by its reasons.
    unrun: list[Unrun] = field(default_factory=list)
    quarantine: tuple[Quarantined, ...] = ()
    boxes: dict[str, BoxFacts] = field(default_factory=dict)
    services: list[ServiceFacts] = field(default_factory=list)

    def why_of(self, scenario: str) -> str:
        """Why this one was not run, as far as the run says."""
        return next((left.why for left in self.unrun if scenario in left.ids), self.why)
