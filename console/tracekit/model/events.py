"""Every journal event as a type, for those who write lines and for those who read them by name.

Types only: the fold reads fields defensively, since any program may have written them, and fields that are
not named here are kept in the journal and passed over. Nothing is checked or converted at run time.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from tracekit.wire.names import E

Verdict = Literal[
    "passed", "failed", "error", "skipped", "xfailed", "xpassed", "timedout", "crashed", "cancelled", "notrun"
]
Stream = Literal["stdout", "stderr", "log"]


class Event(TypedDict):
    """What every line carries: version, number within its source, source, wall clock, monotonic clock,
    run, name.
    """

    v: int
    n: int
    src: str
    t: int
    m: int
    run: str
    e: str


class PlannedSuite(TypedDict, total=False):
    name: str
    runner: str
    cwd: str
    python: str | None
    pytest: str | None


class QuarantineEntry(TypedDict):
    scenario: str
    owner: str
    reason: str
    since: str
    expires: str
    expired: bool


class RunStarted(Event):
    environment: str
    profile: str | None
    parent: str | None
    plan_hash: str
    seed: int | None
    trace: str
    root: str
    mode: Literal["run", "discover"]
    suites: list[PlannedSuite]
    git: NotRequired[dict[str, Any]]
    versions: NotRequired[dict[str, str]]
    quarantine: NotRequired[list[QuarantineEntry]]


class UnrunRow(TypedDict):
    """Those that were not run for one reason, where there are several reasons."""

    why: str
    count: int
    not_run: list[str]


class RunEnded(Event):
    reason: str
    verdicts: dict[str, int]
    not_run: list[str]
    not_run_count: int
    why: str
    unrun: NotRequired[list[UnrunRow]]


class BoxFacts(Event):
    boot: NotRequired[str]
    arch: NotRequired[str]
    libc: NotRequired[str]
    python: NotRequired[str]
    unavailable: NotRequired[dict[str, str]]


class ClockRead(Event):
    """A box's clocks as one console read them: both of the box at a moment of its own, and how exactly."""

    box_t: int
    box_m: int
    bound: int


class BoxLink(Event):
    """`box.connected`, `box.lost`, `box.resumed`: one console's own facts."""

    message: NotRequired[str]
    offset: NotRequired[int]


class ServiceAsked(Event):
    """`service.ready`, `service.unhealthy`: how a service was before the suites of a run."""

    service: str
    after: float
    why: NotRequired[str]


class SuiteFound(Event):
    suite: str
    runner: str
    root: str
    python: NotRequired[str]
    python_version: NotRequired[str]
    framework: NotRequired[str]
    count: NotRequired[int]


class ScenarioFound(Event):
    scenario: str
    suite: str
    runner: str
    path: list[str]
    file: str
    line: int
    tags: list[str]
    doc: NotRequired[str | None]
    components: NotRequired[list[str]]
    story: NotRequired[str]
    parent: NotRequired[str]


class ScenariosFound(Event):
    """Neighbours with one parent: `names` below `path`, ids by putting `id` before each name."""

    id: str
    suite: str
    runner: str
    path: list[str]
    file: str
    tags: list[str]
    names: list[str]
    lines: list[int]
    marks: NotRequired[dict[str, list[int]]]
    docs: NotRequired[dict[str, str]]


class FrameFields(TypedDict, total=False):
    file: str
    line: int
    function: str
    own: bool
    code: str
    locals: dict[str, str]


class ExceptionFields(TypedDict, total=False):
    type: str
    message: str
    module: str
    notes: list[str]
    relation: Literal["cause", "context"] | None
    frames: list[FrameFields]
    group: list[ExceptionFields | list[ExceptionFields]]


class FailureFields(TypedDict, total=False):
    chain: list[ExceptionFields]
    text: str


class DiscoverFailed(Event):
    suite: str
    file: str
    message: str
    scenario: NotRequired[str]
    line: NotRequired[int]
    code: NotRequired[str]
    failure: NotRequired[FailureFields]
    detail: NotRequired[str]
    remedy: NotRequired[str]


class RunnerFailedToStart(Event):
    suite: str
    command: list[str]
    exit: int | None
    signal: int | None
    stderr: str
    remedy: str
    code: NotRequired[str]


class SuiteFailed(Event):
    suite: str
    exit: int | None
    message: str
    detail: str
    remedy: str
    code: NotRequired[str]


class PhaseStarted(Event):
    phase: str
    id: str
    suite: NotRequired[str]
    command: NotRequired[list[str]]
    reason: NotRequired[str]
    lock: NotRequired[str]
    holder: NotRequired[str]
    why: NotRequired[str]
    message: NotRequired[str]


class PhaseEnded(Event):
    id: str
    exit: NotRequired[int | None]
    signal: NotRequired[int | None]


class OfAttempt(Event):
    """What every line of an attempt names."""

    scenario: str
    attempt: int


class AttemptStarted(OfAttempt):
    pid: NotRequired[int]
    worker: NotRequired[str]
    launch: NotRequired[str]
    parent: NotRequired[str]


class SubtestCounts(TypedDict):
    passed: int
    failed: int
    skipped: int


