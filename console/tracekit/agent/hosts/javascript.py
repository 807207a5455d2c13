"""The host of vitest, jest, mocha and node:test: starts the project's own tool with a reporter of ours, and follows it.

Nothing is installed in the project. What a process that died had not come to runs in another one; a file that does not
load keeps the others from nothing.
"""

from __future__ import annotations

import json
import os
import pkgutil
import re
import signal
from collections.abc import Sequence
from typing import Any, Optional

from tracekit.agent import at_once
from tracekit.agent.hosts.cases import said
from tracekit.agent.hosts.crew import TICK, End
from tracekit.agent.hosts.following import Faces, Followed
from tracekit.agent.hosts.js_cases import ScriptCases, missing
from tracekit.agent.hosts.js_tools import TOOLS, Call, Node
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.system import System
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.names import E

_REPORTERS = {
    "vitest": ("tell.cjs", "vitest.mjs", "vitest_began.mjs"),
    "jest": ("tell.cjs", "jest.cjs"),
    "mocha": ("tell.cjs", "mocha.cjs"),
    "node": ("tell.cjs", "node_reporter.mjs", "node_choose.cjs", "node_hooks.cjs", "node_hooks.mjs"),
}
_LIST_SECONDS = 60.0
#: Tools that tell of a file's tests when they come to it: a death keeps the files behind it unknown.
_TOLD_BY_FILE = frozenset({"jest", "vitest"})
#: A file that dies again and again costs a start each time.
_MOST_ROUNDS = 50
_THROWN = re.compile(r"^(?:Uncaught )?(?P<what>[A-Z]\w*(?: \[\w+\])?: .+)$", re.MULTILINE)
_NOT_LOADED = re.compile(
    r"^(?:Uncaught )?(?P<what>(?:SyntaxError|Error \[ERR_MODULE_NOT_FOUND\]|Error: Cannot find module|"
    r"Error \[ERR_[A-Z_]+\]|TypeError \[ERR_UNKNOWN_FILE_EXTENSION\]).*)$",
    re.MULTILINE,
)


