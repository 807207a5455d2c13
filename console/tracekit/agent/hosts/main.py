"""The program that an adapter starts: reads its request, and is that runner's host until the last test has ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tracekit.agent.hosts.request import load
from tracekit.agent.system import System
from tracekit.wire.problems import Problem


def main(words: Sequence[str]) -> int:
    """Run the host of one launch; gives its exit status."""
    request = load(words[0])
    system = System()
    if request.runner == "cargo":
        from tracekit.agent.hosts.cargo import Cargo

        return Cargo(system, request).run()
    if request.runner == "go":
        from tracekit.agent.hosts.go import Go

        return Go(system, request).run()
    if request.runner == "command":
        from tracekit.agent.hosts.command import Command

        return Command(system, request).run()
    if request.runner in {"vitest", "jest", "mocha", "node"}:
        from tracekit.agent.hosts.javascript import JavaScript

        return JavaScript(system, request).run()
    problem = Problem("runner.unknown", f"there is no host for {request.runner!r}", "", "update the agent")
    sys.stderr.write(f"{problem.what}\n")
    return 2
