"""Failures, assertions, leaks and usage as typed data.

Lines come from any process that can write a spool: a missing or odd field becomes an empty one, chains and
groups are followed to a fixed depth and never further.
"""

from __future__ import annotations

from typing import Any

from tracekit.model import coerce
from tracekit.model.facts import Assertion, ExceptionFacts, Failure, Frame, Handled, Leak, Usage

_DEPTH = 8
_CHAIN = 50
_LEAKS = 50
_HANDLED = 50


def failure_of(line: dict[str, Any]) -> Failure:
    """Read a `failure` line, or the same fields inside a `discover.failed` line."""
    return Failure(
        when=coerce.text(line.get("when")),
        cause=coerce.text_or_none(line.get("cause")),
        step=coerce.text_or_none(line.get("step")),
        chain=[_exception(row, _DEPTH) for row in coerce.rows(line.get("chain"))[:_CHAIN]],
        text=coerce.text(line.get("text")),
        handled=[_handled(row) for row in coerce.rows(line.get("handled"))[:_HANDLED]],
    )


def assertion_of(line: dict[str, Any]) -> Assertion:
    """Read an `assertion` line; operands stay whatever JSON they are."""
    return Assertion(
        op=coerce.text(line.get("op")),
        expected=line.get("expected"),
        actual=line.get("actual"),
        kind=coerce.text(line.get("kind")) or "text",
        diff=coerce.text(line.get("diff")),
        file=coerce.text(line.get("file")),
        line=coerce.natural(line.get("line")),
        passed=line.get("passed") is True,
    )


def leaks_of(line: dict[str, Any]) -> list[Leak]:
    """Read what an `attempt.ended` line says was left behind."""
    return [
        Leak(coerce.text(row.get("kind")), coerce.text(row.get("what")), coerce.text(row.get("detail")))
        for row in coerce.rows(line.get("leaks"))[:_LEAKS]
    ]


def usage_of(line: dict[str, Any]) -> Usage | None:
    """Read what an `attempt.ended` line says was used."""
    told = line.get("rusage")
    if type(told) is not dict:
        return None
    return Usage(
        coerce.seconds(told.get("user")),
        coerce.seconds(told.get("system")),
        coerce.natural(told.get("peak_kib")),
    )


def _exception(row: dict[str, Any], depth: int) -> ExceptionFacts:
    inner = coerce.rows(row.get("group"))[:_CHAIN] if depth else []
    return ExceptionFacts(
        type=coerce.text(row.get("type")),
        message=coerce.text(row.get("message")),
        module=coerce.text(row.get("module")),
        notes=list(coerce.texts(row.get("notes"))),
        relation=coerce.text_or_none(row.get("relation")),
        frames=[_frame(frame) for frame in coerce.rows(row.get("frames"))],
        group=[_exception(member, depth - 1) for member in _members(row.get("group"), inner)],
    )


def _handled(row: dict[str, Any]) -> Handled:
    return Handled(
        type=coerce.text(row.get("type")),
        message=coerce.text(row.get("message")),
        module=coerce.text(row.get("module")),
        name=coerce.text(row.get("name")),
        file=coerce.text(row.get("file")),
        line=coerce.natural(row.get("line")),
        function=coerce.text(row.get("function")),
        own=row.get("own") is True,
        code=coerce.text(row.get("code")),
        count=max(1, coerce.natural(row.get("count"))),
    )


def _members(raw: object, plain: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # A member of a group is an exception or a chain of its own; of a chain, the exception that was raised
    # stands first.
    if type(raw) is not list or len(plain) == len(raw):
        return plain
    return [member for item in raw[:_CHAIN] for member in _first(item)]


def _first(item: object) -> list[dict[str, Any]]:
    if type(item) is dict:
        return [item]
    return coerce.rows(item)[:1]


def _frame(row: dict[str, Any]) -> Frame:
    return Frame(
        file=coerce.text(row.get("file")),
        line=coerce.natural(row.get("line")),
        function=coerce.text(row.get("function")),
        own=row.get("own") is True,
        code=coerce.text(row.get("code")),
        locals={name: value for name, value in coerce.table(row.get("locals")).items() if type(value) is str},
    )
