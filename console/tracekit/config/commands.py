"""The keys of a suite that is a command: what it runs, what it reports, how it is asked for some of its tests."""

from __future__ import annotations

from typing import Final

from tracekit.config.key import Key, Table

_REPORTS = {
    "junit": (
        "JUnit XML of any dialect, read when the command has ended; `*` stands for any file.",
        '"out/*.xml"',
    ),
    "tap": ("TAP 12 to 14, read while it is written.", '"-"'),
    "ctrf": ("CTRF, read when the command has ended.", '"ctrf/report.json"'),
    "gotest": ("What `go test -json` prints, read while it is written.", '"-"'),
    "libtest": ("libtest's JSON, read while it is written.", '"-"'),
    "journal": ("Lines of a journal, as `docs/formats.md` says, read while they are written.", '"-"'),
}

REPORT: Final = Table(
    "suite.NAME.report",
    "What a command tells of its tests: one format, and the file it writes, or `-` for its standard output.",
    tuple(Key(name, "string", doc, example=example) for name, (doc, example) in _REPORTS.items()),
    one_of=tuple(_REPORTS),
)

COMMAND_KEYS: Final = (
    Key(
        "run",
        "strings",
        'With `runner = "command"`: the command that runs the tests; `args` stand behind it.',
        example='["make", "check"]',
        default=(),
        rule="argument",
    ),
    Key(
        "report",
        "table",
        "What that command tells of its tests; without it, its exit status is the one verdict.",
        example='{ tap = "-" }',
        table=REPORT,
    ),
    Key(
        "list",
        "strings",
        "A command that prints the names of all tests, one a line, as the report calls them.",
        example='["./suite", "--names"]',
        default=(),
        rule="argument",
    ),
    Key(
        "only",
        "strings",
        "Arguments behind `run` that choose tests: `{names}` is one for each, `{names|}` all joined by `|`.",
        example='["--only", "{names,}"]',
        default=(),
        rule="argument",
    ),
)
