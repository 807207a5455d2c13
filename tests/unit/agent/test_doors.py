"""A daemon whose state directory was taken away: its successor is left alone, and gets everybody who comes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from tests.support.until import until
from tracekit.agent.client import Client
from tracekit.agent.control import connect
from tracekit.agent.paths import MAX_SOCKET_PATH, Places
from tracekit.link.zipped import agent_zip

#: A bridge that begins at a state directory, with the pid of the daemon that it reached.
Begin = Callable[[Path], tuple[Popen[bytes], int]]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    agent = str(agent_zip(tmp_path / "cache"))
    bridges: list[Popen[bytes]] = []
    daemons: set[int] = set()

    def made(state: Path) -> tuple[Popen[bytes], int]:
        words = [sys.executable, "-I", "-S", agent, "bridge", "--state", str(state), "--idle", "0.5"]
        bridge = Popen(words, stdin=PIPE, stdout=PIPE)
        bridges.append(bridge)
        assert bridge.stdout is not None
        client, heard = Client("test"), list[dict[str, object]]()
        while not heard:
            data = os.read(bridge.stdout.fileno(), 1 << 16)
            assert data, "the end"
            heard += [event for event in client.receive(data) if event["type"] == "hello"]
        daemons.add(int(str(heard[0]["pid"])))
        return bridge, int(str(heard[0]["pid"]))

    yield made
    for bridge in bridges:
        _leave(bridge)
    for pid in daemons:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _leave(bridge: Popen[bytes]) -> None:
    for end in (bridge.stdin, bridge.stdout):
        if end is not None:
            end.close()
    bridge.wait(30)


def _gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def _state(base: Path, *, far: bool) -> Path:
    """A state directory; a `far` one has its sockets elsewhere, where nobody who removes it looks."""
    return base / ("far" * (MAX_SOCKET_PATH // 3) if far else "near") / "state"


@pytest.mark.parametrize("far", [False, True], ids=["near", "far"])
@pytest.mark.parametrize("taken", ["removed", "replaced"])
def test_daemon__its_state_directory_was_taken__then_the_next_one_keeps_its_sockets_when_it_goes(
    tmp_path: Path, begin: Begin, taken: str, far: bool
) -> None:
    state = _state(tmp_path, far=far)
    first, old = begin(state)
    if taken == "removed":
        shutil.rmtree(state)
    else:
        state.rename(state.with_name("aside"))
    _, new = begin(state)
    assert new != old
    places = Places(str(state))
    note = json.loads(Path(places.note).read_text())
    _leave(first)
    until(lambda: _gone(old))
    assert json.loads(Path(places.note).read_text()) == note
    assert note["pid"] == new
    for door in (note["socket"], note["wardens"]):
        peer = connect(door)
        assert peer is not None, door
        peer.close()


def test_daemon__another_directory_stands_where_its_own_stood__then_its_own_sockets_go_with_it(
    tmp_path: Path, begin: Begin
) -> None:
    state = _state(tmp_path, far=True)
    first, old = begin(state)
    sockets = Path(Places(str(state)).socket_directory())
    assert sorted(each.name for each in sockets.iterdir()) == ["d", "w"]
    state.rename(state.with_name("aside"))
    state.mkdir()
    _leave(first)
    until(lambda: _gone(old))
    assert not sockets.exists()
