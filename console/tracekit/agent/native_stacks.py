"""The stacks of a process of compiled code: by gdb where it is installed and may look, else what the kernel says.

The kernel knows the names of threads and what each waits for, and no line of source. A debugger stops the process for
the moment in which it looks; it is told to read no script of anybody's, and has an end. Whatever becomes of it, the
process runs on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from typing import Any, Optional

from tracekit.agent.system import System

#: How long a debugger may read symbols and stacks.
PATIENCE = 10.0
#: How long it may take to let go when it is asked to.
_LETS_GO = 2.0
#: What it says when it has let go of the process.
_LET_GO = " detached]"
_STOPPED = "T"
#: All that it is told of ours: its own Python would run what a project's variables name, and its words be anybody's.
_ENVIRON = {"LC_ALL": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
_FRAMES = 48
_THREADS = 200
_MOST = 1 << 20
_THREAD = re.compile(
    r'^Thread \d+ \((?:(?:.*\()?LWP (?P<lwp>\d+)\)?|process (?P<pid>\d+))(?: "(?P<name>.*)")?.*\):$'
)
_FRAME = re.compile(
    r"^#\d+\s+(?:0x[0-9a-f]+ in )?(?P<function>\S.*) \(.*?\)(?: at (?P<file>.+?):(?P<line>\d+)| from \S+)?$"
)
_HASH = re.compile(r"::h[0-9a-f]{16}$")
#: It runs what rustdoc built: its own stacks say nothing of a test.
_CARGO = "cargo"
#: A name of a thread as the kernel keeps it.
_COMM = 15
_STATES = {"R": "runs", "S": "waits", "D": "waits for a device", "T": "is stopped", "t": "is traced"}


class NativeStacks:
    """One question about one process, which may run several tests at once.

    A debugger stops the process and interrupts what its system calls wait for, which not every test takes well: it is
    asked only of one that is to be ended anyway. Of any other the kernel alone tells.
    """

    def __init__(self, system: System, pid: int, root: str, *, debugger: bool) -> None:
        self._clock = system.clock
        self._processes = system.processes
        self.pid = pid
        self._started_at = system.processes.started(pid)
        self._stopped = _state(pid) == _STOPPED
        self._asked = False
        self._told: Optional[list[dict[str, Any]]] = None
        self._root = root
        self.debugger = debugger
        self._at = system.clock.seconds()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
        self._debugger = self._started()

    def answer(self, test: str) -> Optional[list[dict[str, Any]]]:
        """The threads with their frames, the innermost first, that of the test before the others; None while nobody
        knows them yet.
        """
        if self._told is None:
            self._told = self._threads()
        return None if self._told is None else _sorted(self._told, test)

    def _threads(self) -> Optional[list[dict[str, Any]]]:
        process = self._debugger
        if process is not None and process.poll() is None:
            waited = self._clock.seconds() - self._at
            if waited >= PATIENCE and not self._asked:
                self._asked = True
                process.terminate()
            if waited < PATIENCE + _LETS_GO:
                return None
            process.kill()
            process.wait()
        self._file.seek(0)
        text = self._file.read(_MOST).decode("utf-8", "replace")
        self._file.close()
        if process is not None:
            self._processes.helpers.discard(process.pid)
            if _LET_GO not in text:
                self._runs_on()
        return parse(text, self._root) or self._kernels()

    def _runs_on(self) -> None:
        """A debugger that died while it took hold of threads leaves them stopped; who was so before stays so."""
        if not self._stopped and self._processes.started(self.pid) == self._started_at:
            self._processes.signal(self.pid, signal.SIGCONT)

    def _started(self) -> Optional[subprocess.Popen[bytes]]:
        gdb = shutil.which("gdb") if self.debugger else None
        if gdb is None or _read(f"/proc/{self.pid}/comm") == _CARGO:
            return None
        command = [gdb, "-nx", "-batch", "-iex", "set auto-load no", "-iex", "set debuginfod enabled off"]
        command += ["-p", str(self.pid), "-ex", "set print frame-arguments none"]
        command += ["-ex", f"thread apply all backtrace {_FRAMES}"]
        with contextlib.suppress(OSError):
            process = subprocess.Popen(
                command,
                cwd="/",
                env={"PATH": os.environ.get("PATH", ""), **_ENVIRON},
                stdin=subprocess.DEVNULL,
                stdout=self._file,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._processes.helpers.add(process.pid)
            return process
        return None

    def _kernels(self) -> list[dict[str, Any]]:
        base = f"/proc/{self.pid}/task"
        if _read(f"/proc/{self.pid}/comm") == _CARGO:
            return []
        found: list[dict[str, Any]] = []
        with contextlib.suppress(OSError):
            for thread in sorted(os.listdir(base), key=int)[:_THREADS]:
                words = [_read(f"{base}/{thread}/{name}") for name in ("comm", "stat", "wchan")]
                told = _STATES.get(_state_in(words[1]), "")
                waits = f" in {words[2]}" if words[2] not in {"", "0"} else ""
                frame = {
                    "file": "",
                    "line": 0,
                    "function": f"{told}{waits} (the kernel's word: no debugger looked)",
                }
                found.append({"thread": thread, "name": words[0], "current": False, "frames": [frame]})
        return found


def _sorted(threads: list[dict[str, Any]], test: str) -> list[dict[str, Any]]:
    """The thread that runs the test first: the test's function is among its frames.

    Where nobody tells functions it is known by its name, which Rust makes of the test's: so do tests whose names begin
    alike, and the threads that a test starts.
    """
    name = test.encode()[:_COMM].decode("utf-8", "ignore")
    own = [thread for thread in threads if test and any(_is(frame, test) for frame in thread["frames"])]
    own = own or [thread for thread in threads if name and thread.get("name") == name]
    told = [{**thread, "current": any(one is thread for one in own)} for thread in threads]
    return sorted(told, key=lambda thread: not thread["current"])


def _is(frame: dict[str, Any], test: str) -> bool:
    function = str(frame["function"])
    return function == test or function.endswith(f"::{test}")


def parse(text: str, root: str = "") -> list[dict[str, Any]]:
    """What gdb prints of all threads; files that are below the root are named absolutely."""
    threads: list[dict[str, Any]] = []
    for line in text.splitlines():
        head = _THREAD.match(line)
        if head is not None:
            thread: dict[str, Any] = {
                "thread": head.group("lwp") or head.group("pid"),
                "current": False,
                "frames": [],
            }
            threads.append({**thread, **({"name": head.group("name")} if head.group("name") else {})})
            continue
        frame = _FRAME.match(line)
        if frame is not None and threads and len(threads[-1]["frames"]) < _FRAMES:
            file = frame.group("file") or ""
            below = os.path.join(root, file)
            if root and file and not os.path.isabs(file) and os.path.isfile(below):
                file = below
            function = _HASH.sub("", frame.group("function"))
            found = {"file": file, "line": int(frame.group("line") or 0), "function": function}
            threads[-1]["frames"].append(found)
    return [thread for thread in threads[:_THREADS] if thread["frames"]]


def _state(pid: int) -> str:
    return _state_in(_read(f"/proc/{pid}/stat"))


def _state_in(stat: str) -> str:
    """The letter for what a thread does; its name, which stands before that, may hold anything."""
    words = stat.rpartition(")")[2].split()
    return words[0] if words else ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""
