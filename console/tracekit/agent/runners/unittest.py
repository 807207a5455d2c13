"""The unittest adapter: the probe's own main program in the target's interpreter, which never needs pytest.

Interpreter, choice of scenarios, order and attempts are as for pytest; only the command and what its end means differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracekit.agent.runners import unittest_ends
from tracekit.agent.runners.base import Context, Exit, Progress
from tracekit.agent.runners.ends import End
from tracekit.agent.runners.pytest import PytestAdapter, discovers

MAIN = "_tkprobe.unittest_main"


class UnittestAdapter(PytestAdapter):
    name = "unittest"

    def command(
        self, python: str, suite: dict[str, Any], context: Context, paths: Sequence[str]
    ) -> tuple[str, ...]:
        """How the runner is started."""
        return (python, "-m", MAIN, *(str(argument) for argument in suite.get("args", ())), *paths)

    def end(self, progress: Progress, exit: Exit, context: Context) -> End:
        """What the end of a launch means."""
        return unittest_ends.read(progress, exit, discovering=discovers(context))
