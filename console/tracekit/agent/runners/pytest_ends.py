"""What the end of a pytest process means: finished, stopped early, crashed in a test, or never really begun.

It reads the exit, the tails of the output and what the probe told, and answers with lines to write, what was not run
and why, and what is still to be run. A launch that failed is never turned into failed tests.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from tracekit.agent.passes import partial
from tracekit.agent.runners import interpreter
from tracekit.agent.runners.base import Exit, Progress
from tracekit.agent.runners.ends import (
    CRASH_LIMIT,
    TAIL,
    End,
    Fault,
    close_running,
    failed_to_start,
    how,
    not_begun,
    odd,
    text_of,
    told_disk_full,
)
from tracekit.agent.runners.fatal import failures
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.names import E

INTERRUPTED, INTERNAL, USAGE, NO_TESTS = 2, 3, 4, 5


def read(progress: Progress, exit: Exit, discovering: bool, root: str) -> End:
    end = End()
    missing = _missing(progress)
    left = not_begun(progress)
    if told_disk_full(end, progress, exit, discovering=discovering):
        pass
    elif _crashed(progress, exit):
        _crash(end, progress, exit, left, discovering)
    elif progress.session_ended is None:
        fault = startup_fault(progress, exit, root)
        end.lines.append(failed_to_start(progress, exit, fault))
        end.not_run, end.why = left, fault.why
    else:
        close_running(end, progress, exit)
        _ended_in_order(end, progress, exit, left, progress.session_ended, discovering=discovering)
        told = bool(end.lines) or (discovering and bool(progress.collected))
        if not told and _bad_exit(progress, exit):
            end.lines.append(_green_but_failed(progress, exit))
    end.lines += failures(progress, exit)
    if missing and not discovering:
        end.not_run = [*end.not_run, *missing]
        end.why = end.why or "not found any more: the collection does not hold it"
    if discovering:
        end.not_run = []
    return end


def _missing(progress: Progress) -> list[str]:
    wanted = progress.suite.get("only")
    if wanted is None or "TRACEKIT_ONLY" not in progress.launch.env or partial(progress.launch.reason):
        return []
    known = {*progress.collected, *progress.aside}
    return [name for name in wanted if name not in known and name.partition(SUBTEST_MARK)[0] not in known]


# -- crashes -------------------------------------------------------------------------------------------------------


def _crashed(progress: Progress, exit: Exit) -> bool:
    if progress.session_ended is not None:
        return exit.signal is not None
    if not progress.any_probe_line:
        return False
    return exit.signal is not None or bool(progress.running) or bool(progress.ended) or odd(exit)


def _crash(end: End, progress: Progress, exit: Exit, remaining: list[str], discovering: bool) -> None:
    close_running(end, progress, exit)
    died = how(exit)
    if not progress.running:
        when = (
            "while collecting"
            if not progress.collected
            else "between two tests"
            if remaining
            else "after the last test"
        )
        python = progress.launch.command[0]
        remedy = f"see the error output; `{python} -X faulthandler -m pytest` shows where the process was"
        end.lines.append(
            failed_to_start(progress, exit, Fault("pytest.crashed", remedy, f"pytest {died} {when}"))
        )
    if not remaining or discovering:
        return
    progressed = bool(progress.running or progress.ended)
    if not progressed or progress.crashes >= CRASH_LIMIT:
        end.not_run = remaining
        end.why = f"pytest {died}" + (
            f"; it crashed {progress.crashes + 1} times" if progress.crashes else ""
        )
        return
    end.resume = remaining
    names = ", ".join(progress.running) or "a crash between tests"
    end.resume_reason = f"resumes after {names}: the process {died}"


# -- ends in order -------------------------------------------------------------------------------------------------


def _ended_in_order(
    end: End,
    progress: Progress,
    exit: Exit,
    remaining: list[str],
    session: dict[str, Any],
    *,
    discovering: bool,
) -> None:
    status = session.get("exitstatus")
    reason = str(session.get("reason") or "")
    end.not_run = remaining
    if (status == NO_TESTS and not progress.ended) or (not progress.collected and status == 0):
        if not progress.suite.get("only") and not progress.aside:
            end.lines.append(_no_tests(progress))
    elif status == INTERNAL:
        text = str(session.get("text") or "") or _internal(exit)
        remedy = "a plugin or pytest itself raised: see the traceback, and try `-p no:NAME` for the plugin it names"
        end.why = "pytest failed inside itself"
        end.lines.append(
            failed_to_start(progress, exit, Fault("pytest.internal_error", remedy, end.why, text))
        )
    elif status == USAGE:
        fault = _usage(exit)
        end.why = fault.why
        end.lines.append(failed_to_start(progress, exit, fault))
    elif remaining and status == 0 and not progress.ended and not discovering:
        end.why = "pytest ended in order and ran none of them"
        end.lines.append(_only_told(progress))
    elif remaining:
        end.why = _why_stopped(progress, status, reason)


def _bad_exit(progress: Progress, exit: Exit) -> bool:
    """Whether pytest says no while nothing that was told explains it; a choice may leave it without tests."""
    if not exit.code or progress.red or progress.errors or progress.running:
        return False
    return exit.code != NO_TESTS or not (progress.suite.get("only") or progress.aside)


def _green_but_failed(progress: Progress, exit: Exit) -> dict[str, Any]:
    """Every test is green and pytest still says no: a coverage threshold, a plugin's own check."""
    return {
        "e": E.SUITE_FAILED,
        "suite": progress.launch.suite,
        "exit": exit.code,
        "code": "pytest.exit_status",
        "message": f"no test is red, and pytest ended with status {exit.code}",
        "detail": text_of(exit.stdout_tail)[-TAIL:],
        "remedy": "the last lines of pytest's own output say which plugin or threshold it was",
    }


