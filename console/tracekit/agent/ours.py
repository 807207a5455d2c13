"""What the agent itself ended, and how that is told: a test that it killed did not crash, nor did its suite fail by it.

It remembers what was asked since the last launch was over, and rewrites the lines of the launch's end by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracekit.agent.progress import Facts
from tracekit.wire.names import E


class Ours:
    """The tests and the launch that we ended, until their processes are found dead."""

    def __init__(self) -> None:
        #: Why we ended the current launch where no test ran.
        self.hung = ""
        self._verdicts: dict[str, tuple[str, str]] = {}
        self._ended_at: dict[str, int] = {}
        # We ended a test of the current launch: how its process exits says nothing of the suite.
        self._meddled = False

    def ended(self, scenario: str, verdict: str, reason: str, now_m: int) -> None:
        """A test was ended for this reason, at that time of the box's monotonic clock."""
        self._ended_at[scenario] = now_m
        self._verdicts[scenario] = (verdict, reason)
        self._meddled = True

    def seen_in(self, lines: Sequence[dict[str, Any]], runner: str) -> list[dict[str, Any]]:
        """What the end of the launch says, without what only says what we did; from here on another launch counts."""
        meddled, self._meddled = self._meddled, False
        hung, self.hung = self.hung, ""
        kept = [line for line in lines if not (meddled and line.get("e") == E.SUITE_FAILED)]
        return [_hanging(line, runner, hung) for line in kept] if hung else kept

    def told(self, line: dict[str, Any]) -> dict[str, Any]:
        """What we killed ourselves is not a crash."""
        scenario = line.get("scenario")
        if line.get("e") == E.ATTEMPT_ENDED and scenario in self._verdicts:
            verdict, reason = self._verdicts.pop(str(scenario))
            cause = "hang" if verdict == "timedout" else None
            return {**line, "verdict": verdict, "cause": cause, "reason": reason}
        return line

    def not_crashed(self, facts: Facts) -> list[dict[str, Any]]:
        """A director of workers takes the end of one for a crash: without our note it cannot know who ended it."""
        lines: list[dict[str, Any]] = []
        for scenario, (verdict, _) in tuple(self._verdicts.items()):
            if facts.ended.get(scenario) == verdict:
                # It found the agent's note; what ends a later attempt is another matter.
                del self._verdicts[scenario]
        for scenario in [name for name in self._verdicts if facts.ended.get(name) == "crashed"]:
            line = {"e": E.ATTEMPT_ENDED, "scenario": scenario, "attempt": facts.attempts.get(scenario, 1)}
            told = self.told({**line, "d": 0, "durations": {}})
            began = facts.began(scenario)
            ended = self._ended_at.pop(scenario, began)
            lines.append({**told, "d": max(0, ended - began)})
        return lines


def _hanging(line: dict[str, Any], runner: str, hung: str) -> dict[str, Any]:
    """A launch that we ended because it hung did not crash."""
    if line.get("e") != E.RUNNER_FAILED_TO_START:
        return line
    told = {"why": f"{runner} {hung}", "code": "launch.hung"}
    remedy = (
        "the stacks say where it was: a fixture of a class or a session, a plugin, a thread that never ends"
    )
    return {**line, **told, "remedy": remedy}
