"""Scenario ids and run ids.

A scenario id is runner + suite + path + names + parameters: stable across machines and runs, whatever characters it
holds. A run id is a ULID, so that names sort by time. Time and randomness are handed in, never taken.
"""

from __future__ import annotations

from collections.abc import Sequence

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RUN_ID_LENGTH = 26
SEGMENT_DIGITS = 6
BLOB_NAME_LENGTH = 64
SUBTEST_MARK = " ▸ "


def id_prefix(runner: str, suite: str) -> str:
    """What every scenario id of a suite begins with: `pytest:` or `pytest@api:`."""
    return f"{runner}@{suite}:" if suite else f"{runner}:"


def scenario_id(runner: str, suite: str, path: str, names: Sequence[str] = (), params: str = "") -> str:
    """Join the parts into one id; names are joined by `::`, parameters stand in brackets."""
    tail = "::".join((path, *names))
    return f"{id_prefix(runner, suite)}{tail}[{params}]" if params else f"{id_prefix(runner, suite)}{tail}"


def in_python(scenario: str) -> bool:
    """Whether a scenario's runner is one of Python, of whose functions each call can be recorded."""
    return split_scenario_id(scenario)[0] in {"pytest", "unittest"}


def split_scenario_id(scenario: str) -> tuple[str, str, str]:
    """Give (runner, suite, rest). An id without a runner gives empty strings before the rest."""
    head, colon, rest = scenario.partition(":")
    if not colon or "/" in head.partition("@")[0]:
        return "", "", scenario
    runner, _, suite = head.partition("@")
    return runner, suite, rest


def subtest_id(parent: str, label: str) -> str:
    """The id of a sub-test's own row."""
    return f"{parent}{SUBTEST_MARK}{label}"


def new_ulid(now_ms: int, randomness: bytes) -> str:
    """Make a ULID of a time in milliseconds and ten random bytes."""
    if len(randomness) != 10:
        message = f"a ULID needs 10 random bytes, not {len(randomness)}"
        raise ValueError(message)
    number = ((now_ms & ((1 << 48) - 1)) << 80) | int.from_bytes(randomness, "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def ulid_ms(run_id: str) -> int:
    """When a run id was made, in milliseconds; 0 for what is none."""
    if not is_run_id(run_id):
        return 0
    number = 0
    for letter in run_id[:10]:
        number = number * 32 + _CROCKFORD.index(letter)
    return number


def is_box_name(text: str) -> bool:
    """Whether a box may be called this: its name is a directory of every run on it."""
    return 0 < len(text) <= 64 and not text.startswith(".") and "/" not in text and "\0" not in text


def is_blob_name(text: str) -> bool:
    """Whether a file of `blobs/` may be called this: the hash of its bytes, in hex."""
    return len(text) == BLOB_NAME_LENGTH and all(letter in "0123456789abcdef" for letter in text)


def is_segment_name(text: str) -> bool:
    """Whether a file of `trace/` may be called this: `seg-000001.tks` and so on."""
    digits = text[len("seg-") : -len(".tks")]
    return (
        text == f"seg-{digits}.tks"
        and len(digits) == SEGMENT_DIGITS
        and digits.isascii()
        and digits.isdigit()
    )


def is_run_id(text: str) -> bool:
    """Say whether a text can be a run id; used before a name becomes a path."""
    return len(text) == RUN_ID_LENGTH and all(letter in _CROCKFORD for letter in text) and text[0] <= "7"
