"""Drives the pytest adapter the way the agent's driver does, with plain subprocesses instead of daemon and supervisor.

A test sees everything that reached the spools, what the adapter made of each end, and the output given to each
scenario.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _tkprobe
from tests.support.found import found
from tracekit.agent.progress import scan
from tracekit.agent.runners.base import Context, Exit, LaunchSpec, Outcome, Progress, adapter
from tracekit.wire.names import RED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBE = Path(_tkprobe.__path__[0]).parent
FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
LAUNCH_LIMIT = 60
SECONDS = 600

Line = dict[str, Any]


@dataclass
class Ran:
    """A suite that was run to its end."""

    spool: Path
    lines: list[Line] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    launches: list[LaunchSpec] = field(default_factory=list)
    exits: list[Exit] = field(default_factory=list)
    outputs: dict[tuple[str | None, str], bytes] = field(default_factory=dict)
    steps_output: dict[tuple[str | None, str], bytes] = field(default_factory=dict)

    def events(self, name: str) -> list[Line]:
        return [line for line in self.lines if line["e"] == name]

    def of(self, scenario: str, event: str) -> list[Line]:
        return [line for line in self.events(event) if line.get("scenario") == scenario]

    @property
    def verdicts(self) -> dict[str, str]:
        """The last attempt's verdict of every scenario, sub-tests included."""
        last: dict[str, tuple[int, str]] = {}
        for line in self.events("attempt.ended"):
            if line["attempt"] >= last.get(line["scenario"], (0, ""))[0]:
                last[line["scenario"]] = (line["attempt"], line["verdict"])
        return {scenario: verdict for scenario, (_, verdict) in last.items()}

    @property
    def found(self) -> list[str]:
        return [row["scenario"] for row in self.rows]

    @property
    def rows(self) -> list[Line]:
        """What discovery told of each scenario."""
        return found(self.lines)

    @property
    def not_run(self) -> list[str]:
        return [name for outcome in self.outcomes for name in outcome.not_run]

    @property
    def why(self) -> str:
        return next((outcome.why for outcome in self.outcomes if outcome.why), "")

    def end(self, scenario: str) -> Line:
        return self.of(scenario, "attempt.ended")[-1]

    def output(self, scenario: str | None, stream: str = "stdout") -> bytes:
        return self.outputs.get((scenario, stream), b"")

    @property
    def failed_to_start(self) -> Line:
        return self.events("runner.failed_to_start")[0]


def fixture_project(name: str, place: Path) -> Path:
    """A copy of a fixture project, out of reach of this repository's own configuration."""
    return Path(shutil.copytree(FIXTURES / name, place / name))


def environ_without_us(**more: str) -> dict[str, str]:
    """The environment of this process without what a surrounding run or pytest left in it."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("TRACEKIT_", "PYTEST_", "COV"))
    }
    steady = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return {**kept, **steady, **more}


def context_of(
    project: Path, spool: Path, environ: Mapping[str, str], mode: str = "run", **plan: Any
) -> Context:
    return Context(
        plan={"mode": mode, "root": str(project), "locals": True, **plan},
        spool=str(spool),
        probe=str(PROBE),
        cache=str(spool.parent),
        token="token",
        environ=dict(environ),
    )


def suite_of(project: Path, **more: Any) -> dict[str, Any]:
    return {
        "name": "",
        "runner": "pytest",
        "cwd": str(project),
        "paths": [],
        "ignore": [],
        "args": ["-p", "no:cacheprovider"],
        "env": {},
        "python": sys.executable,
        "only": None,
        **more,
    }


def run_suite(
    project: Path,
    spool: Path,
    *,
    environ: Mapping[str, str] | None = None,
    mode: str = "run",
    plan: Mapping[str, Any] | None = None,
    preexec: Any = None,
    **suite: Any,
) -> Ran:
    """Run a project through the adapter until it wants no further launch."""
    spool.mkdir(parents=True, exist_ok=True)
    base = environ_without_us() if environ is None else dict(environ)
    context = context_of(project, spool, base, mode, **(plan or {}))
    facts = suite_of(project, **suite)
    runner = adapter(facts["runner"])
    ran = Ran(spool)
    spec: LaunchSpec | None = runner.start(facts, context, 1)
    while spec is not None and len(ran.launches) < LAUNCH_LIMIT:
        before = set(spool.glob("*.ndjson"))
        exit = start(spec, spool, base, preexec)
        fresh = sorted(set(spool.glob("*.ndjson")) - before)
        progress = _progress(facts, spec, fresh, crashes=len(ran.launches))
        outcome = runner.finished(progress, exit, context, len(ran.launches) + 2)
        ran.launches.append(spec)
        ran.exits.append(exit)
        ran.outcomes.append(outcome)
        for path in fresh:
            _read(path, ran)
        ran.lines += outcome.lines
        spec = outcome.next
    return ran


def start(spec: LaunchSpec, spool: Path, environ: Mapping[str, str], preexec: Any = None) -> Exit:
    """What the supervisor does, without a supervisor."""
    for name, data in spec.files.items():
        (spool / name).write_bytes(data)
    env = {key: value for key, value in {**environ, **spec.env}.items() if key not in spec.unset}
    out, err = spool / f"{spec.id}.out", spool / f"{spec.id}.err"
    with out.open("ab") as stdout, err.open("ab") as stderr:
        done = subprocess.run(  # noqa: PLW1510
            spec.command,
            cwd=spec.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            timeout=SECONDS,
            start_new_session=True,
            preexec_fn=preexec,
        )
    code = done.returncode
    tails = out.read_bytes()[-8192:], err.read_bytes()[-65536:]
    return Exit(None if code < 0 else code, -code if code < 0 else None, *tails)


def _progress(suite: dict[str, Any], spec: LaunchSpec, spools: Sequence[Path], crashes: int) -> Progress:
    facts = scan(str(path) for path in spools)
    return Progress(
        suite=suite,
        launch=spec,
        collected=facts.collected,
        aside=frozenset(facts.aside),
        ended=set(facts.ended),
        running=facts.running,
        crashed=facts.crashed,
        session_ended=facts.session_ended,
        any_probe_line=facts.any_line,
        errors=facts.errors,
        red=sum(word in RED for word in facts.ended.values()),
        crashes=crashes,
    )


def _read(path: Path, ran: Ran) -> None:
    captured = path.with_suffix(".cap").read_bytes() if path.with_suffix(".cap").exists() else b""
    for expected, raw in enumerate(path.read_bytes().splitlines(), start=1):
        line = json.loads(raw)
        assert line["n"] == expected, f"{path.name}: line {expected} is counted {line['n']}"
        line["src"] = path.stem
        ran.lines.append(line)
        if line["e"] == "output":
            data = captured[line["cap"] : line["cap"] + line["length"]]
            key = (line.get("scenario"), line["stream"])
            ran.outputs[key] = ran.outputs.get(key, b"") + data
            place = (line.get("scenario"), str(line.get("step")))
            ran.steps_output[place] = ran.steps_output.get(place, b"") + data
