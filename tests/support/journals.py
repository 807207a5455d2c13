"""Recorded journals for tests of whoever reads runs: realistic lines of a pytest run, with fixed clock and ids.

A `Journal` writes lines the way the agent would, and the bytes of `output.bin`; what it builds is data, no files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

BEGAN = 1_763_674_123_000_000_000
RUN = "01KAH0C5M0DEMORVNTRACEK1T0"
SECOND = 1_000_000_000
MS = 1_000_000
ROOT = "/srv/chat-server"


@dataclass
class Journal:
    """Builds lines; time passes only when told to."""

    run: str = RUN
    root: str = ROOT
    src: str = "local/daemon/4711-99183"
    now: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    output: bytearray = field(default_factory=bytearray)
    verdicts: dict[str, int] = field(default_factory=dict)

    def line(self, e: str, **fields: Any) -> None:
        """Write one line."""
        head = {
            "v": 1,
            "n": len(self.lines) + 1,
            "src": self.src,
            "t": BEGAN + self.now,
            "m": 8_000_000_000 + self.now,
        }
        self.lines.append({**head, "run": self.run, "e": e, **fields})

    def wait(self, milliseconds: float) -> None:
        """Let time pass."""
        self.now += int(milliseconds * MS)

    def start(
        self,
        *,
        mode: str = "run",
        parent: str | None = None,
        environment: str = "local",
        suites: Iterable[str] = ("",),
    ) -> None:
        """The run's first lines."""
        told = [
            {"name": name, "runner": "pytest", "cwd": self.root, "python": "python3.12"} for name in suites
        ]
        self.line(
            "run.started",
            environment=environment,
            profile=None,
            parent=parent,
            plan_hash="b2f0c1",
            seed=0x9E37,
            trace="default",
            root=self.root,
            mode=mode,
            suites=told,
            git={"commit": "a1b2c3d"},
            versions={"tracekit": "0.1.0"},
        )
        for name in suites:
            self.line(
                "suite.found",
                suite=name,
                runner="pytest",
                root=self.root,
                python="python3.12",
                python_version="3.12.1",
                framework="pytest 9.2.0",
                count=0,
            )

    def found(
        self, file: str, *names: str, line: int = 1, doc: str = "", tags: Iterable[str] = (), suite: str = ""
    ) -> str:
        """A scenario; gives its id."""
        scenario = (f"pytest@{suite}:" if suite else "pytest:") + "::".join((file, *names))
        self.line(
            "scenario.found",
            scenario=scenario,
            suite=suite,
            runner="pytest",
            path=[file, *names],
            file=file,
            line=line,
            tags=list(tags),
            doc=doc,
        )
        return scenario

    def begin(self, scenario: str, attempt: int = 1, **fields: Any) -> None:
        """An attempt starts."""
        self.line(
            "attempt.started",
            scenario=scenario,
            attempt=attempt,
            pid=5120,
            worker="main",
            launch="L1",
            **fields,
        )

    def prints(
        self,
        text: str | bytes,
        scenario: str | None = None,
        *,
        attempt: int = 1,
        stream: str = "stdout",
        exact: bool = True,
    ) -> None:
        """Output, of a scenario or of the runner."""
        data = text if isinstance(text, bytes) else text.encode()
        place: dict[str, Any] = (
            {"scenario": scenario, "attempt": attempt, "step": "call"} if scenario else {"launch": "L1"}
        )
        self.line(
            "output",
            stream=stream,
            offset=len(self.output),
            length=len(data),
            attribution="exact" if exact else "inferred",
            **place,
        )
        self.output += data

    def end(
        self,
        scenario: str,
        verdict: str = "passed",
        milliseconds: float = 80,
        attempt: int = 1,
        *,
        stepped: bool = False,
        **fields: Any,
    ) -> None:
        """An attempt ends; time passes, unless its steps have let it pass."""
        took = int(milliseconds * MS)
        self.now += 0 if stepped else took
        self.verdicts[verdict] = self.verdicts.get(verdict, 0) + 1
        durations = {"setup": took // 20, "call": took * 9 // 10, "teardown": took // 20}
        self.line(
            "attempt.ended",
            scenario=scenario,
            attempt=attempt,
            verdict=verdict,
            d=took,
            durations=durations,
            **fields,
        )

    def passes(self, scenario: str, milliseconds: float = 80) -> None:
        """A whole green attempt."""
        self.begin(scenario)
        self.end(scenario, "passed", milliseconds)

    def step(  # noqa: PLR0917 - a line of a table reads best
        self,
        scenario: str,
        step: str,
        kind: str,
        name: str,
        verdict: str,
        milliseconds: float,
        parent: str | None = None,
    ) -> None:
        """A whole step, started and ended."""
        m0 = 8_000_000_000 + self.now
        self.line(
            "step.started", scenario=scenario, attempt=1, step=step, kind=kind, name=name, parent=parent
        )
        self.wait(milliseconds)
        self.line(
            "step.ended",
            scenario=scenario,
            attempt=1,
            step=step,
            kind=kind,
            name=name,
            parent=parent,
            verdict=verdict,
            d=int(milliseconds * MS),
            m0=m0,
        )

    def fails(
        self,
        scenario: str,
        chain: list[dict[str, Any]],
        cause: str = "exception",
        *,
        when: str = "call",
        text: str = "",
    ) -> None:
        """What went wrong."""
        self.line(
            "failure", scenario=scenario, attempt=1, step=when, when=when, cause=cause, chain=chain, text=text
        )

    def asserts(
        self, scenario: str, actual: Any, expected: Any, diff: str = "", op: str = "==", **fields: Any
    ) -> None:
        """A failed comparison."""
        self.line(
            "assertion",
            scenario=scenario,
            attempt=1,
            step="call",
            op=op,
            actual=actual,
            expected=expected,
            kind="text",
            diff=diff,
            passed=False,
            **fields,
        )

    def finish(self, reason: str = "finished", not_run: Iterable[str] = (), why: str = "") -> None:
        """The run's last line."""
        left = list(not_run)
        self.line(
            "run.ended",
            reason=reason,
            verdicts=self.verdicts,
            not_run=left[:1000],
            not_run_count=len(left),
            why=why,
        )

    def encoded(self) -> bytes:
        """The journal's bytes."""
        return b"".join(
            json.dumps(line, ensure_ascii=True, separators=(",", ":")).encode() + b"\n" for line in self.lines
        )


def frame(
    file: str, line: int, function: str, code: str, *, own: bool = True, **names: str
) -> dict[str, Any]:
    """One frame of a traceback."""
    return {"file": file, "line": line, "function": function, "own": own, "code": code, "locals": names}


def raised(
    kind: str,
    message: str,
    frames: list[dict[str, Any]],
    relation: str | None = None,
    module: str = "builtins",
) -> dict[str, Any]:
    """One exception of a chain."""
    return {
        "type": kind,
        "message": message,
        "module": module,
        "notes": [],
        "relation": relation,
        "frames": frames,
        "group": [],
    }


def _chat(journal: Journal) -> dict[str, str]:
    """The scenarios of the sample project."""
    ws, rooms, auth = "chat/test_ws.py", "chat/test_rooms.py", "auth/test_tokens.py"
    found = journal.found
    return {
        "keeps": found(
            ws,
            "test_reconnect_keeps_history",
            line=41,
            tags=["slow"],
            doc="A client that loses its link gets every message it missed, once, in order.",
        ),
        "bad_key": found(ws, "test_handshake_with_a_bad_key_is_refused", line=17),
        "many": found(ws, "test_1000_clients", line=88, tags=["slow", "load"]),
        "ping": found(ws, "test_ping_is_answered", line=120),
        "join": found(rooms, "TestJoin", "test_join_twice", line=12),
        "leave": found(rooms, "TestJoin", "test_leave_without_joining", line=23),
        "limit_10": found(rooms, "TestLimits", "test_limit[10]", line=40),
        "limit_100": found(rooms, "TestLimits", "test_limit[100]", line=40),
        "limit_1000": found(rooms, "TestLimits", "test_limit[1000]", line=40),
        "history": found(rooms, "test_history_is_paged", line=66, doc="Pages of 50, newest first."),
        "expired": found(auth, "test_expired_token_is_refused", line=9),
        "rotated": found(auth, "test_rotated_key_still_verifies", line=31),
        "clock": found(auth, "test_clock_skew", line=52),
    }


def _pool_failure(journal: Journal, scenario: str, client: str) -> None:
    journal.fails(
        scenario,
        [
            raised(
                "PoolExhausted",
                "no connection within 5.0 s (3 of 3 in use)",
                [
                    frame(
                        "chat/test_rooms.py",
                        44,
                        "test_limit",
                        "room.join(client)",
                        room="<Room 'lobby' members=3>",
                        client=client,
                    ),
                    frame(
                        "chat/rooms.py",
                        71,
                        "join",
                        "with self.pool.acquire(timeout=5.0) as link:",
                        self="<Room 'lobby' members=3>",
                        timeout="5.0",
                    ),
                    frame(
                        "/usr/lib/python3.12/site-packages/pool/core.py",
                        210,
                        "acquire",
                        "raise PoolExhausted(self)",
                        own=False,
                    ),
                ],
                module="pool",
            ),
            raised(
                "TimeoutError",
                "timed out",
                [
                    frame(
                        "/usr/lib/python3.12/threading.py",
                        355,
                        "wait",
                        "gotit = waiter.acquire(True, timeout)",
                        own=False,
                    )
                ],
                relation="cause",
            ),
        ],
    )


def _history_failure(journal: Journal, scenario: str) -> None:
    journal.begin(scenario)
    journal.step(scenario, "fixture:server#1", "fixture", "server", "passed", 104)
    journal.prints("connecting to 127.0.0.1:8431\n", scenario)
    journal.step(scenario, "step#1", "step", "connect", "passed", 12)
    journal.prints("sent 1000, waiting for acks\n", scenario)
    journal.prints("WARN  writer-3 pool.acquire slow 4967us\n", scenario, stream="stderr")
    journal.step(scenario, "step#2", "step", "send 1000", "failed", 2100)
    diff = "  [\n    'm-0996',\n-   'm-0997',\n-   'm-0998',\n-   'm-0999',\n+   'm-1000',\n  ]"
    journal.asserts(scenario, "997", "1000", diff, file="chat/test_ws.py", line=58)
    journal.fails(
        scenario,
        [
            raised(
                "AssertionError",
                "assert 997 == 1000",
                [
                    frame(
                        "chat/test_ws.py",
                        58,
                        "test_reconnect_keeps_history",
                        "assert received == 1000",
                        received="997",
                        sent="1000",
                        client="<Client #7 reconnected=1>",
                    ),
                ],
            )
        ],
        "assertion",
    )
    journal.step(scenario, "fixture:server#1:end", "cleanup", "cleanup", "passed", 31)
    journal.end(scenario, "failed", 2_410, cause="assertion", stepped=True)


def failing() -> Journal:
    """An ended run: two causes in three reds, sub-tests, skips, a warning."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    journal.prints("plugins: xdist-3.8.0, anyio-4.16.0\n")
    journal.wait(400)
    _history_failure(journal, ids["keeps"])
    journal.passes(ids["bad_key"], 80)
    journal.passes(ids["many"], 14_230)
    journal.begin(ids["ping"])
    journal.end(ids["ping"], "skipped", 1, reason="needs redis: refused")
    journal.passes(ids["join"], 45)
    journal.passes(ids["leave"], 38)
    journal.passes(ids["limit_10"], 210)
    for name in ("limit_100", "limit_1000"):
        journal.begin(ids[name])
        journal.prints(f"filling room lobby: {name}\n", ids[name])
        _pool_failure(journal, ids[name], "<Client #" + name[6:] + ">")
        journal.end(ids[name], "failed", 5_020, cause="exception")
    _subtests(journal, ids["history"])
    journal.passes(ids["expired"], 12)
    journal.passes(ids["rotated"], 19)
    journal.begin(ids["clock"])
    journal.end(ids["clock"], "xfailed", 7, reason="skew of 30 s is accepted for now")
    journal.line(
        "warning",
        message="loop_scope is not set",
        category="PytestDeprecationWarning",
        file="conftest.py",
        line=3,
    )
    journal.finish()
    return journal


def _subtests(journal: Journal, scenario: str) -> None:
    journal.begin(scenario)
    for label in ("[first page]", "[second page]", "[past the end]"):
        below = f"{scenario} ▸ {label}"
        journal.begin(below, parent=scenario)
        journal.end(below, "passed", 9, parent=scenario)
    journal.end(scenario, "passed", 61, subtests={"passed": 3, "failed": 0, "skipped": 0})


def running() -> Journal:
    """A live run: some over, one red, two running, the rest waiting."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    journal.wait(400)
    _history_failure(journal, ids["keeps"])
    journal.passes(ids["bad_key"], 80)
    journal.begin(ids["many"])
    for client in range(40):
        journal.prints(f"client {client:03d} connected\n", ids["many"])
    journal.wait(1200)
    journal.passes(ids["join"], 45)
    journal.begin(ids["leave"])
    journal.wait(300)
    return journal


def green() -> Journal:
    """All green, two not run and why."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    for number, (name, scenario) in enumerate(ids.items()):
        if name not in {"clock", "ping"}:
            journal.passes(scenario, 20 + 35 * number)
    journal.finish(
        not_run=[ids["ping"], ids["clock"]], why="no longer collected: chat/test_ws.py changed during the run"
    )
    return journal


def launch_failure() -> Journal:
    """The runner never started."""
    journal = Journal()
    journal.start()
    stderr = (
        "Traceback (most recent call last):\n"
        '  File "/srv/chat-server/conftest.py", line 3, in <module>\n'
        "    import redis\n"
        "ModuleNotFoundError: No module named 'redis'\n"
    )
    journal.line(
        "runner.failed_to_start",
        suite="",
        command=["python3.12", "-m", "pytest", "-p", "_tkprobe", "tests"],
        exit=4,
        signal=None,
        stderr=stderr,
        remedy="install redis into python3.12, or set python in tracekit.toml",
        code="launch.plugin",
    )
    journal.finish("failed-to-start")
    return journal


def collection_error() -> Journal:
    """One file cannot be imported; the others run."""
    journal = Journal()
    journal.start()
    ids = _chat(journal)
    chain = [
        raised(
            "ModuleNotFoundError",
            "No module named 'redis'",
            [frame("chat/test_presence.py", 4, "<module>", "import redis")],
        )
    ]
    journal.line(
        "discover.failed",
        suite="",
        file="chat/test_presence.py",
        message="could not import chat/test_presence.py",
        failure={"when": "collect", "cause": "setup", "chain": chain, "text": ""},
        remedy="install redis, then look again",
    )
    for scenario in ids.values():
        journal.passes(scenario, 25)
    journal.finish()
    return journal


def discovered() -> Journal:
    """Scenarios that were found and never run."""
    journal = Journal(run="01KAH0C5M0DEMORVND1SC0VER0")
    journal.start(mode="discover")
    _chat(journal)
    journal.finish()
    return journal


def nothing_found() -> Journal:
    """A project without scenarios."""
    journal = Journal(run="01KAH0C5M0DEMORVNN0TH1NG00")
    journal.start(mode="discover")
    journal.finish()
    return journal


def rerun_of(parent: Journal, *, verdict: str = "passed", ended: bool = True) -> Journal:
    """The reds of a run once more."""
    journal = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    journal.start(parent=parent.run)
    reds = [
        line["scenario"]
        for line in parent.lines
        if line["e"] == "attempt.ended" and line["verdict"] == "failed"
    ]
    for scenario in reds:
        file, *names = scenario.partition(":")[2].split("::")
        journal.found(file, *names, line=41)
    for scenario in reds:
        journal.begin(scenario)
        if ended:
            journal.end(scenario, verdict, 130)
    if ended:
        journal.finish()
    return journal


def large(count: int = 60_000, files: int = 600, *, ended: bool = True) -> Journal:
    """Many scenarios; every thousandth fails."""
    journal = Journal()
    journal.start()
    per_file = count // files
    ids = [
        journal.found(
            f"pkg_{file // 20:02d}/test_module_{file:04d}.py", f"test_case_{case:04d}", line=case * 5 + 1
        )
        for file in range(files)
        for case in range(per_file)
    ]
    if ended:
        for number, scenario in enumerate(ids):
            journal.begin(scenario)
            if number % 1000 == 999:
                journal.fails(
                    scenario,
                    [
                        raised(
                            "ValueError",
                            f"bad value {number}",
                            [frame("pkg/mod.py", 7, "work", "raise ValueError")],
                        )
                    ],
                )
                journal.end(scenario, "failed", 3, cause="exception")
            else:
                journal.end(scenario, "passed", 2)
        journal.finish()
    return journal
