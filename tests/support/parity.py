"""What plain pytest gives, to compare a run with the probe to: its exit, its output, its verdicts."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Plain:
    code: int
    stdout: bytes
    stderr: bytes


def plain_run(command: list[str], project: Path, place: Path, environ: Mapping[str, str]) -> Plain:
    """Run pytest without the probe, its streams being files as they are under the supervisor."""
    out, err = place / "plain.out", place / "plain.err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        done = subprocess.run(
            command,
            cwd=project,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            timeout=120,
            check=False,
        )
    return Plain(done.returncode, out.read_bytes(), err.read_bytes())


def verdicts_of(log: Path) -> dict[str, str]:
    """What a report log says about each test, by the rules of pytest's own summary."""
    reports = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return _verdicts(reports)


def _verdicts(reports: list[dict[str, Any]]) -> dict[str, str]:
    """What the reports of a plain run say about each test, by the rules of pytest's own summary."""
    phases: dict[str, list[dict[str, Any]]] = {}
    broken: set[str] = set()
    for report in reports:
        if report.get("$report_type") in ("SubTestReport", "SubtestReport"):
            if report["outcome"] == "failed":
                broken.add(report["nodeid"])
        elif report.get("$report_type") == "TestReport":
            if report["outcome"] == "rerun":
                phases.pop(report["nodeid"], None)
            else:
                phases.setdefault(report["nodeid"], []).append(report)
    found = {}
    for nodeid, told in phases.items():
        if told[-1]["when"] != "teardown":
            continue
        verdict = _of_phases(told)
        found[f"pytest:{nodeid}"] = "failed" if nodeid in broken and verdict == "passed" else verdict
    return found


def _of_phases(reports: list[dict[str, Any]]) -> str:
    by_phase = {report["when"]: report for report in reports}
    setup, call, teardown = (by_phase.get(when) for when in ("setup", "call", "teardown"))
    if setup and setup["outcome"] == "failed":
        return "error"
    if call and call["outcome"] == "failed":
        return "failed"
    if teardown and teardown["outcome"] == "failed":
        return "error"
    for report in (setup, call):
        if report and report["outcome"] == "skipped":
            return "xfailed" if "wasxfail" in report else "skipped"
        if report and "wasxfail" in report:
            return "xpassed"
    return "passed"


def settled(output: bytes) -> str:
    """Leave out what differs between any two runs: times, addresses, temporary directories, process ids."""
    text = output.decode("utf-8", "replace")
    text = re.sub(r"0x[0-9a-f]+", "0x0", text)
    text = re.sub(r"\d+\.\d+s( \([\d:]+\))?", "0s", text)
    text = re.sub(r"=+ (.*) =+", r"= \1 =", text)
    text = re.sub(r"pytest-of-\w+/pytest-\d+", "pytest-of/pytest-0", text)
    text = re.sub(r"^(plugins: .*|-+ generated report log file.*)\n", "", text, flags=re.MULTILINE)
    return re.sub(r"\bpid=\d+|\b\d{4,}\b", "0", text)
