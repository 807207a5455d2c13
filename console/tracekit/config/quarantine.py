"""The quarantine: scenarios that run and are shown, and do not fail a run until a day that somebody answers for.

One file beside the profile, committed with the project. It is read and checked here as every other file is; which
scenario an entry means is decided where scenarios are known.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracekit.config.check import Checker
from tracekit.config.document import parse, read_bytes
from tracekit.config.key import Key, Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from tracekit.config.faults import Faults

FILE: Final = "tracekit-quarantine.toml"
TABLE: Final = "quarantine"
# All of it stands in one line of every journal, which has a bound of its own.
MAX_BYTES: Final = 128 * 1024

ENTRY: Final = Table(
    "[quarantine]",
    "A scenario that does not fail a run until a day. It is run and shown all the same.",
    (
        Key(
            "scenario",
            "string",
            "Its id, with or without what stands before the first colon, or a pattern with `*` and `?`.",
            example='"tests/test_pay.py::test_refund"',
            rule="scenario",
            required=True,
        ),
        Key("owner", "string", "Who mends it.", example='"ada"', rule="sentence", required=True),
        Key(
            "reason",
            "string",
            "Why it may fail for now.",
            example='"races with the mailer, #412"',
            rule="sentence",
            required=True,
        ),
        Key("since", "date", "The day it was written.", example="2026-01-15", required=True),
        Key(
            "expires",
            "date",
            "The last day on which it is not counted.",
            example="2026-01-29",
            required=True,
        ),
    ),
)

QUARANTINE: Final = Table(
    "",
    "The quarantine of a project: `tracekit-quarantine.toml` beside its profile.",
    (Key(TABLE, "list", "Scenarios, one table each.", example="", default=(), table=ENTRY),),
)


class Entry(NamedTuple):
    """One scenario, or all that a pattern means."""

    scenario: str
    owner: str
    reason: str
    since: date
    expires: date
    where: str = ""

    def expired(self, today: date) -> bool:
        """Whether it counts again."""
        return today > self.expires


def read(root: str, faults: Faults) -> tuple[Entry, ...]:
    """The quarantine of the project whose profile stands in `root`; none where there is no file."""
    path = os.path.join(root, FILE)
    if not os.path.lexists(path):
        return ()
    data = read_bytes(path, FILE, faults)
    return () if data is None else entries(data, faults)


def entries(data: bytes, faults: Faults) -> tuple[Entry, ...]:
    """What the bytes of such a file say."""
    if len(data) > MAX_BYTES:
        faults.add(
            "too_large", "is larger than 128 KiB", f"{FILE}:1", "mend or remove some of these scenarios"
        )
        return ()
    document = parse(data, FILE, faults)
    if document is None:
        return ()
    before = len(faults)
    rows: Iterable[dict[str, Any]] = Checker(document, faults).document(QUARANTINE).get(TABLE, ())
    if len(faults) != before:
        return ()
    found: list[Entry] = []
    known: dict[str, str] = {}
    for number, row in enumerate(rows):
        where = document.where((TABLE, number, "scenario"))
        entry = Entry(**row, where=where)
        first = known.setdefault(entry.scenario, where)
        if first != where:
            faults.add("duplicate", f"this scenario stands at {first} too", where, "keep one of the two")
        if entry.expires < entry.since:
            faults.add(
                "range",
                "it expires before it begins",
                document.where((TABLE, number, "expires")),
                "write a later day",
            )
        found.append(entry)
    return tuple(found)


def rows(entries: Iterable[Entry], today: date) -> list[dict[str, Any]]:
    """What a plan says of them: the day decides once, so that a recording tells the same for ever."""
    return [
        {
            "scenario": entry.scenario,
            "owner": entry.owner,
            "reason": entry.reason,
            "since": entry.since.isoformat(),
            "expires": entry.expires.isoformat(),
            "expired": entry.expired(today),
        }
        for entry in entries
    ]
