"""An adapter for `tests/fixtures/agent_suite`, put in the real registry's place inside an agent that a test starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress
from tracekit.wire.problems import Problem, ProblemError

SUITE = str(Path(__file__).resolve().parents[2] / "fixtures" / "agent_suite" / "suite.py")


class FakeAdapter(Adapter):
    """Launches the fake suite; resumes behind a crash as a real adapter does."""

    name = "fake"

    def start(self, suite: dict[str, Any], context: Context, number: int) -> LaunchSpec:
        if suite.get("broken"):
            raise ProblemError(Problem("fake.broken", "no interpreter", "here", "install one"))
        return self._spec(suite, context, number, dict(suite.get("options") or {}), "start")

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        if progress.session_ended is not None:
            return Outcome([], None, [], "")
        died = {"verdict": "crashed", "cause": "crash", "signal": exit.signal, "exit": exit.code, "d": 0}
        lines = [
            {
                "e": "attempt.ended",
                "scenario": name,
                "attempt": line.get("attempt", 1),
                "durations": {},
                **died,
            }
            for name, line in progress.running.items()
        ]
        rest = [
            name for name in progress.collected if name not in progress.ended and name not in progress.running
        ]
        if not rest:
            return Outcome(lines, None, [], "")
        options = {**(progress.suite.get("options") or {}), "only": rest}
        return Outcome(lines, self._spec(progress.suite, context, number, options, "resume"), [], "")

    def stop_signal(self) -> int:
        return 15

    def _spec(
        self, suite: dict[str, Any], context: Context, number: int, options: dict[str, Any], why: str
    ) -> LaunchSpec:
        name = f"L{number}"
        env = {
            "TRACEKIT_SPOOL": context.spool,
            "TRACEKIT_LAUNCH": name,
            "TRACEKIT_MODE": str(context.plan.get("mode", "run")),
            "TRACEKIT_RUN_TOKEN": context.token,
        }
        command = (suite.get("python") or sys.executable, SUITE, json.dumps(options))
        return LaunchSpec(
            name, str(suite["name"]), command, suite["cwd"], env, (), {f"{name}.args": b"x"}, why
        )


def install() -> None:
    """Make every runner name mean the fake one."""
    from tracekit.agent import live

    vars(live)["adapter"] = lambda _name: FakeAdapter()
