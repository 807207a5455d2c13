"""The host of any command: starts it once, reads what it reports while it is written, and has each case told.

Cases are scenarios of their own where the profile says how to list or to choose them; else they are parts of one,
which is the command as a whole.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import re
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, Optional

from tracekit.agent.hosts.cases import Cases, said
from tracekit.agent.hosts.crew import CHUNK, TICK, End
from tracekit.agent.hosts.journal import JournalReader
from tracekit.agent.hosts.request import Request
from tracekit.agent.hosts.telling import Teller
from tracekit.agent.paths import read_json, told_name
from tracekit.agent.reports.cases import CutShortError, Reader, ReportError
from tracekit.agent.reports.readers import reader
from tracekit.agent.system import System
from tracekit.wire.names import E

LIST_SECONDS = 60.0
MOST_NAMES = 10
_CHOICE = re.compile(r"\{names(?P<joint>[^}]?)\}")
#: Formats that are one document: nothing can be said before its end.
_WHOLE = frozenset({"junit", "ctrf"})
_NO_FILE = (0, 0)


class Command:
    """One launch."""

    def __init__(self, system: System, request: Request) -> None:
        self._system = system
        self._request = request
        self._told = Teller(system, request.spool, "main")
        more = request.more
        report = more.get("report") or ["", ""]
        self._format, self._place = str(report[0]), str(report[1])
        self._list = [str(word) for word in more.get("list") or ()]
        self._choose = [str(word) for word in more.get("choose") or ()]
        self._run = [*(str(word) for word in more.get("run") or ()), *request.args]
        # Whether cases are scenarios of their own.
        self._apart = bool(self._format) and bool(self._list or self._choose)
        self._cases = self._made_cases()
        self._cases.program = os.path.basename(self._run[0]) if self._run else ""
        self._fault = ""
        self._listed_names: set[str] = set()
        self._note: Optional[dict[str, Any]] = None
        # What lay at the place of the report when the command began, by its path: it tells nothing of this launch.
        self._older: dict[str, tuple[int, int]] = {}
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._stopping = False

    def _made_cases(self) -> Cases:
        return Cases(self._system, self._request, self._told, apart=self._apart)

    def run(self) -> int:
        """List, or run the command to its end; gives the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._told.line(E.SPAWNED, pid=os.getpid(), role="main")
        names = self._names()
        if names is None:
            return 1
        self._listed_names = {self._request.prefix + name for name in names}
        self._tell(names)
        if self._request.discovers:
            return self._ended(0)
        command = self._command(names)
        end = self._started(command)
        if end is None:
            return 1
        return self._concluded(command, end)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        if self._process is not None:
            self._system.processes.signal_group(self._process.pid, signal.SIGTERM)

    def _ended(self, status: int, **more: Any) -> int:
        reason = "cancelled" if self._stopping else ""
        self._told.line(E.SESSION_ENDED, exitstatus=status, reason=reason, **more)
        return status

    def _failed(self, command: list[str], what: str, remedy: str, **more: Any) -> None:
        fault = {"code": "command.failed", "what": what, "remedy": remedy, "command": command, **more}
        self._ended(1, fault=fault)

    # -- what there is

    def _names(self) -> Optional[list[str]]:
        """The names of all cases as far as somebody says; None when the list failed, which is told."""
        if not self._list:
            return []
        try:
            done = subprocess.run(
                self._list,
                cwd=self._request.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=LIST_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            what = f"the list of tests did not end within {LIST_SECONDS:g} s"
            self._failed(self._list, what, "mend the command in `list`, or remove it")
            return None
        except OSError as fault:
            self._unstarted(self._list, fault, "list")
            return None
        if done.returncode:
            what = f"the list of tests ended with status {done.returncode}"
            self._failed(self._list, what, "mend the command in `list`, or remove it", exit=done.returncode)
            return None
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        return list(dict.fromkeys(line.strip() for line in lines if line.strip()))

    def _unstarted(self, command: list[str], fault: OSError, key: str) -> None:
        missing = isinstance(fault, FileNotFoundError)
        what = (
            f"unavailable: {command[0]} was not found"
            if missing
            else f"cannot start {command[0]}: {fault.strerror}"
        )
        remedy = f"install it, or mend `{key}` of the suite: it is a program and its arguments, no line for a shell"
        self._failed(command, what, remedy)

    def _tell(self, names: list[str]) -> None:
        request = self._request
        facts = {"suite": request.suite, "runner": "command"}
        wanted = None if request.only is None else set(request.only)
        found = [(request.prefix + name, name.split("::")) for name in names]
        if wanted is not None:
            found = [one for one in found if one[0] in wanted]
            # What was seen in an earlier run and is in no list is asked for by its name.
            known = {one[0] for one in found}
            found += [
                (one, self._cases.names(one))
                for one in request.only or ()
                if self._apart and one not in known
            ]
        if not self._apart:
            found = [(self._cases.whole, self._cases.names(self._cases.whole))]
        framework = " ".join(self._run)[:200]
        self._told.line(
            E.SUITE_FOUND,
            **facts,
            root=request.cwd,
            framework=framework,
            count=len(found),
            launch=request.launch,
        )
        for scenario, path in found:
            self._cases.found(scenario, path)

    def _command(self, names: list[str]) -> list[str]:
        """The command, narrowed to what was chosen where the profile says how."""
        only = self._request.only
        if only is None:
            return self._run
        if not (self._apart and self._choose):
            if self._apart:
                message = "this command cannot be asked for some of its tests: all of it runs"
                action = "say how it is asked with `only` in the suite's table"
                self._told.line(E.WARNING, message=message, category="command", action=action)
            return self._run
        chosen = [self._cases.names(scenario)[-1] for scenario in only]
        words: list[str] = []
        for word in self._choose:
            found = _CHOICE.search(word)
            if found is None:
                words.append(word)
            elif found.group("joint"):
                words.append(word.replace(found.group(0), found.group("joint").join(chosen)))
            else:
                words += [word.replace(found.group(0), name) for name in chosen]
        return [*self._run, *words]

    # -- running it

    def _started(self, command: list[str]) -> Optional[End]:
        """Run it and read along; None when it could not be started, which is told."""
        request, files = self._request, [self._file(number) for number in (1, 2)]
        self._older = {path: _mark(path) for path in self._reports()}
        try:
            self._process = subprocess.Popen(
                command,
                cwd=request.cwd,
                stdin=subprocess.DEVNULL,
                stdout=files[0],
                stderr=files[1],
                start_new_session=True,
            )
        except OSError as fault:
            self._unstarted(command, fault, "run")
            return None
        self._cases.pid = self._process.pid
        if not self._apart:
            self._cases.begin(self._cases.whole)
        try:
            return self._followed(self._process, files)
        finally:
            for file in files:
                os.close(file)

    def _file(self, stream: int) -> int:
        path = os.path.join(self._request.spool, f"command.{stream}")
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        return file

    def _followed(self, process: subprocess.Popen[bytes], files: list[int]) -> End:
        """Read what it writes until it has ended, and to the end of that."""
        reading = self._reader()
        report = None if self._place == "-" or self._format in _WHOLE else self._place
        places = [0, 0, 0]
        tails = [b"", b""]
        started = self._system.processes.started(process.pid)
        ended = False
        while True:
            last = ended
            for stream, file in enumerate(files):
                while data := os.pread(file, CHUNK, places[stream]):
                    places[stream] += len(data)
                    tails[stream] = (tails[stream] + data)[-CHUNK:]
                    if stream == 0 and self._place == "-" and reading is not None:
                        reading = self._read(reading, data)
                    else:
                        self._cases.printed(("stdout", "stderr")[stream], data)
            if report and reading is not None:
                reading, places[2] = self._tail(reading, report, places[2])
            if last:
                break
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            if not ended:
                self._system.clock.sleep(TICK)
        self._system.processes.signal_group(process.pid, signal.SIGKILL)
        code = process.wait()
        self._note = read_json(os.path.join(self._request.spool, told_name(process.pid, started)))
        if not self._stopping and self._note is None:
            self._finish(reading)
        return End(None if code < 0 else code, -code if code < 0 else None, tails[0], tails[1])

    def _reader(self) -> Optional[Reader]:
        if self._format == "journal":
            return JournalReader()
        return reader(self._format) if self._format and self._format not in _WHOLE else None

    def _read(self, reading: Reader, data: bytes) -> Optional[Reader]:
        return reading if self._read_by(functools.partial(reading.feed, data)) else None

    def _read_by(self, step: Callable[[], list[Any]], where: str = "") -> bool:
        """Tell what one step of reading tells; whether the report is sound so far."""
        try:
            self._cases.take(step())
        except ReportError as fault:
            if isinstance(fault, CutShortError):
                self._cases.take(fault.found)
            self._fault = f"{where}{fault}"
            return False
        return True

    def _tail(self, reading: Reader, report: str, place: int) -> tuple[Optional[Reader], int]:
        path = os.path.join(self._request.cwd, report)
        still: Optional[Reader] = reading
        with contextlib.suppress(OSError):
            if _mark(path) == self._older.get(path):
                return reading, place
            with open(path, "rb") as file:
                file.seek(place)
                while still is not None and (data := file.read(CHUNK)):
                    place += len(data)
                    still = self._read(still, data)
        return still, place

    def _finish(self, reading: Optional[Reader]) -> None:
        """The rest of the report, or all of it."""
        if self._format in _WHOLE:
            self._documents()
            return
        paths = self._reports()
        if reading is not None and (not paths or self._came(paths)):
            self._read_by(reading.close)

    def _came(self, paths: list[str]) -> list[str]:
        """Those of these files that were written since the command began; where there are none, that is the fault."""
        fresh = [path for path in paths if _mark(path) != self._older.get(path)]
        if not fresh:
            old = (
                " (what is there is of an earlier run)"
                if any(_mark(path) != _NO_FILE for path in paths)
                else ""
            )
            self._fault = f"no report came: {self._place}{old}"
        return fresh

    def _reports(self) -> list[str]:
        """The files that lie where reports are awaited."""
        if not self._format or self._place == "-":
            return []
        if self._format not in _WHOLE:
            return [os.path.join(self._request.cwd, self._place)]
        pattern = os.path.join(glob.escape(self._request.cwd), self._place)
        return sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))

    def _documents(self) -> None:
        for path in self._came(self._reports()):
            where = os.path.relpath(path, self._request.cwd)
            try:
                self._document(reader(self._format), path, f"{where}: ")
            except OSError as fault:
                self._fault = f"{where}: {fault}"

    def _document(self, reading: Reader, path: str, where: str) -> None:
        with open(path, "rb") as file:
            while data := file.read(CHUNK):
                if not self._read_by(functools.partial(reading.feed, data), where):
                    return
        self._read_by(reading.close, where)

    def _concluded(self, command: list[str], end: End) -> int:
        """The command is over: what of it is not yet told."""
        if self._stopping:
            return self._ended(2)
        self._unlisted()
        fault = self._fault
        if self._format and not (fault or self._cases.any or end.code or self._note):
            fault = "the report tells of no test"
        if not self._cases.conclude(end, self._note, fault):
            return self._ended(0)
        message = fault or ("" if self._cases.red else "no test is red")
        if end.code or not fault:
            message += f"{', and ' if message else ''}the command {end.how}"
        facts = {"exit": end.code, "message": message, "detail": said(end), "code": "command.report"}
        remedy = "see what the command printed, and `report` of the suite"
        return self._ended(1, failed={**facts, "remedy": remedy})

    def _unlisted(self) -> None:
        """Tell of tests that the report has and the list has not: nobody finds those but by a whole run."""
        if not (self._list and self._apart) or self._request.only is not None:
            return
        more = [name for name in self._cases.begun if name not in self._listed_names]
        if more:
            names = some([one.removeprefix(self._request.prefix) for one in more])
            message = f"the report tells of tests that `list` does not name: {names}"
            action = "mend the command in `list` of the suite"
            self._told.line(E.WARNING, message=message, category="command", action=action)


def some(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _mark(path: str) -> tuple[int, int]:
    """What changes with whatever is written into a file or put in its place; times alone are of a coarse grain."""
    try:
        found = os.stat(path)
    except OSError:
        return _NO_FILE
    return found.st_ino, found.st_ctime_ns
