"""The adapter of runners that have a host: a program of the agent's own that plays the probe's part for them.

A launch is the host, with its request in a file beside its spool. Which tests share a process, and what an end of one
means, is the host's to know; what the end of a host means is in `hosted_ends`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Mapping
from typing import Any, Optional

from tracekit.agent import at_once, isolation, tracing
from tracekit.agent.passes import Pass
from tracekit.agent.runners import hosted_ends
from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress, own_program
from tracekit.agent.runners.programs import find
from tracekit.wire.ids import id_prefix

_REQUEST = ".request.json"
#: The marks of programs that gave no list in time, as long as this agent lives: each costs every launch that wait.
_SILENT: dict[str, None] = {}
_MOST_SILENT = 200


class HostedAdapter(Adapter):
    """Starts the host of one runner."""

    hosted = True

    def start(self, suite: dict[str, Any], context: Context, number: int) -> LaunchSpec:
        """The first launch of a suite. Raises ProblemError without the runner's own program."""
        only = suite.get("only")
        reason = "discovery" if _discovers(context) else "all scenarios"
        if only is not None:
            reason = f"{len(only)} chosen scenario{'' if len(only) == 1 else 's'}"
        return self._launch(suite, context, number, Pass(only, reason), {})

    def again(
        self,
        suite: dict[str, Any],
        context: Context,
        number: int,
        asked: Pass,
        attempts: dict[str, int],
    ) -> LaunchSpec:
        """The same launch once more, whose attempts are numbered on."""
        return self._launch(suite, context, number, asked, attempts)

    def more(self, suite: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
        """What only this runner's host needs. Raises ProblemError."""
        raise NotImplementedError

    def environ(
        self, suite: Mapping[str, Any], environ: Mapping[str, str], found: Mapping[str, Any]
    ) -> dict[str, str]:
        """Variables that this runner needs beside the suite's own."""
        return {}

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        """What the end of a launch means, and the launch that resumes the rest when the host was killed."""
        end = hosted_ends.read(progress, exit, self.name, discovering=_discovers(context))
        if not end.resume:
            return Outcome(end.lines, None, end.not_run, end.why, end.whys)
        attempts = _attempts(progress.launch)
        following = self._launch(
            progress.suite, context, number, Pass(end.resume, end.resume_reason), attempts
        )
        return Outcome(end.lines, following, end.not_run, end.why, end.whys)

    def stop_signal(self) -> int:
        """The signal on which a host ends its tests, and then itself."""
        return signal.SIGTERM

    def _launch(
        self, suite: dict[str, Any], context: Context, number: int, asked: Pass, attempts: dict[str, int]
    ) -> LaunchSpec:
        environ = {**context.environ, **suite.get("env", {})}
        found = self.more(suite, environ)
        name, launch = str(suite.get("name", "")), f"L{number}"
        discovers = _discovers(context)
        order = ""
        if asked.only is not None and suite.get("order") == "given":
            order = "given"
        elif context.plan.get("shuffle"):
            order = f"shuffle:{context.plan.get('seed')}"
        request = {
            "runner": self.name,
            "suite": name,
            "prefix": id_prefix(self.name, name),
            "launch": launch,
            "spool": context.spool,
            "cwd": str(suite["cwd"]),
            "root": str(context.plan["root"]),
            "discovers": discovers,
            **{key: [str(word) for word in suite.get(key) or ()] for key in ("args", "paths", "ignore")},
            "only": asked.only,
            "order": order,
            "isolate": [] if discovers else isolation.patterns(suite),
            "attempts": attempts,
            "at_once": 0 if discovers else at_once.of(suite),
            "more": found,
        }
        file = launch + _REQUEST
        command = own_program("tracekit.agent.hosts.main", os.path.join(context.spool, file))
        env = {
            **{key: str(value) for key, value in suite.get("env", {}).items()},
            **self.environ(suite, environ, found),
            "TRACEKIT_RUN_TOKEN": context.token,
            # Programs that link the tracer record; interpreters that they start are asked for nothing.
            "TRACEKIT_TRACE": "off",
            **tracing.linked(context.plan, suite, context.spool),
        }
        files = {file: json.dumps(request).encode("ascii")}
        locks = () if discovers else tuple(str(lock) for lock in suite.get("locks") or ())
        return LaunchSpec(launch, name, command, str(suite["cwd"]), env, (), files, asked.reason, locks)


class CargoAdapter(HostedAdapter):
    """Rust tests, built and listed by cargo."""

    name = "cargo"

    def more(self, suite: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
        """Where cargo is, and which tests share a process."""
        cargo = find("cargo", environ)
        path = os.pathsep.join((os.path.dirname(cargo), environ.get("PATH", os.defpath)))
        nextest = shutil.which("cargo-nextest", path=path) or ""
        facts = {"cargo": cargo, "nextest": nextest, "isolation": suite.get("isolation")}
        return {**facts, "silent": list(_SILENT)}

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        """What the end means; a program that gave no list is not waited for again until it is built anew."""
        for mark in (progress.session_ended or {}).get("silent") or ():
            _SILENT[str(mark)] = None
        while len(_SILENT) > _MOST_SILENT:
            del _SILENT[next(iter(_SILENT))]
        return super().finished(progress, exit, context, number)

    def environ(
        self, suite: Mapping[str, Any], environ: Mapping[str, str], found: Mapping[str, Any]
    ) -> dict[str, str]:
        """The compiler is where cargo is, and cargo looks for it on PATH; how many run at once libtest hears here."""
        most = at_once.of(suite)
        return {**beside(str(found["cargo"]), environ), **({at_once.THREADS: str(most)} if most else {})}


class GoAdapter(HostedAdapter):
    """Go tests, through `go test -json`."""

    name = "go"

    def more(self, suite: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
        """Where go is."""
        return {"go": find("go", environ)}

    def environ(
        self, suite: Mapping[str, Any], environ: Mapping[str, str], found: Mapping[str, Any]
    ) -> dict[str, str]:
        """What tests start finds the same go."""
        return beside(str(found["go"]), environ)


class CommandAdapter(HostedAdapter):
    """Any command, and what it reports."""

    name = "command"

    def more(self, suite: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
        """What the profile says of it."""
        return {key: suite.get(key) for key in ("run", "report", "list", "choose")}


def beside(program: str, environ: Mapping[str, str]) -> dict[str, str]:
    """PATH with the directory of a program that was found elsewhere."""
    directory, path = os.path.dirname(program), environ.get("PATH", os.defpath)
    return {} if directory in path.split(os.pathsep) else {"PATH": f"{path}{os.pathsep}{directory}"}


def _discovers(context: Context) -> bool:
    return context.plan.get("mode") == "discover"


def _attempts(launch: LaunchSpec) -> dict[str, int]:
    """The attempts that a launch began with."""
    data = launch.files.get(launch.id + _REQUEST, b"{}")
    found: Optional[dict[str, int]] = json.loads(data).get("attempts")
    return dict(found or {})
