"""How one recorded scenario is run by hand, in the foreground, with its debugger: words, folder, environment.

It is the suite as it was launched, without us: the same interpreter, folder, arguments and variables, on the machine
that ran it. Nothing here runs anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracekit.agent.runners import interpreter
from tracekit.engine.plan import variables_again
from tracekit.engine.spots import Spot, spot
from tracekit.wire.ids import SUBTEST_MARK, id_prefix
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.model.state import RunState
    from tracekit.store.runs import RunFolder


@dataclass(frozen=True)
class ByHand:
    """A command, where it is run, and what its environment is: all of it, or on a box what stands above a login's."""

    words: tuple[str, ...]
    cwd: str
    environ: dict[str, str]
    box: Spot | None = None
    #: Variables that it had and has not now: they held secrets.
    without: tuple[str, ...] = ()
    #: Variables of a box that hold secrets: never a part of a command, which everybody on that machine can read.
    secret: dict[str, str] = field(default_factory=dict, repr=False)


def by_hand(folder: RunFolder, state: RunState, scenario: str, environ: Mapping[str, str]) -> ByHand:
    """The command of a scenario; raises ProblemError where a stranger wrote it, or its runner has no debugger."""
    whole = scenario.partition(SUBTEST_MARK)[0]
    facts = state.facts[state.index[whole]]
    if folder.imported:
        # Its plan names programs and arguments that somebody else chose.
        what = "the run was recorded elsewhere, and its plan is not run here"
        raise ProblemError(Problem("debug.imported", what, folder.run_id, "run it here, then debug that run"))
    suite, box = _suite(folder, facts.suite), spot(folder.facts())
    cwd, root = str(suite.get("cwd") or state.run.root), state.run.root
    if box is None and not Path(cwd).is_dir():
        raise ProblemError(
            Problem("debug.no_folder", "its folder is not here", cwd, "was the project moved?")
        )
    if facts.runner not in _WORDS:
        what = f"there is no debugger of ours for {facts.runner}"
        raise ProblemError(Problem("debug.runner", what, scenario, "o opens its code in your editor"))
    given, without = variables_again(suite, folder.facts(), environ if box is None else None)
    secret: dict[str, str] = {}
    if box is not None and without:
        # One that is not known here any more is only left out: the person is told, and the debugger is of use.
        with contextlib.suppress(ProblemError):
            every, without = variables_again(suite, folder.facts(), environ, remote=True)
            secret = {name: value for name, value in every.items() if name not in given}
    if box is None:
        given = {**environ, **given}
        python = interpreter.find(suite.get("python"), cwd, root, given).path
    else:
        # It was found there; where it never began, the first of that name will do.
        ran = (each.python for each in state.run.suites if each.name == facts.suite)
        python = next(ran, "") or str(suite.get("python") or "python3")
    name = whole.removeprefix(id_prefix(facts.runner, facts.suite))
    args = [str(word) for word in suite.get("args") or ()]
    workers = any((attempt.worker or "").startswith("gw") for attempt in state.attempts(state.index[whole]))
    words = (python, *_WORDS[facts.runner](name, args, workers))
    return ByHand(words, cwd, given, box, without, secret)


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
