"""Asks test processes for the stacks of their threads, and reads what they wrote.

A process is sent a signal only when it said that it understands it: another one would die of it. It sends nothing to a
process whose number has been given to another.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from tracekit.agent.ingest import Spool
from tracekit.agent.progress import Facts
from tracekit.agent.system import System, read_range, size_of
from tracekit.agent.watch import Alarm
from tracekit.wire.lines import LineError, decode

if TYPE_CHECKING:
    from tracekit.agent.native_stacks import NativeStacks

SUFFIX = ".stacks"
# How long its tasks are waited for behind its threads: code that never gives up the interpreter tells none.
PATIENCE = 1.0
# A process that says nothing by then cannot: it is stopped, or blocks its signals. One that got no processor yet will.
MOST_PATIENCE = 5.0
MOST = 256 * 1024
_NAME = re.compile(r"^(?P<role>.+)-(?P<pid>\d+)-(?P<started>\d+)\.ndjson$")
_THREAD = re.compile(r"^(?P<current>Current thread|Thread) (?P<thread>0x[0-9a-fA-F]+)(?: \[(?P<name>.*?)\])?")
_TASK = re.compile(r"^Task \[(?P<task>.*)\] (?P<coroutine>.*)$")
_END = b"\nEnd\n"
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')


class Process(NamedTuple):
    """A test process, and the signals that it understands."""

    pid: int
    started: int
    dump: int
    stop: int
    stacks: str
    # Whether it writes its tasks behind its threads, and says when it is done.
    tasks: bool = False


class Answer(NamedTuple):
    """The stacks of one alarm's process; empty when there was no answer."""

    alarm: Alarm
    stacks: list[dict[str, Any]]


class _Asked(NamedTuple):
    alarm: Alarm
    process: Optional[Process]
    offset: int
    at: float
    native: Optional[NativeStacks] = None


class Stacks:
    """The questions of one run that are open."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._asked: list[_Asked] = []

    def ask(self, alarm: Alarm, pid: object, spools: list[Spool], compiled: str = "") -> None:
        """Have the process of an attempt write its stacks; of compiled code, below this directory, others know them."""
        if compiled and type(pid) is int:
            # Most runs never need it.
            from tracekit.agent.native_stacks import NativeStacks

            # Only one debugger may look at a process at a time: who asks meanwhile is told the same.
            ends = alarm.limit == "timeout"
            open_ = (one.native for one in self._asked if one.native is not None)
            same = (native for native in open_ if (native.pid, native.debugger) == (pid, ends))
            native = next(same, None) or NativeStacks(self._system, pid, compiled, debugger=ends)
            self._asked.append(_Asked(alarm, None, 0, 0.0, native))
            return
        process = process_of(pid, spools)
        offset = 0
        if process is not None and process.dump:
            offset = size_of(process.stacks)
            if self._signal(process, process.dump):
                self._asked.append(_Asked(alarm, process, offset, self._system.clock.seconds()))
                return
        self._asked.append(_Asked(alarm, None, 0, 0.0))

    def stop(self, pid: object, spools: list[Spool]) -> bool:
        """Have the process of an attempt end it by itself; False when it cannot."""
        process = process_of(pid, spools)
        return process is not None and bool(process.stop) and self._signal(process, process.stop)

    def answers(self) -> list[Answer]:
        """What has been answered, and what will not be any more."""
        now = self._system.clock.seconds()
        found: list[Answer] = []
        for asked in list(self._asked):
            data = b""
            if asked.native is not None:
                threads = asked.native.answer(asked.alarm.scenario.partition("::")[2])
                if threads is not None:
                    self._asked.remove(asked)
                    found.append(Answer(asked.alarm, threads))
                continue
            if asked.process is not None:
                data = read_range(asked.process.stacks, asked.offset, MOST)
                patience = PATIENCE if _whole(data) else MOST_PATIENCE
                whole = _END in data if asked.process.tasks else _whole(data)
                if not whole and now - asked.at < patience:
                    continue
            self._asked.remove(asked)
            found.append(Answer(asked.alarm, parse(data.decode("utf-8", "replace"))))
        return found

    def _signal(self, process: Process, number: int) -> bool:
        processes = self._system.processes
        return processes.started(process.pid) == process.started and processes.signal(process.pid, number)


def process_of(pid: object, spools: list[Spool]) -> Optional[Process]:
    """The process with this number among a launch's, by its own first words."""
    for spool in spools:
        found = _NAME.match(spool.name)
        if found is None or found.group("pid") != str(pid):
            continue
        for line in read_range(spool.path, 0, 8192).splitlines()[:3]:
            try:
                told = decode(line)
            except LineError:
                continue
            if told.get("e") == "process.spawned":
                dump, stop = told.get("dump"), told.get("stop")
                base = spool.path[: -len(".ndjson")]
                return Process(
                    int(found.group("pid")),
                    int(found.group("started")),
                    dump if type(dump) is int else 0,
                    stop if type(stop) is int else 0,
                    base + SUFFIX,
                    told.get("tasks") is True,
                )
    return None


def members(spools: list[Spool]) -> list[tuple[int, int]]:
    """The processes of a launch that told of themselves, each with its start."""
    found = (_NAME.match(spool.name) for spool in spools)
    return [(int(match.group("pid")), int(match.group("started"))) for match in found if match is not None]


def voices(spools: list[Spool]) -> list[str]:
    """The pids of a launch's processes that run tests: its workers, or the one that does it all."""
    found = [match for match in (_NAME.match(spool.name) for spool in spools) if match is not None]
    workers = [match for match in found if match.group("role").startswith("gw")]
    return [match.group("pid") for match in workers or found if match.group("role") != "child"]


def silent(pid: object, spools: list[Spool], facts: Facts) -> dict[str, Any]:
    """Which process of a launch says nothing: its number, what it is called where there are several, its last test."""
    found = (match for match in (_NAME.match(spool.name) for spool in spools) if match is not None)
    role = next((match.group("role") for match in found if match.group("pid") == str(pid)), "")
    if not role:
        return {}
    told: dict[str, Any] = {"pid": int(str(pid))}
    if role.startswith("gw"):
        told["worker"] = role
    last = facts.last_of(told["pid"])
    if last:
        told["last"] = last
    return told


def parse(text: str) -> list[dict[str, Any]]:
    """What the fault handler and the probe write, as threads and tasks with their frames, the innermost first."""
    threads: list[dict[str, Any]] = []
    for line in text.splitlines():
        head = _THREAD.match(line)
        if head is not None:
            thread: dict[str, Any] = {
                "thread": head.group("thread"),
                "current": head.group("current") != "Thread",
                "frames": [],
            }
            if head.group("name"):
                thread["name"] = head.group("name")
            threads.append(thread)
            continue
        task = _TASK.match(line)
        if task is not None:
            threads.append({**task.groupdict(), "current": False, "frames": []})
            continue
        frame = _FRAME.match(line)
        if frame is not None and threads:
            number = frame.group("line")
            threads[-1]["frames"].append(
                {
                    "file": frame.group("file"),
                    "line": int(number) if number.isdigit() else 0,
                    "function": frame.group("function"),
                }
            )
    # The thread that took the signal runs the test; it comes last in the file.
    return sorted(threads, key=lambda thread: not thread["current"])


def _whole(data: bytes) -> bool:
    """Whether the current thread, which is written last, is there to its end."""
    tail = data[data.rfind(b"Current thread") :] if b"Current thread" in data else b""
    return bool(tail) and tail.endswith(b"\n") and b"\n  " in tail
