"""The kinds of trace records: numbers, names, lanes, and what `id` and `arg` of each mean.

Made by `tools/generate` from the native side's table; change that. This module never computes anything.
"""

from __future__ import annotations

LEVELS: tuple[str, ...] = (
    "none",
    "trace",
    "debug",
    "info",
    "warning",
    "error",
    "critical",
)

# number, lane, meaning of id, meaning of arg
KINDS: dict[str, tuple[int, str, str, str]] = {
    "enter": (1, "calls", "string", "number"),
    "exit": (2, "calls", "string", "none"),
    "unwind": (3, "calls", "string", "string"),
    "event": (4, "calls", "number", "number"),
    "point": (5, "calls", "string", "number"),
    "scenario.start": (16, "durable", "string", "number"),
    "scenario.end": (17, "durable", "string", "string"),
    "step.start": (18, "durable", "string", "string"),
    "step.end": (19, "durable", "string", "string"),
    "log": (20, "durable", "string", "string"),
    "exception": (21, "durable", "string", "string"),
    "process": (22, "durable", "string", "number"),
    "output": (23, "durable", "string", "number"),
    "audit": (24, "durable", "string", "string"),
    "task": (25, "durable", "string", "number"),
    "attribute": (26, "durable", "string", "string"),
    "gap": (48, "drain", "string", "number"),
    "lane.end": (49, "drain", "string", "none"),
}
