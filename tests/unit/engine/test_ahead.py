"""A run that is begun before the engine is there: started once, whatever becomes of the bridge it was said into."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracekit.agent.carry import base_of
from tracekit.engine.ahead import begin
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Launch
from tracekit.engine.view import RunView
from tracekit.link.bridge import Bridge
from tracekit.link.zipped import agent_zip

PATIENCE = 60.0
TEST = """
import os
def test_once():
    with open(os.environ["RAN"], "a") as file:
        file.write("ran\\n")
"""


class Home:
    """A project, and a person with an agent that has been built and is not up."""

    def __init__(self, folder: Path) -> None:
        self.ran = folder / "ran"
        self.root = folder / "project"
        self.root.mkdir()
        (self.root / "test_one.py").write_text(TEST)
        suite = f"[suite.one]\nrunner = 'pytest'\npython = '{sys.executable}'\npaths = ['test_one.py']\n"
        (self.root / "tracekit.toml").write_text(suite)
        environ = {**os.environ, "RAN": str(self.ran), "XDG_CONFIG_HOME": str(folder / "config")}
        self.places = Places(folder / "state", folder / "cache", environ, agent_idle=1.0)
        agent_zip(self.places.cache)
        bridge = Bridge.waiting(self.places.state, self.places.cache, idle=1.0)
        assert bridge is not None
        self.bridge = bridge
        #: An engine has closed it.
        self.followed = False

    def launch(self, **more: tuple[str, ...]) -> Launch:
        return Launch(str(self.root), **more)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path)
    yield found
    if not found.followed:
        found.bridge.close()


def _followed(home: Home, places: Places) -> RunView:
    """Begin it, follow it by an engine, and give its view at the end."""
    request = home.launch()
    begun = begin(home.bridge, request, places)
    assert begun is not None
    home.followed = True
    with Engine(places, begun=home.bridge, console=begun.console) as engine:
        view = engine.submit(request._replace(begun=begun)).result(PATIENCE)
        assert view.run_id == begun.planned.run_id
        assert view.done.wait(PATIENCE)
    return view


def _verdicts(view: RunView) -> dict[str, int]:
    return {verdict: count for verdict, count in view.verdicts().items() if count}


def test_begin__then_an_engine_follows_it_and_it_ran_once(home: Home) -> None:
    home.bridge.needed()
    view = _followed(home, home.places)
    assert _verdicts(view) == {"passed": 1}
    assert home.ran.read_text() == "ran\n"
    assert len(list((home.places.state / "runs").iterdir())) == 1


def test_begin__bridge_dies_before_it_is_heard__then_the_engine_says_it_again_and_it_ran_once(
    home: Home,
) -> None:
    os.kill(home.bridge.pid, signal.SIGKILL)
    os.waitid(os.P_PID, home.bridge.pid, os.WEXITED | os.WNOWAIT)
    view = _followed(home, home.places)
    assert _verdicts(view) == {"passed": 1}
    assert home.ran.read_text() == "ran\n"


def test_begin__more_than_a_pipe_holds__then_the_engine_says_the_rest(home: Home) -> None:
    much = {f"MUCH_{number}": "x" * 30_000 for number in range(8)}
    places = Places(home.places.state, home.places.cache, {**home.places.environ, **much}, agent_idle=1.0)
    home.bridge.needed()
    assert _verdicts(_followed(home, places)) == {"passed": 1}
    assert home.ran.read_text() == "ran\n"


def test_begin__something_is_selected__then_nothing_is_begun(home: Home) -> None:
    assert begin(home.bridge, home.launch(selectors=("once",)), home.places) is None
    assert not (home.places.state / "runs").exists()


def test_begin__daemon_of_another_agent_is_up__then_nothing_is_begun(home: Home) -> None:
    note = Path(base_of(str(home.places.state))) / "daemon.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"agent":"another","socket":"/nowhere"}')
    assert begin(home.bridge, home.launch(), home.places) is None
    assert not (home.places.state / "runs").exists()
