"""How often a run is looked at: as often as the most impatient of its readers wants."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tracekit.agent import live
from tracekit.agent.client import Client
from tracekit.agent.control import Channel
from tracekit.agent.paths import Places
from tracekit.agent.protocol import Session
from tracekit.agent.requests import Requests
from tracekit.agent.system import Clock, System

RUN = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
MILLISECOND = 0.001


class Still(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def seconds(self) -> float:
        return self.now


def a_run(tmp_path: Path) -> tuple[live.LiveRun, Still, list[float]]:
    """A live run without processes, its clock, and when it was looked at."""
    clock, looks = Still(), []
    entry = {"run": RUN, "dir": str(tmp_path / "r"), "nonce": "token", "control": "c"}
    run = live.LiveRun(System(clock), Places(str(tmp_path)), entry, "", "")
    run.phase = "live"
    run._pump = SimpleNamespace(  # type: ignore[assignment]
        step=lambda: looks.append(clock.now),
        alarms=list,
        wanted=[],
        closed=False,
        overdue=lambda: False,
        driver=SimpleNamespace(finished=False),
    )
    return run, clock, looks


def serve(run: live.LiveRun, clock: Still, wanted: list[float], seconds: float = 1.0) -> None:
    """What the daemon does for so long: a look, then nothing for as long as the run says."""
    end = clock.now + seconds
    while clock.now < end:
        run.tick()
        run.keep_pace(wanted)
        # Whatever else wakes the daemon in between is no reason to look.
        clock.now += max(MILLISECOND, run.wait() / 2)


@pytest.mark.parametrize(
    ("wanted", "least", "most"),
    [
        ([0.0], 25, 34),
        ([0.07], 12, 16),
        ([0.07, 0.0], 25, 34),
        ([60.0], 12, 16),
        ([-1.0], 25, 34),
        ([], 12, 16),
    ],
)
def test_look__readers_are_patient_or_not__then_it_is_as_often_as_the_most_impatient_wants(
    tmp_path: Path, wanted: list[float], least: int, most: int
) -> None:
    run, clock, looks = a_run(tmp_path)
    serve(run, clock, wanted)
    assert least <= len(looks) <= most


def test_look__the_supervisor_says_something__then_it_is_at_once(tmp_path: Path) -> None:
    run, clock, looks = a_run(tmp_path)
    serve(run, clock, [0.07])
    run.tick()
    before = len(looks)
    clock.now += MILLISECOND
    run.tick()
    assert len(looks) == before
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    run.channel = Channel(ours)
    Channel(theirs).send({"is": "something"})
    run.hear()
    assert run.wait() == 0.0
    run.tick()
    assert len(looks) == before + 1
    theirs.close()
    run.channel.close()


@pytest.mark.parametrize(("said", "taken"), [(0.07, 0.07), (None, 0.0), ("soon", 0.0), ([1], 0.0), (2, 2.0)])
def test_attach__a_pace_is_said__then_it_is_that_readers(said: Any, taken: float) -> None:
    clock = {"t": 0, "m": 0}
    session = Session({}, lambda: clock)
    run = SimpleNamespace(run=RUN, directory="", place="", info=lambda: {"files": {}, "state": "live"})
    daemon: Any = SimpleNamespace(find=lambda _: run)
    requests = Requests(daemon)
    client = Client("c")
    client.attach(RUN, pace=said)
    for request in session.receive(client.take()):
        requests.handle(session, request)
    assert session.follows == (RUN,)
    assert session.pace(RUN) == taken
    assert session.pace("another") == 0.0
