"""Where it ran: machine, interpreter, process, run and sources; and what is different since it was green."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracekit.model.facts import Attempt, BoxFacts, RunFacts, ScenarioFacts, SuiteFacts
from tracekit.model.words import moment
from tracekit.ui.panes.why import since_lines
from tracekit.ui.safe import Line
from tracekit.ui.theme import Palette

if TYPE_CHECKING:
    from tracekit.engine.past import Before

Told = Iterator[tuple[str, str]]


def place_lines(
    run: RunFacts,
    facts: ScenarioFacts | None,
    attempt: Attempt | None,
    before: Before | None,
    look: Palette,
    *,
    now: int,
) -> list[Line]:
    """The whole tab; without a scenario, what all of the run has in common."""
    suites = [suite for suite in run.suites if facts is None or suite.name == facts.suite]
    lines: list[Line] = []
    for suite in suites[:20]:
        lines += _section(f"suite {suite.name}" if suite.name else "suite", _suite(suite), look)
    if attempt is not None:
        lines += _section("process", _process(attempt), look)
    for name, box in list(run.boxes.items())[:20]:
        lines += _section("machine" if len(run.boxes) == 1 else f"machine of {name}", _machine(box), look)
    lines += _section("services", _services(run), look)
    lines += _section("run", _run(run), look)
    lines += _section("sources", _sources(run), look)
    lines += _section("made with", ((name, str(value)) for name, value in run.versions.items()), look)
    if facts is not None:
        lines += since_lines(before, look, now)
    return lines[1:]


def _section(heading: str, told: Told, look: Palette) -> list[Line]:
    rows = [(word, value) for word, value in told if value]
    if not rows:
        return []
    lines = [Line(), Line(2).gap(2).name(heading, look.accent)]
    for word, value in rows[:40]:
        lines.append(Line(16).gap(4).name(f"{word[:11]:<11}", look.dim).gap(1).name(value, look.text))
    return lines


def _suite(suite: SuiteFacts) -> Told:
    yield "runner", suite.framework or suite.runner
    yield "python", suite.python_version
    yield "interpreter", suite.python
    yield "folder", suite.cwd or suite.root


def _process(attempt: Attempt) -> Told:
    yield "began", moment(attempt.started_t) + " UTC" if attempt.started_t else ""
    yield "pid", "" if attempt.pid is None else str(attempt.pid)
    yield "worker", attempt.worker or ""
    if attempt.rusage is not None:
        used = attempt.rusage
        yield "cpu", f"{used.user:.2f}s of its own, {used.system:.2f}s in the system"
        if used.peak_kib:
            yield "memory", f"{used.peak_kib / 1024:.0f} MiB, the process's peak up to then"
    yield "exit", "" if attempt.exit is None else str(attempt.exit)
    yield "signal", "" if attempt.signal is None else str(attempt.signal)
    yield "launch", attempt.launch or ""


def _machine(box: BoxFacts) -> Told:
    yield "name", box.machine
    yield "system", " ".join(part for part in (box.system, box.arch, box.libc) if part)
    yield "python", f"{box.python}, of the agent" if box.python else ""
    size = f"{box.cpus} processors, " if box.cpus else ""
    yield "size", f"{size}{box.memory / 2**30:.1f} GiB of memory" if box.memory else ""
    yield "disk", f"{box.disk_free / 2**30:.1f} GiB free" if box.disk_free else ""
    for what, why in box.unavailable:
        yield f"no {what}", why


def _services(run: RunFacts) -> Told:
    for service in run.services:
        where = f"{service.name} on {service.box}" if len(run.boxes) > 1 else service.name
        if service.awaited:
            yield where, f"{'was' if run.ended else 'is'} waited for: {service.why}"
        else:
            yield (
                where,
                service.why or (f"well, after {service.after:.1f}s" if service.after >= 1 else "well"),
            )


def _run(run: RunFacts) -> Told:
    yield "where", run.environment or "local"
    yield "run", run.run_id
    yield "of", run.parent or ""
    yield "project", run.root
    yield "profile", run.profile or ""
    yield "began", moment(run.started_t) + " UTC" if run.started_t else ""
    yield "seed", f"0x{run.seed:x}" if run.seed is not None and run.seed >= 0 else ""
    yield "trace", run.trace


def _sources(run: RunFacts) -> Told:
    yield "commit", str(run.git.get("commit", ""))
    yield "branch", str(run.git.get("branch", ""))
    yield "changed", "files differ from the commit" if run.git.get("dirty") else ""
    yield "fingerprint", run.fingerprint[:16]