class JavaScript:
    """One launch."""

    def __init__(self, system: System, request: Request) -> None:
        self._system = system
        self._request = request
        self._told = Teller(system, request.spool, "main")
        self._cases = ScriptCases(system, request, self._told)
        self._home = os.path.join(request.spool, "reporters")
        self._tool = TOOLS[request.runner](request.more, request.cwd, self._home)
        bound = at_once.script(request.runner, request.at_once, self._tool.major)
        self._tool.args = (*request.args, *bound)
        self._tool.paths, self._tool.ignore = request.paths, request.ignore
        self._alive: list[Followed] = []
        self._stopping = False
        self._number = 0
        self._failed_end: Optional[tuple[End, list[str]]] = None
        self._cut_off: Optional[End] = None

    def run(self) -> int:
        """List, or run what was chosen; gives the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._told.line(E.SPAWNED, pid=os.getpid(), role="main")
        self._unpack()
        request = self._request
        only = None if request.only is None else [one.partition(SUBTEST_MARK)[0] for one in request.only]
        facts = {"suite": request.suite, "runner": request.runner, "root": request.cwd}
        framework = " ".join(one for one in (request.runner, self._tool.version) if one)
        self._told.line(
            E.SUITE_FOUND, **facts, framework=framework, count=len(only or ()), launch=request.launch
        )
        if request.discovers:
            self._list(self._tool.all(discovers=True))
            nothing = self._failed_end is not None and not self._cases.any
            return self._concluded() if nothing else self._ended(0)
        if only is None and request.isolate:
            only = self._without_isolated()
        self._all(only)
        self._left_out()
        return self._concluded()

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for followed in self._alive:
            followed.stop()

    def _unpack(self) -> None:
        """Put the reporters where node can load them; the agent itself may be one file."""
        os.makedirs(self._home, exist_ok=True)
        for name in _REPORTERS[self._request.runner]:
            data = pkgutil.get_data("tracekit.agent.hosts", f"js/{name}")
            with open(os.path.join(self._home, name), "wb") as file:
                file.write(data or b"")

    def _ended(self, status: int, **more: Any) -> int:
        self._told.settle()
        reason = "cancelled" if self._stopping else ""
        whys = dict(self._cases.whys)
        for name in self._cases.places if self._cases.broken else ():
            file = name.removeprefix(self._request.prefix).partition("::")[0]
            if file in self._cases.broken:
                whys.setdefault(name, f"{file} does not load")
        if whys:
            more["whys"] = whys
        self._told.line(E.SESSION_ENDED, exitstatus=status, reason=reason, **more)
        return status

    # -- listing

    def _without_isolated(self) -> list[str]:
        """All there are but those that are left for a process of their own."""
        self._list(self._tool.all(discovers=True))
        return [name for name in self._cases.places if self._request.aside(name) is None]

    def _list(self, calls: Sequence[Call]) -> None:
        for followed, call in self._follow(calls, discovers=True, seconds=_LIST_SECONDS):
            told = self._unloaded(followed, call, self._cases.places) or self._cases.any
            if isinstance(self._tool, Node) and followed.ended is not None:
                told = self._whole_file(followed, call) or told
            if not told and followed.ended is not None and followed.ended.code != 0:
                # Its tool did not come as far as to look for tests.
                self._failed_end = (followed.ended, list(call.words))

    def _unloaded(self, followed: Followed, call: Call, known: Any) -> bool:
        """Tell of a file that did not load; False where it did, as far as one can see."""
        end = followed.ended
        prefix = self._under(call.file)
        if end is None or not end.code or not call.file or any(name.startswith(prefix) for name in known):
            return False
        text = end.err.decode("utf-8", "replace")
        found = _NOT_LOADED.search(text)
        if found is None:
            return False
        line = {"e": "discover.failed", "file": call.file, "message": found.group("what"), "detail": text}
        self._cases.told(followed, line)
        return True

    def _whole_file(self, followed: Followed, call: Call) -> bool:
        """Of a file that was listed: what there is to say of it as a whole."""
        if call.file in self._cases.broken:
            return True
        if self._holds_tests(call.file):
            if followed.ended is not None and followed.ended.code:
                self._ends_early(call.file, followed.ended)
            return True
        # A file without any test is one test, as it is for node.
        self._cases.told(
            followed, {"e": E.SCENARIO_FOUND, "names": [call.file], "file": call.file, "line": 1}
        )
        return True

    def _under(self, place: str) -> str:
        """What the ids of all that stands in a file, or in a group of one, begin with."""
        return f"{self._request.prefix}{place}::"

    def _holds_tests(self, file: str) -> bool:
        prefix = self._under(file)
        return any(name.startswith(prefix) for name in self._cases.places)

    def _ends_early(self, file: str, end: End) -> None:
        """A file that names tests and is over before the first of them."""
        text = end.err.decode("utf-8", "replace")
        found = _THROWN.search(text)
        message = found.group("what") if found else f"the file {end.how} before any of its tests"
        self._cases.unloaded({"file": file, "message": message, "detail": text or said(end)})

    def _left_out(self) -> None:
        """Tell of the tests in groups that were left out whole: their tool does not come to them."""
        only = self._request.only
        groups = {
            self._under(group): told
            for group, told in self._cases.left_out.items()
            if only is None or any(one.startswith(self._under(group)) for one in only)
        }
        if groups and not self._stopping and isinstance(self._tool, Node):
            self._list(
                [self._tool.listing(file) for file in dict.fromkeys(file for file, _ in groups.values())]
            )
            for name in list(self._cases.places):
                reason = next((why for start, (_, why) in groups.items() if name.startswith(start)), None)
                if reason is not None:
                    self._cases.skip(name, reason)

    # -- running

    def _all(self, only: Optional[list[str]]) -> None:
        """Run them; what a process that died had not come to runs in another one."""
        calls = self._calls(only)
        left: Optional[list[str]] = only
        for _ in range(_MOST_ROUNDS):
            if not calls or self._stopping:
                return
            again: list[str] = []
            for followed, call in self._follow(calls, discovers=False):
                again += self._over(followed, call, left)
            ended = self._cases.ended()
            again = [
                one
                for one in dict.fromkeys(again)
                if one not in ended or self._cases.verdict(one) == "cancelled"
            ]
            if left is not None and set(again) == set(left):
                return
            calls, left = (self._calls(again) if again else []), again

    def _calls(self, only: Optional[Sequence[str]]) -> list[Call]:
        if only is None:
            return self._tool.all(discovers=False)
        prefix = self._request.prefix
        return self._tool.some([(one, one.removeprefix(prefix)) for one in only]) if only else []

    def _over(self, followed: Followed, call: Call, asked: Optional[list[str]]) -> list[str]:
        """One process has ended; gives what has to run again."""
        end = followed.ended
        if end is None or self._stopping:
            return []
        began = self._cases.running(followed)
        again = self._cases.close(followed, end, followed.note)
        cut_off = bool(began) or not followed.concluded
        if self._unloaded(followed, call, self._cases.ended()):
            return again
        if not self._cases.any and end.code != 0:
            self._failed_end = (end, list(call.words))
            return []
        if call.file and not call.only and not self._said_of(call.file):
            if isinstance(self._tool, Node):
                self._list([self._tool.listing(call.file)])
            if call.file in self._cases.broken:
                return again
            if self._holds_tests(call.file):
                if not self._all_left_out(call.file):
                    self._ends_early(call.file, end)
                return again
            self._file_itself(followed, call, end)
            return again
        if end.code != 0 and not self._cases.red and not self._cases.broken:
            self._failed_end = (end, list(call.words))
        if cut_off:
            again += self._not_come_to(followed, call, asked)
        if cut_off and not began:
            # Its tool tells no beginnings, or it died between two tests: nobody knows whose fault that was.
            self._cut_off = end
        return again

    def _not_come_to(self, followed: Followed, call: Call, asked: Optional[list[str]]) -> list[str]:
        """What a process that died would still have run."""
        if call.only is not None:
            return missing(call.only, self._cases)
        if isinstance(self._tool, Node):
            self._list([self._tool.listing(call.file)])
        elif self._request.runner in _TOLD_BY_FILE and not self._cases.has_come_to_all(followed):
            self._list(self._tool.all(discovers=True))
        known = list(self._cases.places) if asked is None else asked
        prefix = self._under(call.file) if call.file else self._request.prefix
        return missing([one for one in known if one.startswith(prefix)], self._cases)

    def _all_left_out(self, file: str) -> bool:
        prefix = self._under(file)
        groups = tuple(map(self._under, self._cases.left_out))
        return all(name.startswith(groups) for name in self._cases.places if name.startswith(prefix))

    def _said_of(self, file: str) -> bool:
        prefix = self._under(file)
        return any(name.startswith(prefix) for name in self._cases.ended())

    def _file_itself(self, followed: Followed, call: Call, end: End) -> None:
        """A file without any test is one test, as it is for node."""
        head = {"names": [call.file]}
        self._cases.told(followed, {"e": E.SCENARIO_FOUND, **head, "file": call.file, "line": 1})
        self._cases.told(followed, {"e": E.ATTEMPT_STARTED, **head})
        if end.code:
            text = said(end)
            link = {"type": "exit status", "message": f"the file {end.how}", "module": "", "notes": []}
            chain = [{**link, "relation": None, "frames": []}]
            self._cases.told(
                followed, {"e": E.FAILURE, **head, "chain": chain, "text": text, "cause": "exception"}
            )
        verdict = "passed" if end.code == 0 else "failed" if end.signal is None else "crashed"
        self._cases.told(followed, {"e": E.ATTEMPT_ENDED, **head, "verdict": verdict})

    # -- processes

    def _follow(
        self, calls: Sequence[Call], *, discovers: bool, seconds: float = 0.0
    ) -> list[tuple[Followed, Call]]:
        """Run these to their ends, some at a time."""
        waiting = list(reversed(calls))
        every = self._request.at_once or max(1, (os.cpu_count() or 1) - 1)
        most = every if len(calls) > 1 and calls[0].file else 1
        running: list[tuple[Followed, Call, float]] = []
        over: list[tuple[Followed, Call]] = []
        clock = self._system.clock
        while waiting or running:
            while waiting and len(running) < most and not self._stopping:
                call = waiting.pop()
                followed = self._started(call, discovers=discovers)
                if followed is not None:
                    running.append((followed, call, clock.seconds()))
            if self._stopping:
                waiting = []
            for one in list(running):
                followed, call, since = one
                if followed.step():
                    running.remove(one)
                    self._alive.remove(followed)
                    over.append((followed, call))
                elif seconds and clock.seconds() - since > seconds:
                    followed.kill()
            if running:
                clock.sleep(TICK)
        return over

    def _started(self, call: Call, *, discovers: bool) -> Optional[Followed]:
        self._number += 1
        # The launches of a run share its spool.
        request, name = self._request, f"{self._request.launch}.js{self._number}"
        faces = Faces(self._cases.heard, self._cases.told)
        followed = Followed(self._system, request.spool, name, faces)
        asked = os.path.join(request.spool, f"{name}.json")
        prefix = request.prefix
        only = None if call.only is None else [one.removeprefix(prefix) for one in call.only]
        told = {"file": followed.report, "cwd": request.cwd, "only": only, "discovers": discovers}
        with open(asked, "w", encoding="ascii") as file:
            json.dump(told, file)
        try:
            followed.start([self._tool.node, *call.words], request.cwd, {"TRACEKIT_REPORTER": asked})
        except OSError as fault:
            what = f"cannot start {self._tool.node}: {fault.strerror}"
            problem = {
                "code": f"{request.runner}.failed",
                "what": what,
                "remedy": "see whether node is whole",
            }
            self._cases.faults.append({"message": problem["what"], "detail": problem["remedy"]})
            return None
        self._alive.append(followed)
        return followed

    # -- the end

    def _concluded(self) -> int:
        if self._stopping:
            return self._ended(2)
        runner, cases = self._request.runner, self._cases
        if self._failed_end is not None and not cases.any:
            end, words = self._failed_end
            what = f"{runner} {end.how} before it told of any test"
            remedy = f"see what {runner} says; run it alone in {self._request.cwd}"
            fault = {"code": f"{runner}.failed", "what": what, "remedy": remedy, "command": words}
            return self._ended(1, fault={**fault, "exit": end.code, "text": said(end)})
        first = cases.faults[0] if cases.faults else None
        if first is not None:
            facts = {"exit": 1, "message": first["message"], "detail": first["detail"]}
            remedy = "it belongs to no test: look for what goes on behind a test's end"
            return self._ended(1, failed={**facts, "code": f"{runner}.unhandled", "remedy": remedy})
        if self._cut_off is not None:
            message = (
                f"{runner} {self._cut_off.how} before it had told of all, and of no test that it was running"
            )
            facts = {"exit": self._cut_off.code, "message": message, "detail": said(self._cut_off)}
            remedy = "look for a test that ends the process; a newer version may say which"
            return self._ended(1, failed={**facts, "code": f"{runner}.cut_off", "remedy": remedy})
        if self._failed_end is not None and not cases.red:
            end, _ = self._failed_end
            message = f"no test is red, and {runner} {end.how}"
            facts = {"exit": end.code, "message": message, "detail": said(end), "code": f"{runner}.status"}
            return self._ended(1, failed={**facts, "remedy": f"see what {runner} printed"})
        return self._ended(0)
