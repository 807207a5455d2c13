"""What kind of failure a report tells of: the name of an error where it gives one, and the class of its cause.

Tools hide that in different places: an attribute, the beginning of a message, a line of a trace. Where none says it, it
is what its format means by it: a test that failed had something asserted, one in error was hit by something.
"""

from __future__ import annotations

import re

_NAMED = re.compile(
    r"^(?:E +|Uncaught )?(?P<type>(?:[A-Za-z_$][\w$]*[.:]+)*[A-Z][\w$]*"
    r"(?:Error|Exception|Failure|Failed|Fault|Timeout|Interrupt))(?: \[\w+\])?(?:: (?P<message>.*)|)$",
    re.MULTILINE,
)
# Names that only say that it failed, as the verdict does.
_EMPTY = frozenset({"", "error", "exception", "fail", "failed", "failure"})
_ASSERTS = re.compile(r"Assert|Expectation|Comparison|(?:^|[.:])Failure$|(?:^|[.:])Failed$", re.IGNORECASE)
_TIME = re.compile(r"Time(?:d?Out|out)", re.IGNORECASE)
# Words of a tool about its own limit; a test's own words about some other timeout are none.
_OUT_OF_TIME = re.compile(
    r"(?:Error: |Failed: |thrown: \")?(?:Test timed out in \d|Timeout of \d+ ?ms exceeded|Exceeded timeout of \d|"
    r"test timed out after \d|Timeout \(?>)"
)
_PHASES = (("failed on setup with", "setup"), ("failed on teardown with", "teardown"))
_DIED = frozenset({"exit status", "signal", "fatal error"})


def named(kind: str, message: str, text: str) -> tuple[str, str]:
    """The name of what went wrong, and the message without it; the first is empty where nobody gives one."""
    if kind.lower() not in _EMPTY:
        return kind, message
    first = _NAMED.match(message.partition("\n")[0])
    if first is not None:
        return first.group("type"), message[first.end("type") :].partition(": ")[2] or message
    found = None if message.startswith("assert ") else _NAMED.search(text)
    if found is not None:
        return found.group("type"), message or found.group("message") or ""
    return "AssertionError" if message.startswith("assert ") else kind, message


def cause_of(verdict: str, kind: str, message: str) -> str:
    """The class of the cause of a red case, by the name and the message that `named` gives."""
    for words, phase in _PHASES:
        if message.startswith(words):
            return phase
    if _OUT_OF_TIME.match(message) or _TIME.search(kind):
        return "hang"
    if kind in _DIED:
        return "crash"
    if kind.startswith("panic"):
        return "assertion" if message.startswith("assertion ") else "exception"
    if _ASSERTS.search(kind):
        return "assertion"
    if kind.lower() not in _EMPTY:
        return "exception"
    return "assertion" if verdict == "failed" else "exception"
