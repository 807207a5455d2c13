"""Reads what a Rust test says when it fails: panics with place, message and operands, errors with their causes.

Pure: text in, the fields of `failure` and `assertion` lines out. What it does not understand it leaves as it is.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

TEXT_LIMIT = 64 * 1024
_MESSAGE = 16 * 1024
_OPERAND = 16 * 1024
_DIFF_LINES = 400
_FRAMES = 40
_CHAIN = 20

_PANIC = re.compile(
    r"^thread '(?P<thread>.*?)'(?: \(\d+\))? panicked at (?:'(?P<old>.*?)', )?"
    r"(?P<file>[^\n]+?):(?P<line>\d+):(?P<column>\d+):?$",
    re.MULTILINE | re.DOTALL,
)
_OVERFLOW = re.compile(r"^thread '.*?'(?: \(\d+\))? has overflowed its stack$", re.MULTILINE)
_FATAL = re.compile(r"^fatal runtime error: (.+)$", re.MULTILINE)
# What ends a panic's message.
_AFTER = re.compile(
    r"^(?:stack backtrace:|note: run with `RUST_BACKTRACE=|note: Some details are omitted|thread '[^\n]*panicked at )",
    re.MULTILINE,
)
_COMPARED = re.compile(
    r"\Aassertion (?:failed: )?`\(?left (?P<op>==|!=|matches) right\)?`(?: failed)?(?:: (?P<message>.*?))?\n"
    r"\s+left: (?P<left>.*?)\n\s*right: (?P<right>.*)\Z",
    re.DOTALL,
)
_FRAME = re.compile(
    r"^ +\d+: (?P<function>[^\n]+?)(?: - [^\n]*)?\n +at (?P<file>[^\n]+?):(?P<line>\d+)(?::\d+)?$",
    re.MULTILINE,
)
_ERROR = re.compile(r"^Error: (?P<text>.+)\Z", re.MULTILINE | re.DOTALL)
_CAUSED = re.compile(r"\n\nCaused by:\n(?P<causes>.*?)(?=\n\n(?:Stack backtrace|Location):|\Z)", re.DOTALL)
_TYPE = re.compile(r"[A-Z]\w*(?:::[A-Z]\w*)*")
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True)
class Place:
    """Where a test stands, as its scenario tells it."""

    file: str
    line: int
    function: str


@dataclass(frozen=True)
class Sources:
    """How a file that Rust names is called in the suite, whether it is the project's own, and what stands in a line."""

    name: Callable[[str], tuple[str, bool]]
    code: Callable[[str, int], str]
    #: Where the process ran: a backtrace names files from there.
    here: str = ""


@dataclass(frozen=True)
class Evidence:
    """The fields of a `failure` line and, where two things were compared, of an `assertion` line."""

    cause: str
    chain: list[dict[str, Any]]
    assertion: Optional[dict[str, Any]] = None


def read(text: str, test: str, place: Place, sources: Sources, said: str = "") -> Optional[Evidence]:
    """What a failed test told on standard error and libtest in its list; None where neither explains it."""
    panics = list(_PANIC.finditer(text))
    whose = [found for found in panics if found.group("thread") == test] or panics
    if said and not said.startswith("note: panic did not contain"):
        return Evidence("assertion", [link("should_panic", said.removeprefix("note: "), at(place, sources))])
    if said:
        return _other_panic(text, said, whose, place, sources)
    error = _ERROR.search(text[panics[-1].end() :] if panics else text)
    if error is not None and not any(found.group("thread") == test for found in panics):
        return Evidence("exception", _errors(error.group("text").strip("\n"), place, sources))
    if whose:
        return _panicked(text, whose[-1], panics, place, sources)
    fatal = _FATAL.search(text)
    if fatal is not None:
        kind = "stack overflow" if _OVERFLOW.search(text) else "fatal runtime error"
        return Evidence("crash", [link(kind, fatal.group(1), at(place, sources))])
    return None


def _panicked(
    text: str, found: re.Match[str], panics: list[re.Match[str]], place: Place, sources: Sources
) -> Evidence:
    message = _message(text, found)
    compared = _COMPARED.match(message)
    cause = "assertion" if message.startswith("assertion ") else "exception"
    chain = [link("panic", message, _frames(text, found, place, sources))]
    # What panicked in other threads before is what this one may have died of.
    for other in reversed(panics[: panics.index(found)][-_CHAIN:]):
        if other.group("thread") != found.group("thread"):
            # Whoever waits for a thread that panicked is told so by a value without words.
            relation = "cause" if message.endswith("Any { .. }") else "context"
            earlier = link("panic", _message(text, other), _frames(text, other, None, sources), relation)
            chain.append({**earlier, "notes": [f"in thread {other.group('thread')}"]})
    assertion = _assertion(compared, found, sources) if compared is not None else None
    return Evidence(cause, chain, assertion)


def _other_panic(
    text: str, said: str, whose: list[re.Match[str]], place: Place, sources: Sources
) -> Evidence:
    """It panicked as it should, with other words than it should."""
    words = re.search(r"panic message: (.*),?\n\s*expected substring: (.*)", said)
    frames = _frames(text, whose[-1], place, sources) if whose else at(place, sources)
    chain = [link("should_panic", said.removeprefix("note: "), frames)]
    if words is None:
        return Evidence("assertion", chain)
    actual, expected = (_unquoted(word.rstrip(",")) for word in words.groups())
    last = frames[-1]
    line = _compared("contains", expected, actual, str(last["file"]), int(last["line"]))
    return Evidence("assertion", chain, line)


