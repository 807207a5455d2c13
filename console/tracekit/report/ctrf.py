"""The Common Test Report Format: one JSON object, with attempts as retries and flaky scenarios marked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tracekit import __version__
from tracekit.engine.view import RunView
from tracekit.report.rows import Row, Try, rows

_STATUS = {
    "passed": "passed",
    "xpassed": "passed",
    "skipped": "skipped",
    "xfailed": "skipped",
    "pending": "pending",
    "notrun": "pending",
}


def ctrf(view: RunView) -> Iterator[str]:
    """The pieces of the file."""
    tests = [_test(row) for row in rows(view)]
    counts = Counter(test["status"] for test in tests)
    run = view.state.run
    started = (run.started_t or 0) // 1_000_000
    report = {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "generatedBy": f"tracekit {__version__}",
        "results": {
            "tool": {"name": "tracekit", "version": __version__},
            "summary": {
                "tests": len(tests),
                **{name: counts[name] for name in ("passed", "failed", "pending", "skipped", "other")},
                "start": started,
                "stop": (run.ended_t or 0) // 1_000_000 or started,
            },
            "tests": tests,
            "environment": {"testEnvironment": run.environment or "local"},
            "extra": {"run": view.run_id, "seed": run.seed},
        },
    }
    yield json.dumps(report, ensure_ascii=True, indent=1) + "\n"


def _test(row: Row) -> dict[str, Any]:
    status = "failed" if row.red else _STATUS.get(row.verdict, "other")
    told: dict[str, Any] = {
        "name": row.name,
        "status": status,
        "rawStatus": row.verdict,
        "duration": round(sum(each.seconds for each in row.tries) * 1000),
        "suite": [part for part in (row.suite, row.group) if part],
        "retries": max(0, len(row.tries) - 1),
        "flaky": row.flaky,
    }
    if row.facts is not None:
        told["filePath"] = row.file
        told["tags"] = list(row.facts.tags)
        if row.facts.line:
            told["line"] = row.facts.line
        told["extra"] = {"id": row.facts.id}
        if row.quarantined is not None:
            told["extra"]["quarantined"] = row.quarantined.to_json()
        if row.last.leaks:
            told["extra"]["leaks"] = [
                {"kind": kind, "what": what, "detail": detail} for kind, what, detail in row.last.leaks
            ]
    last = row.last
    if row.red or status == "skipped":
        told["message"], told["trace"] = last.message, last.text
    if row.red and last.output:
        told["stdout"] = last.output.splitlines()
    if len(row.tries) > 1:
        told["retryAttempts"] = [_attempt(each) for each in row.tries[:-1]]
    return told


def _attempt(each: Try) -> dict[str, Any]:
    return {
        "attempt": each.number,
        "status": "failed" if each.red else _STATUS.get(each.verdict, "other"),
        "duration": round(each.seconds * 1000),
        "message": each.message,
        "trace": each.text,
    }
