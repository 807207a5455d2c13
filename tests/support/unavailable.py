"""The one way for a test to say that it cannot run here.

`unavailable("reason")` ends the test as skipped. In continuous integration that is a failure, unless the test
stands with its reason in tests/unavailable.toml. Any other skip is a failure everywhere.
"""

from __future__ import annotations

import fnmatch
import os
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

MARK = "unavailable: "
LIST = Path(__file__).resolve().parents[1] / "unavailable.toml"


def unavailable(reason: str) -> NoReturn:
    """End this test: it cannot run here, and this is why."""
    pytest.skip(MARK + reason)


def in_ci() -> bool:
    """Whether a missing need is a failure."""
    return os.environ.get("CI", "") not in {"", "0", "false"}


def allowed(path: Path = LIST) -> list[tuple[str, str]]:
    """Patterns of test ids with the reason for which each may be unavailable in continuous integration."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return [(entry["test"], entry["reason"]) for entry in table.get("allow", [])]


def verdict(nodeid: str, reason: str, *, strict: bool, listed: list[tuple[str, str]]) -> str | None:
    """Why a skip must be a failure; None when it may stand."""
    if not reason.startswith(MARK):
        return f"{nodeid} was skipped ({reason}): say `unavailable: reason` through tests.support.unavailable"
    if not strict or any(fnmatch.fnmatchcase(nodeid, pattern) for pattern, _ in listed):
        return None
    return f"{nodeid} is {reason}; install what it needs, or list it in tests/unavailable.toml"