class LeakFields(TypedDict):
    kind: Literal["process", "port", "file", "thread"]
    what: str
    detail: NotRequired[str]


class UsageFields(TypedDict):
    user: float
    system: float
    peak_kib: NotRequired[int]


class AttemptEnded(OfAttempt):
    verdict: Verdict
    cause: NotRequired[str | None]
    d: NotRequired[int]
    durations: NotRequired[dict[str, int]]
    reason: NotRequired[str | None]
    exit: NotRequired[int | None]
    signal: NotRequired[int | str | None]
    subtests: NotRequired[SubtestCounts]
    parent: NotRequired[str]
    leaks: NotRequired[list[LeakFields]]
    rusage: NotRequired[UsageFields]


class AttemptStalled(OfAttempt):
    since: NotRequired[int]
    stacks: NotRequired[str | list[str]]


class LaunchStalled(Event):
    suite: str
    launch: str
    when: NotRequired[str]
    limit: NotRequired[str]
    after: NotRequired[float]
    stacks: NotRequired[str | list[str]]
    pid: NotRequired[int]
    worker: NotRequired[str]
    last: NotRequired[str]


class StepStarted(OfAttempt):
    step: str
    kind: str
    name: str
    parent: NotRequired[str | None]


class StepEnded(OfAttempt):
    step: str
    verdict: Verdict
    kind: NotRequired[str]
    name: NotRequired[str]
    parent: NotRequired[str | None]
    d: NotRequired[int]
    m0: NotRequired[int]


class AssertionMade(OfAttempt):
    op: str
    expected: Any
    actual: Any
    kind: Literal["text", "json", "bytes"]
    passed: bool
    step: NotRequired[str]
    diff: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]


class FailureSeen(OfAttempt):
    when: str
    cause: str
    chain: list[ExceptionFields]
    step: NotRequired[str]
    text: NotRequired[str]


class Output(Event):
    stream: Stream
    offset: int
    length: int
    attribution: NotRequired[Literal["exact", "inferred"]]
    scenario: NotRequired[str]
    attempt: NotRequired[int]
    step: NotRequired[str]
    launch: NotRequired[str]


class Warned(Event):
    message: str
    category: NotRequired[str]
    file: NotRequired[str]
    line: NotRequired[int]
    scenario: NotRequired[str]


class Gap(Event):
    what: str
    count: int
    why: str


class Ingested(Event):
    at: dict[str, int]
    out: int


class SessionEnded(Event):
    exitstatus: int
    reason: NotRequired[str]


class Requested(Event):
    """What a console asked for."""

    what: NotRequired[str]
    id: NotRequired[str]


class TraceLost(Event):
    """How many records the trace of this run has lost so far."""

    lost: int


class TraceEnded(Event):
    lanes: int
    records: int
    lost: int
    why: NotRequired[dict[str, int]]
    complete: bool
    missing: NotRequired[list[dict[str, Any]]]
    missing_count: NotRequired[int]
    faults: NotRequired[list[str]]


class Logged(Event):
    message: NotRequired[str]
    level: NotRequired[str]


class Metric(Event):
    name: str
    unit: NotRequired[str]
    value: float


class Attachment(Event):
    name: str
    hash: str
    mime: NotRequired[str]


# Which type a name stands for; a name that is not here is one of a newer version.
TYPES: dict[str, type] = {
    E.RUN_STARTED: RunStarted,
    E.RUN_ENDED: RunEnded,
    E.BOX_FACTS: BoxFacts,
    E.BOX_CONNECTED: BoxLink,
    E.BOX_LOST: BoxLink,
    E.BOX_RESUMED: BoxLink,
    E.CLOCK: ClockRead,
    E.SERVICE_READY: ServiceAsked,
    E.SERVICE_UNHEALTHY: ServiceAsked,
    E.SUITE_FOUND: SuiteFound,
    E.SCENARIO_FOUND: ScenarioFound,
    E.SCENARIOS_FOUND: ScenariosFound,
    E.DISCOVER_FAILED: DiscoverFailed,
    E.RUNNER_FAILED_TO_START: RunnerFailedToStart,
    E.SUITE_FAILED: SuiteFailed,
    E.SESSION_ENDED: SessionEnded,
    E.PHASE_STARTED: PhaseStarted,
    E.PHASE_ENDED: PhaseEnded,
    E.LAUNCH_STALLED: LaunchStalled,
    E.REQUEST: Requested,
    E.ATTEMPT_STARTED: AttemptStarted,
    E.ATTEMPT_STALLED: AttemptStalled,
    E.ATTEMPT_ENDED: AttemptEnded,
    E.STEP_STARTED: StepStarted,
    E.STEP_ENDED: StepEnded,
    E.ASSERTION: AssertionMade,
    E.FAILURE: FailureSeen,
    E.OUTPUT: Output,
    E.LOG: Logged,
    E.METRIC: Metric,
    E.ATTACHMENT: Attachment,
    E.WARNING: Warned,
    E.TRACE_LOST: TraceLost,
    E.TRACE_ENDED: TraceEnded,
    E.INGESTED: Ingested,
    E.GAP: Gap,
}
