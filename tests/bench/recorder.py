"""The bench program of `native/tracer_backend`: built optimised, run, and its figures read. It must judge nothing."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from tools.tasks.common import NATIVE

LINE = re.compile(r"^([a-z0-9-]+) ((?:\w+=[\w.%/-]+ ?)+)$")


@dataclass(frozen=True)
class Told:
    """One line of it."""

    name: str
    words: dict[str, str]

    def number(self, key: str) -> float:
        """One of its figures."""
        return float(self.words[key])


def run(*words: str) -> list[Told]:
    """Build and run it; raises RuntimeError with its own words when it fails or says nothing."""
    command = ["cargo", "bench", "--locked", "-q", "-p", "tracekit-tracer-backend", "--bench", "recorder"]
    done = subprocess.run(
        [*command, "--", *words],
        cwd=NATIVE,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [Told(*_split(match)) for match in map(LINE.match, done.stdout.splitlines()) if match]
    if done.returncode or not found:
        raise RuntimeError(f"the recorder bench ended with {done.returncode}: {done.stderr[-1500:]}")
    return found


def _split(match: re.Match[str]) -> tuple[str, dict[str, str]]:
    words = dict(word.split("=", 1) for word in match.group(2).split())
    return match.group(1), words
