"""Which reader reads what: by the name that a profile gives, or by the first bytes of a file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Optional

from tracekit.agent.reports.cases import Reader, ReportError
from tracekit.agent.reports.ctrf import CtrfReader
from tracekit.agent.reports.gotest import GoReader
from tracekit.agent.reports.junit import JUnitReader
from tracekit.agent.reports.libtest import LibtestReader
from tracekit.agent.reports.tap import TapReader

FORMATS = ("junit", "tap", "ctrf", "libtest", "gotest")
_MAKE: dict[str, Callable[[], Reader]] = {
    "junit": JUnitReader,
    "tap": TapReader,
    "ctrf": CtrfReader,
    "libtest": LibtestReader,
    "gotest": GoReader,
}
_TAP = re.compile(rb"(?:TAP version \d+|1\.\.\d+\s*(?:#|$)|(?:not )?ok(?: +\d+| +-|$))")


def reader(form: str) -> Reader:
    """A new reader of a format. Raises ReportError for one that nobody knows."""
    made = _MAKE.get(form)
    if made is None:
        raise ReportError(f"{form!r} is no format of reports; known are {', '.join(FORMATS)}")
    return made()


def guessed(first: bytes) -> Optional[str]:
    """The format of a report by its beginning."""
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "junit"
    # What a tool's tests print may stand before its own first line.
    for line in text.splitlines():
        if line.startswith(b"{"):
            if b'"Action"' in line:
                return "gotest"
            if b'"type"' in line and b'"event"' in line:
                return "libtest"
        elif _TAP.match(line):
            return "tap"
    return "ctrf" if text.startswith(b"{") else None
