"""Every name that travels: events, verdicts, causes, steps, streams.

One word, one meaning: a name is added here before it is used anywhere, and the native side reads a file generated from
this one. This module never computes anything.
"""

from __future__ import annotations

SCHEMA = "tracekit.events/1"
PLAN_SCHEMA = "tracekit.plan/1"
RUN_SCHEMA = "tracekit.run/1"
SCENARIO_SCHEMA = "tracekit.scenario/1"
LINE_VERSION = 1
PROTOCOL_MAJOR = 1
PROTOCOL_MINOR = 0


class E:
    """Names of journal events, past tense where something happened."""

    RUN_STARTED = "run.started"
    RUN_ENDED = "run.ended"
    BOX_FACTS = "box.facts"
    BOX_CONNECTED = "box.connected"
    BOX_LOST = "box.lost"
    BOX_RESUMED = "box.resumed"
    CLOCK = "clock"
    # Before a run's suites: a service that its tests need.
    SERVICE_READY = "service.ready"
    SERVICE_UNHEALTHY = "service.unhealthy"
    SUITE_FOUND = "suite.found"
    SCENARIO_FOUND = "scenario.found"
    # Neighbours with one parent, as columns: a big project is a line for each class or file, not for each test.
    SCENARIOS_FOUND = "scenarios.found"
    DISCOVER_FAILED = "discover.failed"
    RUNNER_FAILED_TO_START = "runner.failed_to_start"
    SESSION_ENDED = "session.ended"
    SUITE_FAILED = "suite.failed"
    PHASE_STARTED = "phase.started"
    PHASE_ENDED = "phase.ended"
    # Nothing runs, and its processes say nothing: stuck in a collection, between two tests or behind the last one.
    LAUNCH_STALLED = "launch.stalled"
    REQUEST = "request"
    ATTEMPT_STARTED = "attempt.started"
    ATTEMPT_STALLED = "attempt.stalled"
    ATTEMPT_ENDED = "attempt.ended"
    STEP_STARTED = "step.started"
    STEP_ENDED = "step.ended"
    ASSERTION = "assertion"
    FAILURE = "failure"
    OUTPUT = "output"
    LOG = "log"
    METRIC = "metric"
    ATTACHMENT = "attachment"
    WARNING = "warning"
    TRACE_LOST = "trace.lost"
    TRACE_ENDED = "trace.ended"
    INGESTED = "ingested"
    GAP = "gap"
    # Spool only, between supervisor and daemon: a process of ours came or went.
    SPAWNED = "process.spawned"
    EXITED = "process.exited"


EVENTS: frozenset[str] = frozenset(
    value for name, value in vars(E).items() if name.isupper() and isinstance(value, str)
)

VERDICTS: tuple[str, ...] = (
    "passed",
    "failed",
    "error",
    "skipped",
    "xfailed",
    "xpassed",
    "timedout",
    "crashed",
    "cancelled",
    "notrun",
)
LOST = "lost"  # a state that only the console derives, never written to a journal
RED: frozenset[str] = frozenset({"failed", "error", "timedout", "crashed"})
GREEN: frozenset[str] = frozenset({"passed", "xfailed", "xpassed"})

CAUSES: tuple[str, ...] = (
    "launch",
    "setup",
    "assertion",
    "exception",
    "teardown",
    "hang",
    "crash",
    "order-victim",
    "environment",
    "unavailable",
)

STEP_KINDS: tuple[str, ...] = (
    "setup",
    "call",
    "teardown",
    "fixture",
    "subtest",
    "step",
    "fault",
    "cleanup",
)

STREAMS: tuple[str, ...] = ("stdout", "stderr", "log")
MODES: tuple[str, ...] = ("run", "discover")
TRACE_MODES: tuple[str, ...] = ("off", "default", "calls")
END_REASONS: tuple[str, ...] = (
    "finished",
    "cancelled",
    "lease",
    "supervisor-died",
    "agent-died",
    "rebooted",
    "failed-to-start",
    "cut-short",
)
#: Why an imported run ended that is a part of what was run: its report was not whole.
CUT_SHORT = "cut-short"

# Names of the replicated files of a run, in the order in which the link prefers them.
JOURNAL_FILE = "journal.ndjson"
OUTPUT_FILE = "output.bin"
RUN_FILE = "run.json"
SPOOL_DIR = "spool"
RINGS_DIR = "rings"
#: The variables that say whose the records are of a process, or of its threads by their names, with a linked tracer.
OWN_SCENARIO, THREAD_SCENARIOS = "TRACEKIT_SCENARIO", "TRACEKIT_SCENARIOS"
TRACE_DIR = "trace"
STRINGS_FILE = "strings.tkd"
BLOB_DIR = "blobs"
# What journal and output of an ended run are called, beside their names, once its console has packed them.
PACKED = ".zst"
