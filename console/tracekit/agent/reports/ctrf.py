"""CTRF, the common test report format: one JSON document, told when it is whole."""

from __future__ import annotations

import json
from typing import Any

from tracekit.agent.reports.cases import MESSAGE_LIMIT, Case, ReportError, cut, seconds

_VERDICTS = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "pending": "skipped",
    "other": "error",
}
_MOST = 256 << 20


class CtrfReader:
    """One document."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Any]:
        """Keep these bytes. Raises ReportError when they are more than a report can be."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > _MOST:
            raise ReportError(f"it is larger than {_MOST >> 20} MiB")
        return []

    def close(self) -> list[Any]:
        """All cases. Raises ReportError where the document is not whole."""
        try:
            found = json.loads(b"".join(self._parts))
        except (ValueError, RecursionError) as fault:
            raise ReportError(f"not JSON: {fault}") from fault
        results = found.get("results") if isinstance(found, dict) else None
        tests = results.get("tests") if isinstance(results, dict) else None
        if not isinstance(tests, list):
            raise ReportError("it has no results.tests")
        return [_case(test) for test in tests if isinstance(test, dict)]


def _case(test: dict[str, Any]) -> Case:
    suite = test.get("suite")
    above = [str(part) for part in suite] if isinstance(suite, list) else [str(suite)] if suite else []
    name, took, line = str(test.get("name") or "(no name)"), test.get("duration"), test.get("line")
    milliseconds = seconds(took)
    message, trace = str(test.get("message") or ""), str(test.get("trace") or "")
    return Case(
        path=(*above, name),
        verdict=_VERDICTS.get(str(test.get("status")), "error"),
        seconds=None if took is None or milliseconds is None else milliseconds / 1000,
        message=cut(message, MESSAGE_LIMIT),
        text=cut(trace or message),
        file=str(test.get("filePath") or ""),
        line=line if type(line) is int and line > 0 else 0,
        out=_output(test.get("stdout")),
        err=_output(test.get("stderr")),
    )


def _output(found: object) -> str:
    return cut("".join(f"{line}\n" for line in found)) if isinstance(found, list) else ""
