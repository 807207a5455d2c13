"""A run that is asked for several times at once: started, attached and cancelled, it is followed once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup

from tracekit.engine.box import Box
from tracekit.engine.engine import Engine
from tracekit.engine.follow import Follower
from tracekit.engine.places import Places
from tracekit.engine.requests import Attach, Cancel, Launch
from tracekit.link.zipped import agent_zip
from tracekit.wire.problems import Problem, ProblemError

PATIENCE = 60.0
LONG = "import time\n\ndef test_stays():\n    time.sleep(600)\n"


class Held:
    """A box's first follow waits here until it is let go."""

    def __init__(self, patch: pytest.MonkeyPatch, fault: Problem | None = None) -> None:
        self.runs: list[str] = []
        self.came, self._go = threading.Event(), threading.Event()
        follow = Box.follow

        async def held(box: Box, follower: Follower, tasks: TaskGroup) -> None:
            self.runs.append(follower.view.run_id)
            if len(self.runs) == 1:
                self.came.set()
                await anyio.to_thread.run_sync(self._go.wait, PATIENCE)
                if fault is not None:
                    raise ProblemError(fault)
            await follow(box, follower, tasks)

        patch.setattr(Box, "follow", held)

    def let_go(self) -> None:
        self._go.set()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_it.py").write_text(LONG)
    environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    found = Places(tmp_path / "state", tmp_path / "cache", environ, agent_idle=1.0)
    agent_zip(found.cache)
    return found


def test_launch__attached_and_cancelled_before_it_is_followed__then_one_view_that_ends(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    with Engine(places) as engine:
        launched = engine.submit(Launch(str(tmp_path / "project")))
        assert held.came.wait(PATIENCE)
        run = held.runs[0]
        asked = [engine.submit(request) for request in (Attach(run), Cancel(run), Attach(run), Cancel(run))]
        # Another console's question overtakes all of these: they have been to the agent by now.
        with Engine(places) as beside:
            assert beside.submit(Attach(run)).result(PATIENCE).run_id == run
        held.let_go()
        view = launched.result(PATIENCE)
        assert [future.result(PATIENCE) is view for future in asked] == [True] * 4
        assert view.done.wait(PATIENCE)
        assert view.state.run.reason == "cancelled"
    assert held.runs == [run, run]


def test_attach__several_at_once__then_one_view(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(places) as first:
        run = first.submit(Launch(str(tmp_path / "project"))).result(PATIENCE).run_id
    held = Held(monkeypatch)
    held.let_go()
    with Engine(places) as engine:
        asked = [engine.submit(Attach(run)) for _ in range(8)]
        view, *others = [future.result(PATIENCE) for future in asked]
        assert [other is view for other in others] == [True] * 7
        assert engine.submit(Cancel(run)).result(PATIENCE) is view
        assert view.done.wait(PATIENCE)
    assert held.runs == [run]


def test_launch__following_it_fails_while_another_waits__then_that_one_follows_by_itself(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, Problem("link.agent_gone", "the agent does not answer", "", "ask again"))
    with Engine(places) as engine:
        launched = engine.submit(Launch(str(tmp_path / "project")))
        assert held.came.wait(PATIENCE)
        asked = engine.submit(Cancel(held.runs[0]))
        held.let_go()
        with pytest.raises(ProblemError):
            launched.result(PATIENCE)
        view = asked.result(PATIENCE)
        assert view.done.wait(PATIENCE)
        assert view.state.run.reason == "cancelled"
    assert held.runs == [view.run_id] * 2


def test_attach__several_ask_an_agent_that_is_connected__then_each_is_answered_at_once(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An answer that nobody hears is waited for so long.
    monkeypatch.setattr("tracekit.engine.box._ANSWER", 10 * PATIENCE)
    with Engine(places) as engine:
        view = engine.submit(Launch(str(tmp_path / "project"))).result(PATIENCE)
        engine.submit(Cancel(view.run_id)).result(PATIENCE)
        assert view.done.wait(PATIENCE)
        asked = [engine.submit(Attach(view.run_id)) for _ in range(6)]
        assert {future.result(PATIENCE).run_id for future in asked} == {view.run_id}