def _why_stopped(progress: Progress, status: object, reason: str) -> str:
    if progress.errors and not progress.ended:
        errors = f"{progress.errors} collection error{'' if progress.errors == 1 else 's'}"
        return f"{errors}: pytest runs nothing then, unless --continue-on-collection-errors is given"
    if reason:
        return f"pytest stopped: {reason}"
    return "pytest was interrupted" if status == INTERRUPTED else f"pytest ended early with status {status}"


def _no_tests(progress: Progress) -> dict[str, Any]:
    paths = " ".join(str(path) for path in progress.suite.get("paths", ())) or progress.launch.cwd
    return {
        "e": E.DISCOVER_FAILED,
        "suite": progress.launch.suite,
        "file": "",
        "code": "pytest.no_tests",
        "message": f"no tests were found in {paths}",
        "failure": None,
        "remedy": "check `paths` and `args` of the suite; pytest looks for test_*.py and *_test.py",
    }


def _only_told(progress: Progress) -> dict[str, Any]:
    """Tests were collected, none was run, and pytest is content: an argument asked for no more."""
    named = _argument(progress, _ASKS_ONLY)
    count = len(progress.collected)
    return {
        **_no_tests(progress),
        "message": f"{count} test{'' if count == 1 else 's'} collected and not one run"
        + (f": {named} says so" if named else ""),
        "remedy": f"leave {named} out of the suite's args"
        if named
        else "an argument, a plugin or pytest's configuration keeps it from running tests: see its output",
    }


_ASKS_ONLY = ("--co", "--collect-only", "--collectonly", "--fixtures", "--funcargs", "--fixtures-per-test")
_ANSWERS = ("--version", "-V", "-VV", "--help", "-h", "--markers")


def _argument(progress: Progress, names: Sequence[str]) -> str:
    """The suite's argument that is one of these, or ""."""
    given = {str(argument) for argument in progress.suite.get("args", ())}
    return next((f"`{name}`" for name in names if name in given), "")


# -- launches that failed ------------------------------------------------------------------------------------------


def startup_fault(progress: Progress, exit: Exit, root: str) -> Fault:
    """Why pytest ended before any session: told apart by what it printed."""
    text = text_of(exit.stderr_tail) + "\n" + text_of(exit.stdout_tail)
    python, cwd = progress.launch.command[0], progress.launch.cwd
    if re.search(r"No module named '?pytest'?(\s|$)", text):
        command = interpreter.install_pytest(python, cwd, root)
        return Fault(
            "pytest.missing",
            f"run `{command}`, or name another `python` for the suite",
            f"{python} has no pytest",
        )
    if "ConftestImportFailure" in text or "while loading conftest" in text:
        return Fault(
            "pytest.conftest", "correct the conftest file that the message names", "a conftest file raised"
        )
    answered = _argument(progress, _ANSWERS)
    if exit.code == 0 and answered:
        return Fault(
            "pytest.usage",
            f"leave {answered} out of the suite's args",
            f"{answered} makes pytest print something and run nothing",
        )
    if not progress.any_probe_line:
        return _before_probe(text, exit, python)
    if exit.code == USAGE:
        return _usage(exit)
    if exit.code == INTERNAL:
        return Fault(
            "pytest.internal_error", "see the traceback", "pytest failed inside itself", _internal(exit)
        )
    if progress.errors:
        return Fault("pytest.conftest", "correct the file that the message names", "a conftest file raised")
    return Fault("pytest.plugin_broken", _plugin_remedy(text), f"pytest {how(exit)} before the session began")


