"""The session around the tests: what was collected, what could not be, and how it all ended.

These hooks run a few times per session. The controller of xdist workers gets a part of its own, which tells only
what no worker can tell: that a worker died.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
import signal
import sys
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import pytest

from _tkprobe.capture import OwnStream
from _tkprobe.collect import Finder, Ids, Selection
from _tkprobe.facts import TEXT_LIMIT, Frames, cut, message_of
from _tkprobe.failures import report_text
from _tkprobe.recorder import Recorder
from _tkprobe.spool import Spool, fields, quote

#: How long a worker that closed its pipe may take to be gone.
REAPED_WITHIN = 1.0


class Collecting:
    """Collection and the end of the session, in every process of a suite."""

    def __init__(self, spool: Spool, ids: Ids, frames: Frames, launch: str) -> None:
        self.spool = spool
        self.ids = ids
        self.frames = frames
        self.launch = launch
        self.suite = ""
        self.python_why = ""
        self.internal_error = ""
        self.finder: Optional[Finder] = None
        self.selection: Optional[Selection] = None
        self.recorder: Optional[Recorder] = None
        #: A worker other than the first: what it collects has been told.
        self.quiet = False
        self.worker = False
        self.at_end: Callable[[], None] = lambda: None
        self.chains: Dict[str, List[Dict[str, object]]] = {}
        self.reason = ""

    def pytest_exception_interact(self, call: Any, report: Any) -> None:
        if self.quiet or not isinstance(report, pytest.CollectReport):
            return
        with contextlib.suppress(Exception):
            self.chains[str(report.nodeid)] = self.frames.chain(call.excinfo.value)

    def pytest_collectreport(self, report: Any) -> None:
        if report.outcome != "failed" or self.quiet:
            return
        nodeid = str(report.nodeid)
        text = report_text(report)
        told = collection_failure(
            self.suite, self.ids.file(nodeid.partition("::")[0]), self.chains.pop(nodeid, []), text
        )
        self.spool.add_now(f'"discover.failed",{fields(told)}')

    def pytest_collection_finish(self, session: Any) -> None:
        if self.finder is None:
            return
        if not self.quiet:
            aside = self.selection.aside if self.selection is not None else {}
            told: Dict[str, object] = {
                "suite": self.suite,
                "runner": "pytest",
                "root": str(session.config.rootpath),
                "python": sys.executable,
                "python_why": self.python_why,
                "python_version": platform.python_version(),
                "framework": f"pytest {pytest.__version__}",
                "count": len(session.items) + len(aside),
                "launch": self.launch,
            }
            self.spool.add(f'"suite.found",{fields(told)}')
            self.finder.write(session.items, aside)
            if self.recorder is not None:
                self.recorder.quoted = self.finder.quoted(session.items, aside)
        self.finder = None

    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        self.reason = message_of(excinfo.value) or type(excinfo.value).__name__
        if self.recorder is not None:
            self.recorder.interrupted("cancelled", self.reason)

    def pytest_internalerror(self, excrepr: Any) -> None:
        self.reason = "internal error"
        text = self.internal_error = cut(str(excrepr), TEXT_LIMIT)
        if self.recorder is not None:
            self.recorder.interrupted("error", "pytest itself failed: " + text.strip().rpartition("\n")[2])

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> Iterator[None]:
        # Behind everybody else: other plugins change the status here.
        yield
        with contextlib.suppress(TypeError, ValueError):
            exitstatus = int(session.exitstatus)
        self._session_ended(session, int(exitstatus))

    def _session_ended(self, session: Any, status: int) -> None:
        if self.recorder is not None:
            if self.recorder.off:
                return
            self.recorder.interrupted("cancelled", "the session ended during the test")
        if self.spool.pid != os.getpid() or self.worker:
            return
        reason = self.reason or session.shouldfail or session.shouldstop or ""
        text = f',"text":{quote(self.internal_error)}' if self.internal_error else ""
        self.spool.add_now(f'"session.ended","exitstatus":{status},"reason":{quote(str(reason))}{text}')

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self.spool.pid == os.getpid():
            self.at_end()


class Directing:
    """xdist's controller: its workers tell their tests themselves, except the one that a worker died in."""

    def __init__(self, spool: Spool, ids: Ids, launch: str, attempts: Dict[str, int]) -> None:
        self.spool = spool
        self.ids = ids
        self.launch = quote(launch)
        self.attempts = attempts
        self.began: Dict[str, int] = {}
        #: How the worker that was last found dead ended, as members of a line and in words.
        self.death = ("", "")
        self.dead = 0

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        # xdist tells of the node first, and of the test that it was in right after.
        self.death, self.dead = ("", ""), 0
        if error:
            with contextlib.suppress(Exception):
                self.dead = node.gateway._io.popen.pid  # noqa: SLF001 - as below
                self.death = how_it_died(node.gateway._io.popen)  # noqa: SLF001 - nobody else knows its process

    def pytest_runtest_logstart(self, nodeid: Any) -> None:
        self.began[str(nodeid)] = self.spool.mono()

    def pytest_runtest_logfinish(self, nodeid: Any) -> None:
        self.began.pop(str(nodeid), None)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when != "???":
            return
        now = self.spool.mono()
        lasted = max(0, now - self.began.pop(str(report.nodeid), now))
        name = self.ids.scenario(str(report.nodeid))
        scenario, attempt = quote(name), self.attempts.get(name, 0) + 1
        members, words = self.death
        verdict, cause, reason = "crashed", "crash", cut(f"{report.longrepr}{words}", 2000)
        told = self._told(name)
        if told is not None:
            verdict, reason = str(told.get("verdict", "")), str(told.get("reason", ""))
            members, cause = "", "hang" if verdict == "timedout" else ""
        self.spool.add_now(
            f'"attempt.ended","scenario":{scenario},"attempt":{attempt},"verdict":{quote(verdict)},'
            f'"cause":{quote(cause) if cause else "null"},"d":{lasted},'
            f'"durations":{{}},"reason":{quote(reason)}{members},"launch":{self.launch}'
        )

    def _told(self, scenario: str) -> Optional[Dict[str, Any]]:
        """Why the agent ended the worker that was last found dead in this test; None where it did not."""
        place = os.path.join(glob.escape(self.spool.directory), f"ended.{self.dead}.*")
        for path in glob.glob(place) if self.dead else ():
            with contextlib.suppress(OSError, ValueError):
                with open(path, encoding="utf-8") as file:
                    told = json.load(file)
                if isinstance(told, dict) and told.get("scenario") == scenario:
                    return told
        return None


