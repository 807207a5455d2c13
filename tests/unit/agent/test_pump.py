"""A run's course with the daemon dying, and the disk failing, at every single call; no process is started."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents.fake_runner import FakeAdapter
from tests.support.agents.faulty import FailingFiles
from tracekit.agent.ingest import Ingest
from tracekit.agent.pump import Pump
from tracekit.agent.recording import Recording
from tracekit.agent.redact import Redactor
from tracekit.agent.runners.base import Context, LaunchSpec
from tracekit.agent.system import RESERVE, Clock, Files, System

RUN = "01K00000000000000000000000"
SUPERVISOR = "supervisor-1-1.ndjson"
SECRETS = {"KEY": "open-sesame"}


class Killed(BaseException):
    """The daemon died here."""


class KillingFiles(FailingFiles):
    """The N-th call is the last thing that this process does; half of a write may be on the disk."""

    def _fail(self) -> None:
        if self._count():
            raise Killed

    def write(self, descriptor: int, data: bytes) -> int:
        try:
            return super().write(descriptor, data)
        except OSError as fault:
            raise Killed from fault


class Time(Clock):
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def wall(self) -> int:
        return int(self.now * 1e9)

    def mono(self) -> int:
        return int(self.now * 1e9)

    def seconds(self) -> float:
        return self.now


class World:
    """A run directory, a supervisor that is never at fault, and a daemon that is."""

    def __init__(self, root: Path, files: Files, secrets: dict[str, str] | None = None) -> None:
        self.place = root / "local"
        self.spool = self.place / "spool"
        self.spool.mkdir(parents=True)
        (self.spool / RESERVE).write_bytes(b"set aside")
        self.secrets = secrets or {}
        self.clock = Time()
        self.specs: dict[str, LaunchSpec] = {}
        self.todo: list[tuple[str, bytes]] = []
        self.n: dict[str, int] = {}
        self.deaths = 0
        suite = {"name": "", "runner": "fake", "cwd": str(root), "options": {"tests": 3}}
        plan = {"run": RUN, "mode": "run", "suites": [suite]}
        self.context = Context(plan, str(self.spool), "", "", "token", {})
        self.pump = self.make(files)

    def make(self, files: Files) -> Pump:
        system = System(clock=self.clock, files=files)
        redactor = Redactor(self.secrets)
        recording = Recording(system, str(self.place), RUN, f"local/daemon/{self.deaths}-1", redactor)
        restored = recording.open()
        ingest = Ingest(system, str(self.spool), RUN, "local", redactor)
        ingest.supervisor = SUPERVISOR
        ingest.restore(restored)
        pump = Pump(system, recording, ingest, self.context, lambda _: FakeAdapter())
        try:
            if restored.started:
                pump.resume(restored, self.specs)
            else:
                pump.begin([{"e": "run.started"}])
        except BaseException:
            pump.close()
            raise
        return pump

    def survive(self, files: Files) -> None:
        """One turn of the world; a dead daemon is followed by another."""
        self.clock.now += 1.0
        try:
            self.pump.step()
        except Killed:
            self.deaths += 1
            self.pump.close()
            self.pump = self.make(files)
        for spec in self.pump.wanted:
            if spec.id not in self.specs:
                self.specs[spec.id] = spec
                self._play(spec)
        self.pump.wanted.clear()
        if self.todo:
            name, data = self.todo.pop(0)
            with (self.spool / name).open("ab") as file:
                file.write(data)

    def _line(self, spool: str, event: str, **fields: Any) -> bytes:
        self.n[spool] = self.n.get(spool, 0) + 1
        return (
            json.dumps({"n": self.n[spool], "t": 1, "m": 2, "e": event, **fields}).replace(" ", "").encode()
            + b"\n"
        )

    def _play(self, spec: LaunchSpec) -> None:
        """What the processes of a launch will write, piece by piece: the second test dies in the first launch."""
        main = f"main-{spec.id[1:]}-1"
        facts = {"phase": "launch", "id": spec.id, "suite": ""}
        self.todo.append((SUPERVISOR, self._line(SUPERVISOR, "phase.started", **facts)))
        first = spec.id == "L1"
        names = [f"fake:{index}" for index in range(3)] if first else ["fake:2"]
        self.todo += [(f"{main}.ndjson", self._line(main, "scenario.found", scenario=name)) for name in names]
        self.todo.append((f"{spec.id}.out", b"said open-"))
        at = 0
        for name in names[:2]:
            self.todo.append(
                (f"{main}.ndjson", self._line(main, "attempt.started", scenario=name, attempt=1))
            )
            for text in (b"key open-", b"sesame!\n"):
                self.todo.append((f"{main}.cap", text))
                where = {"stream": "stdout", "scenario": name, "attempt": 1}
                line = self._line(main, "output", **where, cap=at, length=len(text))
                # The half of a line is there before the rest of it.
                self.todo += [(f"{main}.ndjson", line[:20]), (f"{main}.ndjson", line[20:])]
                at += len(text)
            if name != "fake:1":
                ended = self._line(main, "attempt.ended", scenario=name, attempt=1, verdict="passed")
                self.todo.append((f"{main}.ndjson", ended))
        self.todo.append((f"{spec.id}.out", b"sesame\n"))
        if not first:
            self.todo.append((f"{main}.ndjson", self._line(main, "session.ended", exitstatus=0)))
        exit_facts = {"exit": None, "signal": 11} if first else {"exit": 0, "signal": None}
        self.todo.append((SUPERVISOR, self._line(SUPERVISOR, "phase.ended", **facts, **exit_facts)))

    def run(self, files: Files) -> None:
        for _ in range(300):
            self.survive(files)
            if self.pump.closed:
                self.pump.close()
                return
        raise AssertionError("the run never ended")

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.place / "journal.ndjson").read_bytes().splitlines()]

    def story(self) -> dict[str, list[tuple[Any, ...]]]:
        """What each source told, in its order, without what depends on when it was read."""
        told: dict[str, list[tuple[Any, ...]]] = {}
        for line in self.journal():
            role = line["src"].split("/")[1]
            if line["e"] not in {"ingested", "gap", "output"}:
                verdict = line.get("verdict") or json.dumps(line.get("verdicts"))
                told.setdefault(line["src"] if role != "daemon" else role, []).append(
                    (line["e"], line.get("scenario"), verdict)
                )
        return told

    def said(self) -> dict[str, bytes]:
        """Output by the test it belongs to."""
        data = (self.place / "output.bin").read_bytes()
        found: dict[str, bytes] = {}
        for line in self.journal():
            if line["e"] == "output":
                key = line.get("scenario") or line["launch"]
                found[key] = found.get(key, b"") + data[line["offset"] :][: line["length"]]
        return found

    def numbered(self) -> bool:
        numbers: dict[str, list[int]] = {}
        for line in self.journal():
            numbers.setdefault(line["src"], []).append(line["n"])
        return all(found == list(range(1, len(found) + 1)) for found in numbers.values())


def reference(root: Path, secrets: dict[str, str]) -> World:
    root.mkdir()
    world = World(root, Files(), secrets)
    world.run(Files())
    return world


@pytest.mark.parametrize("secrets", [{}, SECRETS], ids=["plain", "secrets"])
def test_daemon_death__at_every_write__then_the_run_is_told_as_without(
    tmp_path: Path, secrets: dict[str, str]
) -> None:
    whole = reference(tmp_path / "whole", secrets)
    assert whole.story()["daemon"][-1] == ("run.ended", None, '{"crashed": 1, "passed": 2}')
    mark = "«redacted:KEY»".encode() if secrets else b"open-sesame"
    assert whole.said()["fake:0"] == b"key " + mark + b"!\n"
    deaths = 0
    for at in range(1, 500):
        root = tmp_path / str(at)
        root.mkdir()
        try:
            world = World(root, KillingFiles(at), secrets)
        except Killed:
            deaths += 1
            continue  # before the first commit: nothing was promised to anybody
        world.run(Files())
        assert (world.story(), world.said()) == (whole.story(), whole.said())
        assert world.numbered()
        if not world.deaths:
            break
        deaths += 1
    assert deaths > 20


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
def test_full_disk__at_every_call__then_the_verdicts_stay_and_the_recording_says_incomplete(
    tmp_path: Path, lasting: bool
) -> None:
    whole = reference(tmp_path / "whole", {})
    faults = 0
    for at in range(1, 500):
        root = tmp_path / str(at)
        root.mkdir()
        files = FailingFiles(at, lasting=lasting)
        try:
            world = World(root, files)
        except OSError:
            faults += 1
            continue  # the files cannot even be opened: START is refused
        for _ in range(300):
            world.survive(files)
            if world.pump.closed or world.pump.overdue():
                break
        world.pump.close()
        assert world.pump.finish is not None
        assert world.pump.finish["verdicts"] == {"crashed": 1, "passed": 2}
        if not files.failed:
            break
        faults += 1
        assert world.pump.recording.faults > 0
        assert world.numbered()
        if not lasting:
            assert (world.story(), world.said()) == (whole.story(), whole.said())
            gaps = [line for line in world.journal() if line["e"] == "gap"]
            assert [gap["why"] for gap in gaps] in ([], [os.strerror(errno.ENOSPC)])
            assert world.journal()[-2]["e"] in {"run.ended", "ingested", "attempt.ended", "output"}
    assert faults > 20


@pytest.mark.parametrize(("taken", "state"), [(True, "incomplete"), (False, "complete")])
def test_full_disk__only_the_tests_own_processes_had_no_room__then_the_recording_says_incomplete(
    tmp_path: Path, taken: bool, state: str
) -> None:
    world = World(tmp_path, Files())
    if taken:
        # As a process of the tests does, which leaves steps and output out from then on.
        (world.spool / RESERVE).unlink()
    while not world.pump.closed:
        world.survive(Files())
    world.pump.close()
    assert world.pump.recording.faults == 0
    assert world.pump.recording.incomplete is taken
    assert [line["recording"] for line in world.journal() if line["e"] == "run.ended"] == [state]


def test_full_disk__room_again_after_the_end__then_the_rest_is_recorded(tmp_path: Path) -> None:
    files = FailingFiles(12, lasting=True)
    world = World(tmp_path, files)
    while not world.pump.overdue():
        world.survive(files)
    files._lasting = False
    world.run(files)
    whole = reference(tmp_path / "whole", {})
    assert {key: set(value) for key, value in world.story().items()} == {
        key: set(value) for key, value in whole.story().items()
    }
    ended = next(line for line in world.journal() if line["e"] == "run.ended")
    assert ended["recording"] == "incomplete"
