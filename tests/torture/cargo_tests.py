"""Test programs of the native workspace that print the figures of a promise. Must never judge a promise by itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tools.tasks.common import NATIVE

FIGURE = re.compile(r"(\w+)=([\w.]+)")


@dataclass(frozen=True)
class Told:
    """What such a program said: its lines about the promise, and its end."""

    lines: list[dict[str, str]]
    ok: bool
    error: str


def run(crate: str, test: str, promise: str, figures: Mapping[str, int | str]) -> Told:
    """Run one test program, optimised, with figures in its environment."""
    command = ["cargo", "test", "--profile", "torture", "--locked", "-q", "-p", crate, "--test", test]
    env = {**os.environ, **{name: str(value) for name, value in figures.items()}}
    done = subprocess.run(
        command, cwd=NATIVE, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = [line for line in done.stdout.splitlines() if line.startswith(f"{promise} ")]
    ok = done.returncode == 0 and bool(found) and all(line.endswith(" ok") for line in found)
    error = "" if ok else "; ".join([*found, done.stderr[-1500:]])
    return Told([dict(FIGURE.findall(line)) for line in found], ok, error)
