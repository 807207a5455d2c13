"""The adapter of what stands between preparing and the suites: it waits until the services that they need are well.

It holds no scenarios. Where a service is not well no suite is run and no test is red: it is the environment's fault,
and is told as that.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress, own_program
from tracekit.wire.names import E

_TAIL = 4096


class ServicesAdapter(Adapter):
    name = "services"

    def start(self, suite: dict[str, Any], context: Context, number: int) -> LaunchSpec:
        """The launch that asks them, in the project's folder."""
        file = f"L{number}.services.json"
        # A command of theirs is a program of the project, or of the box: it is started as the tests are.
        place = str(suite["cwd"])
        asked = [{**each, "at": place} if "command" in each else each for each in suite["services"]]
        request = json.dumps({"spool": context.spool, "services": asked}).encode("ascii")
        command = own_program("tracekit.agent.expecting", os.path.join(context.spool, file))
        env = {"TRACEKIT_RUN_TOKEN": context.token, "TRACEKIT_TRACE": "off"}
        return LaunchSpec(
            f"L{number}", str(suite["name"]), command, place, env, (), {file: request}, "services"
        )

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        """Whether the suites may begin."""
        if exit.code == 0:
            return Outcome([], None, [], "")
        suite = progress.suite
        said = exit.stderr_tail[-_TAIL:].decode("utf-8", "replace").strip()
        starts = [
            str(each.get("start", "")) for each in suite["services"] if f"service {each['name']} " in said
        ]
        remedy = "".join(f"`{start}` starts it; " for start in starts if start)
        line = {
            "e": E.RUNNER_FAILED_TO_START,
            "suite": suite.get("name", ""),
            "command": [],
            "exit": exit.code,
            "signal": exit.signal,
            "stderr": said,
            "why": "a service that the tests need is not well"
            if exit.code == 1
            else "the services were not asked",
            "remedy": f"{remedy}start what is missing where the tests run, then run again",
            "code": "box.service",
        }
        return Outcome([line], None, [], "a service is not well")

    def stop_signal(self) -> int:
        """The signal that ends the waiting."""
        return signal.SIGTERM
