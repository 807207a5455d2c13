"""JUnit XML in the dialect that Surefire made common: flaky and rerun attempts as elements of their own.

A red scenario is a `failure` when an assertion said so, else an `error`; what did not run is `skipped` with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from tracekit.engine.view import RunView
from tracekit.model.quarantine import Quarantined
from tracekit.report.rows import NOT_RUN, Row, Try, rows, shown


def junit(view: RunView) -> Iterator[str]:
    """The pieces of the file."""
    suites: dict[str, list[Row]] = {}
    for row in rows(view):
        suites.setdefault(row.suite, []).append(row)
    everything = [row for found in suites.values() for row in found]
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield f"<testsuites{_counts(everything)}{_attribute('name', 'tracekit')}>\n"
    for name, found in suites.items():
        yield from _suite(view, name, found)
    yield "</testsuites>\n"


def _suite(view: RunView, name: str, found: list[Row]) -> Iterator[str]:
    started = min((row.last.started for row in found if row.last.started), default=0.0)
    stamp = datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    yield f"  <testsuite{_attribute('name', shown(name))}{_counts(found)}{_attribute('timestamp', stamp)}>\n"
    run = view.state.run
    properties = {
        "tracekit.run": view.run_id,
        "tracekit.environment": run.environment or "local",
        "tracekit.seed": "" if run.seed is None else str(run.seed),
    }
    yield from _properties("    ", properties)
    for row in found:
        yield from _case(row)
    yield "  </testsuite>\n"


def _properties(indent: str, properties: dict[str, str]) -> Iterator[str]:
    yield f"{indent}<properties>\n"
    for key, value in properties.items():
        yield f"{indent}  <property{_attribute('name', key)}{_attribute('value', value)}/>\n"
    yield f"{indent}</properties>\n"


def _quarantine(entry: Quarantined) -> dict[str, str]:
    """The verdict stays what it was: whoever reads the file decides whether it counts."""
    return {
        "tracekit.quarantine": "expired" if entry.expired else "active",
        "tracekit.quarantine.owner": shown(entry.owner),
        "tracekit.quarantine.reason": shown(entry.reason),
        "tracekit.quarantine.expires": shown(entry.expires),
    }


def _case(row: Row) -> Iterator[str]:
    facts = row.facts
    place = ""
    if facts is not None and row.file:
        place = _attribute("file", shown(row.file)) + (
            _attribute("line", str(facts.line)) if facts.line else ""
        )
    took = _attribute("time", f"{sum(each.seconds for each in row.tries):.6f}")
    head = f"    <testcase{_attribute('classname', row.group)}{_attribute('name', row.name)}{place}{took}"
    body = "".join(_inside(row))
    yield f"{head}>\n{body}    </testcase>\n" if body else f"{head}/>\n"


def _inside(row: Row) -> Iterator[str]:
    told = _quarantine(row.quarantined) if row.quarantined is not None else {}
    told |= {
        f"tracekit.leak.{number}": " ".join(part for part in leak if part)
        for number, leak in enumerate(row.last.leaks, 1)
    }
    if told:
        yield from _properties("      ", told)
    reds = [each for each in row.tries if each.red]
    if row.red:
        first, *again = reds or [row.last]
        yield _problem("failure" if first.verdict == "failed" else "error", first)
        for each in again:
            yield _again("rerunFailure" if each.verdict == "failed" else "rerunError", each)
    else:
        for each in reds:
            yield _again("flakyFailure" if each.verdict == "failed" else "flakyError", each)
        if row.verdict in NOT_RUN:
            why = row.last.message or {"notrun": "not run"}.get(row.verdict, row.verdict)
            if row.verdict == "xfailed":
                why = f"expected to fail: {why}"
            yield f"      <skipped{_attribute('message', why)}/>\n"
    if row.last.output and (row.red or reds):
        yield f"      <system-out>{escape(row.last.output)}</system-out>\n"


def _problem(element: str, each: Try) -> str:
    return f"      <{element}{_said(each)}>{escape(each.text)}</{element}>\n"


def _again(element: str, each: Try) -> str:
    trace = f"<stackTrace>{escape(each.text)}</stackTrace>"
    out = f"<system-out>{escape(each.output)}</system-out>" if each.output else ""
    return f"      <{element}{_said(each)}>{trace}{out}</{element}>\n"


def _said(each: Try) -> str:
    return _attribute("type", each.kind or each.verdict) + _attribute("message", each.message or each.verdict)


def _counts(found: Iterable[Row]) -> str:
    tests = failures = errors = skipped = 0
    seconds = 0.0
    for row in found:
        tests += 1
        seconds += sum(each.seconds for each in row.tries)
        first = next((each for each in row.tries if each.red), row.last)
        failures += row.red and first.verdict == "failed"
        errors += row.red and first.verdict != "failed"
        skipped += row.verdict in NOT_RUN
    return (
        f' tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{seconds:.6f}"'
    )


def _attribute(name: str, value: str) -> str:
    return f" {name}={quoteattr(value)}"
