"""How one recorded scenario is run by hand, in the foreground, with its debugger: words, folder, environment.

It is the suite as it was launched, without us: the same interpreter, folder, arguments and variables. Nothing here runs
anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit.agent.runners import interpreter
from tracekit.wire.ids import SUBTEST_MARK, id_prefix
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.model.state import RunState
    from tracekit.store.runs import RunFolder


@dataclass(frozen=True)
class ByHand:
    """A command, where it is run, and what its environment is."""

    words: tuple[str, ...]
    cwd: str
    environ: dict[str, str]


def by_hand(folder: RunFolder, state: RunState, scenario: str, environ: Mapping[str, str]) -> ByHand:
    """The command of a scenario; raises ProblemError where it ran elsewhere, or its runner has no debugger."""
    whole = scenario.partition(SUBTEST_MARK)[0]
    facts = state.facts[state.index[whole]]
    where = state.run.environment
    if where not in {"", "local"}:
        action = f"`tracekit box shell {where} {folder.run_id}` opens a shell there"
        raise ProblemError(Problem("debug.elsewhere", f"it ran on {where}", scenario, action))
    suite = _suite(folder, facts.suite)
    cwd, root = str(suite.get("cwd") or state.run.root), state.run.root
    if not Path(cwd).is_dir():
        raise ProblemError(
            Problem("debug.no_folder", "its folder is not here", cwd, "was the project moved?")
        )
    full = {**environ, **{name: str(value) for name, value in dict(suite.get("env") or {}).items()}}
    name = whole.removeprefix(id_prefix(facts.runner, facts.suite))
    if facts.runner not in _WORDS:
        what = f"there is no debugger of ours for {facts.runner}"
        raise ProblemError(Problem("debug.runner", what, scenario, "o opens its code in your editor"))
    python = interpreter.find(suite.get("python"), cwd, root, full).path
    args = [str(word) for word in suite.get("args") or ()]
    workers = any((attempt.worker or "").startswith("gw") for attempt in state.attempts(state.index[whole]))
    return ByHand((python, *_WORDS[facts.runner](name, args, workers)), cwd, full)


def _suite(folder: RunFolder, name: str) -> dict[str, Any]:
    plan = folder.facts().get("plan")
    suites = plan.get("suites") if isinstance(plan, dict) else None
    for suite in suites if isinstance(suites, list) else ():
        if isinstance(suite, dict) and suite.get("name", "") == name:
            return suite
    return {}


def _pytest(name: str, args: Sequence[str], workers: bool) -> list[str]:
    # A debugger wants the one process that has the terminal.
    alone = ["-n0"] if workers else []
    return ["-m", "pytest", *args, *alone, "--pdb", "--capture=no", name]


def _unittest(name: str, _args: Sequence[str], _workers: bool) -> list[str]:
    file, _, names = name.partition("::")
    dotted = ".".join([*file.removesuffix(".py").split("/"), *(part for part in names.split("::") if part)])
    # It knows no debugger of its own: a `breakpoint()` in the code stops there.
    return ["-m", "unittest", "--verbose", "--failfast", dotted]


_WORDS = {"pytest": _pytest, "unittest": _unittest}
