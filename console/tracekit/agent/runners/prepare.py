"""What runs before the suites of a run: files put in place, and the commands that prepare them.

Each is a launch like any other, so its output is live, a cancel ends it, and its death is told. It holds no scenarios:
one that fails keeps every suite from being run, and no test is red for it.
"""

from __future__ import annotations

import signal
from typing import Any

from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress
from tracekit.wire.names import E

_TAIL = 4096
_REMEDY = {
    "sync": "free space on the box, or look at what its daemon may write there; then run again",
    "prepare": "mend the command in `prepare`, or what it needs on the box; then run again",
}


class PrepareAdapter(Adapter):
    name = "prepare"

    def start(self, suite: dict[str, Any], context: Context, number: int) -> LaunchSpec:
        env = {"TRACEKIT_RUN_TOKEN": context.token}
        command = tuple(str(word) for word in suite["command"])
        kind = str(suite["kind"])
        return LaunchSpec(f"L{number}", str(suite["name"]), command, str(suite["cwd"]), env, (), {}, kind)

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        if exit.code == 0:
            return Outcome([], None, [], "")
        suite = progress.suite
        kind = str(suite.get("kind"))
        said = (exit.stderr_tail or exit.stdout_tail)[-_TAIL:].decode("utf-8", "replace")
        line = {
            "e": E.RUNNER_FAILED_TO_START,
            "suite": suite.get("name", ""),
            "command": [str(suite.get("text", ""))],
            "exit": exit.code,
            "signal": exit.signal,
            "stderr": said,
            "remedy": _REMEDY.get(kind, ""),
            "code": f"{kind}.failed",
        }
        return Outcome([line], None, [], f"{kind} failed")

    def stop_signal(self) -> int:
        return signal.SIGTERM
