"""The pytest adapter: how pytest is started with the probe in it, and which launch follows an end.

The suite's own arguments stay untouched in every launch; a choice of scenarios goes in as a file that the probe reads.
What an end means is in `pytest_ends`. This module starts no process and reads no spool.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Optional

from tracekit.agent import at_once, isolation, tracing
from tracekit.agent.passes import Pass
from tracekit.agent.runners import interpreter, pytest_ends
from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress
from tracekit.agent.runners.ends import End
from tracekit.wire.ids import SUBTEST_MARK, id_prefix

PLUGIN = "_tkprobe.pytest_plugin"
ATTEMPTS = "TRACEKIT_ATTEMPTS"
ISOLATE = "TRACEKIT_ISOLATE"
#: What a surrounding pytest leaves in the environment: our pytest must not take itself for a part of it.
FOREIGN = (
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_XDIST_TESTRUNUID",
    "PYTEST_CURRENT_TEST",
    "PYTEST_VERSION",
)


class PytestAdapter(Adapter):
    name = "pytest"

    def start(self, suite: dict[str, Any], context: Context, number: int) -> LaunchSpec:
        """The first launch of a suite. Raises ProblemError without an interpreter."""
        only = suite.get("only")
        reason = "discovery" if discovers(context) else "all scenarios"
        if only is not None:
            reason = f"{len(only)} chosen scenario{'' if len(only) == 1 else 's'}"
        return self.launch(suite, context, number, only, reason)

    def again(
        self,
        suite: dict[str, Any],
        context: Context,
        number: int,
        asked: Pass,
        attempts: dict[str, int],
    ) -> LaunchSpec:
        """The same launch once more, whose attempts are numbered on."""
        spec = self.launch(suite, context, number, asked.only, asked.reason)
        name = f"{spec.id}.attempts.json"
        files = {**spec.files, name: json.dumps(attempts).encode("ascii")}
        env = {**spec.env, ATTEMPTS: os.path.join(context.spool, name)}
        return replace(spec, env=env, files=files)

    def launch(
        self, suite: dict[str, Any], context: Context, number: int, only: Optional[Sequence[str]], reason: str
    ) -> LaunchSpec:
        cwd, root = str(suite["cwd"]), str(context.plan["root"])
        environ = {**context.environ, **suite.get("env", {})}
        python = interpreter.find(suite.get("python"), cwd, root, environ)
        name = str(suite.get("name", ""))
        prefix = id_prefix(self.name, name)
        launch = f"L{number}"
        path = environ.get("PYTHONPATH", "")
        env: dict[str, str] = {
            **{key: str(value) for key, value in suite.get("env", {}).items()},
            "PYTHONPATH": context.probe + (os.pathsep + path if path else ""),
            "TRACEKIT_SPOOL": context.spool,
            "TRACEKIT_RUN_TOKEN": context.token,
            "TRACEKIT_LAUNCH": launch,
            "TRACEKIT_PREFIX": prefix,
            "TRACEKIT_MODE": "discover" if discovers(context) else "run",
            "TRACEKIT_LOCALS": "1" if context.plan.get("locals", True) else "0",
            "TRACEKIT_PYTHON_WHY": python.why,
            **tracing.environ(context.plan, suite, context.probe, context.spool),
        }
        files: dict[str, bytes] = {}
        if only is not None and suite.get("order") == "given":
            env["TRACEKIT_ORDER"] = "given"
        elif context.plan.get("shuffle"):
            env["TRACEKIT_ORDER"] = f"shuffle:{context.plan.get('seed')}"
        unset = [*FOREIGN]
        if at_once.of(suite) and not discovers(context):
            env[at_once.VARIABLE] = str(at_once.of(suite))
        else:
            unset.append(at_once.VARIABLE)
        apart = [] if discovers(context) else isolation.patterns(suite)
        if apart:
            files[f"{launch}.isolate.json"] = json.dumps(apart).encode("ascii")
            env[ISOLATE] = os.path.join(context.spool, f"{launch}.isolate.json")
        else:
            unset.append(ISOLATE)
        paths = [str(path) for path in suite.get("paths", ())]
        if only is None:
            unset.append("TRACEKIT_ONLY")
        else:
            names = _parents(only)
            files[f"{launch}.ids.json"] = json.dumps(names).encode("ascii")
            env["TRACEKIT_ONLY"] = os.path.join(context.spool, f"{launch}.ids.json")
            paths = needed_paths(paths, names, prefix, cwd)
        command = self.command(python.path, suite, context, paths)
        locks = () if discovers(context) else tuple(str(lock) for lock in suite.get("locks") or ())
        return LaunchSpec(launch, name, command, cwd, env, tuple(unset), files, reason, locks)

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        """What the end of a launch means, and the launch that resumes the rest after a crash."""
        end = self.end(progress, exit, context)
        if not end.resume:
            return Outcome(end.lines, None, end.not_run, end.why)
        following = self.launch(progress.suite, context, number, end.resume, end.resume_reason)
        if ATTEMPTS in progress.launch.env:
            # The rest of a pass that adds attempts adds them too.
            env = {**following.env, ATTEMPTS: progress.launch.env[ATTEMPTS]}
            following = replace(following, env=env)
        return Outcome(end.lines, following, end.not_run, end.why)

    def command(
        self, python: str, suite: dict[str, Any], context: Context, paths: Sequence[str]
    ) -> tuple[str, ...]:
        """How the runner is started."""
        return (python, "-m", "pytest", "-p", PLUGIN, *_options(suite, context), *paths)

    def end(self, progress: Progress, exit: Exit, context: Context) -> End:
        """What the end of a launch means."""
        return pytest_ends.read(
            progress, exit, discovering=discovers(context), root=str(context.plan["root"])
        )

    def stop_signal(self) -> int:
        """The signal on which pytest tears its fixtures down and ends in order."""
        return signal.SIGINT


def discovers(context: Context) -> bool:
    return context.plan.get("mode") == "discover"


def _options(suite: dict[str, Any], context: Context) -> list[str]:
    options = ["--collect-only", "-qq"] if discovers(context) else []
    options += [str(argument) for argument in suite.get("args", ())]
    return options + [f"--ignore={path}" for path in suite.get("ignore", ())]


def _parents(scenarios: Iterable[str]) -> list[str]:
    """Sub-tests are run through the test that holds them."""
    names: dict[str, None] = {}
    for scenario in scenarios:
        names[scenario] = None
        if SUBTEST_MARK in scenario:
            names[scenario.partition(SUBTEST_MARK)[0]] = None
    return list(names)


def needed_paths(paths: list[str], names: Iterable[str], prefix: str, cwd: str) -> list[str]:
    """Leave out files that were named one by one and hold none of the chosen scenarios; keep everything else."""
    files = {os.path.normpath(name[len(prefix) :].partition("::")[0]) for name in names}
    kept = []
    for path in paths:
        file = path.partition("::")[0]
        relative = os.path.normpath(os.path.relpath(os.path.join(cwd, file), cwd))
        if relative in files or not os.path.isfile(os.path.join(cwd, file)):
            kept.append(path)
    return kept or paths