def _before_probe(text: str, exit: Exit, python: str) -> Fault:
    if "_tkprobe" in text and re.search(
        r"SyntaxError|AttributeError|ImportError|TypeError", text.rpartition("_tkprobe")[2]
    ):
        remedy = "the probe needs CPython 3.8 or newer and pytest 7 or newer: choose another `python` for the suite"
        return Fault("pytest.unsupported", remedy, f"the probe could not be loaded by {python}")
    if "No module named '_tkprobe'" in text or 'Error importing plugin "_tkprobe' in text:
        remedy = (
            "the interpreter ignores PYTHONPATH (a wrapper with -I or -E?): name the real one as `python`"
        )
        return Fault("pytest.probe_missing", remedy, f"{python} did not find the probe")
    if exit.code == USAGE:
        return _usage(exit)
    if exit.signal is not None:
        return Fault(
            "interpreter.crashed", f"try `{python} -m pytest --version`", f"{python} {how(exit)} at its start"
        )
    if exit.code == 0:
        return Fault(
            "interpreter.odd",
            f"`{python}` is not a Python that runs modules: correct `python`",
            "it printed no tests",
        )
    return Fault(
        "pytest.plugin_broken", _plugin_remedy(text), f"pytest {how(exit)} before the probe was loaded"
    )


def _plugin_remedy(text: str) -> str:
    named = re.search(r'Error (?:importing|while loading) plugin "([^"]+)"', text)
    name = named.group(1) if named and named.group(1) != "pytest11" else _plugin_in(text)
    if name:
        return f"the plugin {name} raises while pytest loads: update or remove it, or add `-p no:{name}` to `args`"
    return "a plugin raises while pytest loads: see the traceback, and remove or update the package it names"


def _plugin_in(traceback: str) -> str:
    """The package in which a plugin's loading went wrong: the first file behind pytest's and Python's own loaders."""
    found = ""
    for line in re.findall(r'File "([^"]+)", line|^(\S+\.py):\d+: in ', traceback, re.MULTILINE):
        path = line[0] or line[1]
        if path.startswith("<") or _LOADERS.search(path):
            found = ""
        elif not found:
            found = path
    inside = found.rpartition("site-packages" + os.sep)[2].split(os.sep)
    name = inside[0] if len(inside) > 1 and "site-packages" in found else os.path.basename(found)
    return name.removesuffix(".py")


_LOADERS = re.compile(r"[/\\](_pytest|pytest|pluggy|importlib|importlib_metadata|runpy\.py)([/\\]|$)")


def _usage(exit: Exit) -> Fault:
    text = text_of(exit.stderr_tail)
    if "while loading conftest" in text:
        return Fault(
            "pytest.conftest", "correct the conftest file that the message names", "a conftest file raised"
        )
    found = re.search(r"ERROR: (-j \d+ needs pytest-xdist.*)", text)
    if found:
        remedy = "install pytest-xdist for the suite's interpreter, or leave -j out"
        return Fault("cli.at_once", remedy, found.group(1).strip())
    found = re.search(r"unrecognized arguments: (.+)", text)
    if found:
        remedy = f"remove {found.group(1).strip()} from the suite's args, or install the plugin that knows it"
        return Fault("pytest.usage", remedy, f"pytest does not know {found.group(1).strip()}")
    found = re.search(r"ERROR: (?:file or directory not found|not found): (.+)", text)
    if found:
        return Fault(
            "pytest.usage",
            f"correct `paths` of the suite: {found.group(1)} is not there",
            "a path was not found",
        )
    found = re.search(r"(?:ERROR|error): (.+)", text)
    why = found.group(1).strip() if found else "pytest refused its arguments"
    return Fault("pytest.usage", "correct `args` or `paths` of the suite, or pytest's own configuration", why)


def _internal(exit: Exit) -> str:
    lines = [line for line in text_of(exit.stdout_tail).splitlines() if line.startswith("INTERNALERROR>")]
    return "\n".join(line[len("INTERNALERROR> ") :] for line in lines)
