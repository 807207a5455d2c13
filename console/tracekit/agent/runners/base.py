"""What an adapter of a runner is: it names launches and reads ends, and never starts a process itself."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any, Optional

from tracekit.agent.passes import Pass
from tracekit.wire.problems import Problem, ProblemError


@dataclass(frozen=True)
class Context:
    plan: dict[str, Any]
    spool: str
    probe: str
    cache: str
    token: str
    environ: dict[str, str]


@dataclass(frozen=True)
class LaunchSpec:
    id: str
    suite: str
    command: tuple[str, ...]
    cwd: str
    env: dict[str, str]
    unset: tuple[str, ...]
    files: dict[str, bytes]
    reason: str
    #: What no other run on this box may hold meanwhile.
    locks: tuple[str, ...] = ()


@dataclass
class Progress:
    suite: dict[str, Any]
    launch: LaunchSpec
    collected: list[str] = field(default_factory=list)
    # Collected too, and left for a process of their own.
    aside: frozenset[str] = frozenset()
    ended: set[str] = field(default_factory=set)
    running: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: What another process saw crash, as xdist does with its workers: the last attempt of each.
    crashed: dict[str, int] = field(default_factory=dict)
    session_ended: Optional[dict[str, Any]] = None
    any_probe_line: bool = False
    errors: int = 0
    red: int = 0
    crashes: int = 0


@dataclass(frozen=True)
class Exit:
    code: Optional[int]
    signal: Optional[int]
    stdout_tail: bytes
    stderr_tail: bytes
    #: The folder whose disk took not all that was told, where it was so full that what is set aside was used up.
    starved: str = ""
    #: Whether it is as full now, where its process has just ended.
    full: bool = False


@dataclass(frozen=True)
class Outcome:
    lines: list[dict[str, Any]]
    next: Optional[LaunchSpec]
    not_run: list[str]
    why: str
    #: Of those whose reason is another.
    whys: dict[str, str] = field(default_factory=dict)


def own_program(module: str, request: str) -> tuple[str, ...]:
    """The command that runs a module of the agent's own, with a request in a file, by a bare interpreter."""
    start = f"import sys; sys.path.insert(0, sys.argv[1]); from {module} import main; sys.exit(main(sys.argv[2:]))"
    app = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    return (sys.executable, "-I", "-S", "-c", start, app, request)


class Adapter:
    name = ""
    #: Whether each test has a process of its own, whose end a host tells: it is told there why the agent ended one.
    hosted = False

    def start(self, suite: dict[str, Any], context: Context, number: int) -> LaunchSpec:
        raise NotImplementedError

    def again(
        self,
        suite: dict[str, Any],
        context: Context,
        number: int,
        asked: Pass,
        attempts: dict[str, int],
    ) -> LaunchSpec:
        """One more launch of a suite whose scenarios have had so many attempts; of what has none, the same again."""
        return self.start(suite, context, number)

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        raise NotImplementedError

    def stop_signal(self) -> int:
        raise NotImplementedError


def adapter(name: str) -> Adapter:
    """The adapter of a runner. Raises ProblemError for a name that has none."""
    if name == "pytest":
        from tracekit.agent.runners.pytest import PytestAdapter

        return PytestAdapter()
    if name == "unittest":
        from tracekit.agent.runners.unittest import UnittestAdapter

        return UnittestAdapter()
    if name == "cargo":
        from tracekit.agent.runners.hosted import CargoAdapter

        return CargoAdapter()
    if name == "go":
        from tracekit.agent.runners.hosted import GoAdapter

        return GoAdapter()
    if name in {"vitest", "jest", "mocha", "node"}:
        from tracekit.agent.runners.scripts import ScriptAdapter

        return ScriptAdapter(name)
    if name == "command":
        from tracekit.agent.runners.hosted import CommandAdapter

        return CommandAdapter()
    if name == "prepare":
        from tracekit.agent.runners.prepare import PrepareAdapter

        return PrepareAdapter()
    if name == "services":
        from tracekit.agent.runners.services import ServicesAdapter

        return ServicesAdapter()
    what = f"no runner is called {name!r}"
    raise ProblemError(
        Problem(
            "runner.unknown",
            what,
            "",
            "choose pytest, unittest, cargo, go, vitest, jest, mocha, node or command",
        )
    )
