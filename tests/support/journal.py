"""A journal for tests of whoever reads runs: lines as the agent would write them, with fixed clock and ids.

It also makes the bytes of `output.bin`; what it builds is data, no files.
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
        slow: float | None = None,
        quarantine: Iterable[dict[str, Any]] = (),
    ) -> None:
        """The run's first lines."""
        more = {} if slow is None else {"slow": slow}
        told = [
            {"name": name, "runner": "pytest", "cwd": self.root, "python": "python3.12", **more}
            for name in suites
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
            quarantine=list(quarantine),
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
        self,
        file: str,
        *names: str,
        line: int = 1,
        doc: str = "",
        tags: Iterable[str] = (),
        suite: str = "",
        runner: str = "pytest",
    ) -> str:
        """A scenario; gives its id."""
        scenario = (f"{runner}@{suite}:" if suite else f"{runner}:") + "::".join((file, *names))
        self.line(
            "scenario.found",
            scenario=scenario,
            suite=suite,
            runner=runner,
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
            **{"pid": 5120, "worker": "main", "launch": "L1", **fields},
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
