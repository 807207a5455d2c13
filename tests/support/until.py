"""Waiting for a fact instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Reached only by something that will never come.
PATIENCE = 60.0


def until(fact: Callable[[], T]) -> T:
    """Give the fact once it is true; fail when it never becomes so."""
    end = time.monotonic() + PATIENCE
    while not (found := fact()):
        if time.monotonic() > end:
            raise AssertionError(f"never true: {fact}")
        time.sleep(0.01)  # poll: a fact of another process has no event
    return found