def how_it_died(process: Any) -> Tuple[str, str]:
    """The end of a worker whose pipe is closed already, as members of a line and in words."""
    code = int(process.wait(timeout=REAPED_WITHIN))
    if code >= 0:
        return f',"exit":{code},"signal":null', f": it exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f',"exit":null,"signal":{-code}', f": it was killed by {name}"


class Passthrough:
    """`-s`: nothing is captured, so the edges of each phase say which part of our own stdout is the test's."""

    def __init__(self, recorder: Recorder, streams: List[OwnStream]) -> None:
        self.recorder = recorder
        self.streams = streams

    def _edge(self, inside: bool) -> None:
        recorder = self.recorder
        with recorder.spool.lock, contextlib.suppress(OSError, ValueError):
            for stream in self.streams:
                if not inside:
                    stream.push()
                    stream.drain(recorder.output)
                else:
                    stream.skip()
            recorder.capture.sources = list(self.streams) if inside else []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._edge(True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        self._edge(True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        self._edge(True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self) -> None:
        self._edge(False)


def collection_failure(suite: str, file: str, chain: List[Dict[str, object]], text: str) -> Dict[str, object]:
    """The members of a `discover.failed` line."""
    root = chain[-1] if chain else {}
    message = f"{root['type']}: {root['message']}" if root else text.strip().rpartition("\n")[2]
    return {
        "suite": suite,
        "file": file,
        "message": cut(message, 2000),
        "failure": {"when": "collect", "cause": "launch", "chain": chain, "text": text},
        "remedy": remedy(root, file),
    }


def remedy(root: Dict[str, object], file: str) -> str:
    """What to do about an exception that kept a file from being collected."""
    kind, message = str(root.get("type", "")), str(root.get("message", ""))
    if kind == "ModuleNotFoundError" and message.startswith("No module named "):
        whole = message[len("No module named ") :].strip("'\"").partition("'")[0]
        module, _, below = whole.partition(".")
        if below and module in sys.modules:
            return f"{module!r} is there and has no {below!r}: correct the import in {file}, or give it that module"
        if (own := own_package(module)) is not None:
            return own
        return f"install the package that provides {module!r} for {sys.executable}, or correct the import in {file}"
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return f"correct the syntax of {file}"
    return f"run `{sys.executable} -m pytest --collect-only {file}` to see it alone"


def own_package(module: str) -> Optional[str]:
    """How a package of the project itself comes within reach of its tests; None where it is not the project's."""
    here = os.getcwd()
    for folder in (".", "src", "lib"):
        place = os.path.normpath(os.path.join(folder, module))
        if os.path.isdir(os.path.join(here, place)) or os.path.isfile(os.path.join(here, place + ".py")):
            break
    else:
        return None
    reach = f"say `pythonpath = {folder}` in pytest's configuration"
    if not any(
        os.path.isfile(os.path.join(here, name)) for name in ("pyproject.toml", "setup.py", "setup.cfg")
    ):
        return f"{module!r} is the project's own ({place}): {reach}"
    install = f"{sys.executable} -m pip install -e ."
    if os.path.isfile(os.path.join(here, "uv.lock")):
        install = "uv sync"
    return f"{module!r} is the project's own ({place}): `{install}` puts it there, or {reach}"


def conftest_failed(spool: Spool, suite: str, root: str, error: BaseException) -> None:
    """One of the first conftest files raised: pytest ends with a usage error right after this."""
    path = getattr(error, "path", None)
    if path is None:
        return
    cause: Any = getattr(error, "cause", None) or getattr(error, "excinfo", None)
    if isinstance(cause, tuple):
        cause = cause[1]
    inner = cause if isinstance(cause, BaseException) else error
    with contextlib.suppress(Exception):
        relative = os.path.relpath(str(path), os.getcwd())
        chain = Frames(root or os.getcwd(), os.getcwd(), True).chain(inner)
        told = collection_failure(suite, relative, chain, f"{type(inner).__name__}: {message_of(inner)}")
        told["conftest"] = True
        spool.add_now(f'"discover.failed",{fields(told)}')