def _errors(text: str, place: Place, sources: Sources) -> list[dict[str, Any]]:
    """A test that gave an `Err`: the error, and behind it what caused it."""
    caused = _CAUSED.search(text)
    first = text[: caused.start()] if caused else text
    chain = [link(_type(first), first, at(place, sources))]
    chain += [
        link(_type(cause), cause, [], "cause")
        for cause in (_causes(caused.group("causes")) if caused else ())
    ]
    return chain[:_CHAIN]


def _causes(text: str) -> list[str]:
    lines = text.splitlines()
    if len(lines) <= 1 or not any(re.match(r"\s+\d+: ", line) for line in lines):
        return ["\n".join(line.strip() for line in lines)]
    found: list[str] = []
    for line in lines:
        number = re.match(r"\s+\d+: (.*)", line)
        if number is not None:
            found.append(number.group(1))
        elif found:
            found[-1] += "\n" + line.strip()
    return found


def _message(text: str, found: re.Match[str]) -> str:
    if found.group("old") is not None:
        return found.group("old")
    rest = text[found.end() + 1 :]
    end = _AFTER.search(rest)
    return (rest[: end.start()] if end else rest).strip("\n")


def _assertion(compared: re.Match[str], found: re.Match[str], sources: Sources) -> dict[str, Any]:
    left, right = (_unquoted(_operand(compared.group(side))) for side in ("left", "right"))
    file, _ = sources.name(found.group("file"))
    return _compared(compared.group("op"), right, left, file, int(found.group("line")))


def _compared(op: str, expected: str, actual: str, file: str, line: int) -> dict[str, Any]:
    diff = _diff(expected, actual) if op == "==" else ""
    facts = {"op": op, "expected": cut(expected, _OPERAND), "actual": cut(actual, _OPERAND), "kind": "text"}
    return {**facts, "diff": diff, "file": file, "line": line, "passed": False}


def _operand(text: str) -> str:
    # Before 1.73 operands stood in backquotes, with a comma between them.
    found = re.fullmatch(r"`(.*)`,?(?:: .*)?", text, re.DOTALL)
    return found.group(1) if found else text


def _unquoted(text: str) -> str:
    """A string as it is, where Rust shows it as a literal; anything else as it stands."""
    if not _LITERAL.fullmatch(text):
        return text
    return _ESCAPE.sub(_character, text[1:-1])


def _character(found: re.Match[str]) -> str:
    number = found.group(1) or found.group(2)
    if number:
        code = int(number, 16)
        return chr(code) if code <= 0x10FFFF else found.group(0)
    return _PLAIN.get(found.group(3), found.group(3))


def _frames(
    text: str, found: re.Match[str], place: Optional[Place], sources: Sources
) -> list[dict[str, Any]]:
    """From the outermost to where it panicked; what stands behind the panic itself is Rust's machinery."""
    rest = text[found.end() :]
    other = _PANIC.search(rest)
    trace = rest[: other.start()] if other else rest
    traced = trace.find("\nstack backtrace:\n")
    file, line = found.group("file"), int(found.group("line"))
    frames: list[dict[str, Any]] = []
    if traced >= 0:
        rows = [
            (row.group("function"), _from_here(row.group("file"), sources), int(row.group("line")))
            for row in _FRAME.finditer(trace, traced)
        ]
        here = next((n for n, row in enumerate(rows) if _same(row[1], file) and row[2] == line), None)
        frames = [_frame(function, name, number, sources) for function, name, number in rows[here or 0 :]]
        # Below the test are only the harness and the thread it runs in.
        last = max((n for n, frame in enumerate(frames) if frame["own"]), default=len(frames) - 1)
        frames = frames[: last + 1][:_FRAMES][::-1]
    if not frames:
        frames = [_frame(place.function if place else found.group("thread"), file, line, sources)]
        if place is not None and not frames[0]["own"]:
            frames = [*at(place, sources), *frames]
    return frames


def _from_here(file: str, sources: Sources) -> str:
    return os.path.join(sources.here, file[2:]) if sources.here and file.startswith("./") else file


def _same(one: str, other: str) -> bool:
    return os.path.normpath(one) == os.path.normpath(other) or one.endswith("/" + other.removeprefix("./"))


def _frame(function: str, file: str, line: int, sources: Sources) -> dict[str, Any]:
    name, own = sources.name(file)
    return {"file": name, "line": line, "function": function, "own": own, "code": sources.code(file, line)}


def at(place: Place, sources: Sources) -> list[dict[str, Any]]:
    code = sources.code(place.file, place.line)
    return [{"file": place.file, "line": place.line, "function": place.function, "own": True, "code": code}]


def link(
    kind: str, message: str, frames: list[dict[str, Any]], relation: Optional[str] = None
) -> dict[str, Any]:
    facts = {"type": kind, "message": cut(message, _MESSAGE), "module": "", "notes": []}
    return {**facts, "relation": relation, "frames": frames}


def _type(text: str) -> str:
    """The name of an error's type, where Rust shows the value as one: `Name`, `Name(…)` or `Name { … }`."""
    found = _TYPE.match(text)
    rest = text[found.end() :] if found else ""
    return found.group(0) if found and (not rest or rest.startswith(("(", " {"))) else "Err"


def _diff(expected: str, actual: str) -> str:
    before, after = expected.splitlines(), actual.splitlines()
    if expected == actual or max(len(before), len(after)) > _DIFF_LINES:
        return ""
    lines = list(difflib.unified_diff(before, after, "expected", "actual", lineterm="", n=3))[2:]
    return cut("\n".join(lines), _OPERAND)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit} more characters)"
