"""A bridge gives its two ends to the daemon: no process more than it must sees the bytes, and every end is heard."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.until import until
from tracekit.agent.bridge import reach
from tracekit.agent.carry import CARRY
from tracekit.agent.client import Client
from tracekit.agent.control import listen
from tracekit.agent.paths import Places, Settings
from tracekit.agent.system import System
from tracekit.link.zipped import agent_zip
from tracekit.wire.frames import FrameType, encode_frame
from tracekit.wire.lines import encode
from tracekit.wire.messages import encode_message

# As Linux numbers the question.
_PIPE_SIZE = 1032


class Bridged:
    """A bridge over two pipes, and the daemon behind it."""

    def __init__(self, base: Path) -> None:
        words = [sys.executable, "-I", "-S", str(agent_zip(base / "cache")), "bridge"]
        self.state = base / "state"
        self.process = subprocess.Popen(
            [*words, "--state", str(self.state), "--idle", "30"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.source, self.target = self.process.stdout.fileno(), self.process.stdin.fileno()
        self.client = Client("test")
        self.events: list[dict[str, object]] = []
        self.hear("hello")
        self.daemon = int(str(self.events[0]["pid"]))
        # From its second word on nobody stands between.
        self.ping()

    def hear(self, kind: str) -> None:
        while not any(event["type"] == kind for event in self.events):
            data = os.read(self.source, 1 << 16)
            assert data, "the end"
            self.events += self.client.receive(data)

    def ping(self) -> None:
        self.events = [event for event in self.events if event["type"] != "pong"]
        self.client.ping(1)
        os.write(self.target, self.client.take())
        self.hear("pong")

    def read_by(self, pid: int) -> int:
        lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        return int(lines["rchar"])

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)

    def notes(self) -> list[Path]:
        return list(self.state.glob("agent/*/daemon.json"))


@pytest.fixture
def bridged(tmp_path: Path) -> Iterator[Bridged]:
    made = Bridged(tmp_path)
    try:
        yield made
    finally:
        made.close()
        for note in made.notes():
            os.kill(int(json.loads(note.read_text())["pid"]), signal.SIGTERM)


def test_carry__written_out__then_it_is_the_frame_of_that_kind() -> None:
    assert encode_frame(FrameType.CARRY) == CARRY


def test_bridge__a_flood_of_words__then_none_of_them_goes_through_it(bridged: Bridged) -> None:
    before = bridged.read_by(bridged.process.pid), bridged.read_by(bridged.daemon)
    for _ in range(50):
        os.write(bridged.target, encode_message(FrameType.PING, {"id": 1, "t": 1, "padding": "x" * 20_000}))
    for _ in range(50):
        bridged.ping()
    assert bridged.read_by(bridged.process.pid) == before[0]
    assert bridged.read_by(bridged.daemon) - before[1] > 1_000_000


def test_bridge__it_wrote_into_a_pipe__then_more_of_a_flood_lies_ready_in_it(bridged: Bridged) -> None:
    usual = os.pipe()
    try:
        assert fcntl.fcntl(bridged.source, _PIPE_SIZE) > 4 * fcntl.fcntl(usual[0], _PIPE_SIZE)
    finally:
        for end in usual:
            os.close(end)


def test_bridge__much_was_said_before_it_was_heard__then_all_of_it_is_answered(
    bridged: Bridged, tmp_path: Path
) -> None:
    early = b"".join(
        encode_message(FrameType.PING, {"id": number, "t": 1, "padding": "x" * 20_000}) for number in range(4)
    )
    words = [sys.executable, "-I", "-S", str(agent_zip(tmp_path / "cache")), "bridge"]
    words += ["--state", str(bridged.state), "--early", base64.b64encode(early).decode("ascii")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        client, answered = Client("test"), list[object]()
        while len(answered) < 4:
            data = os.read(process.stdout.fileno(), 1 << 16)
            assert data, "the end"
            answered += [event["id"] for event in client.receive(data) if event["type"] == "pong"]
        process.stdin.close()
    assert answered == [0, 1, 2, 3]


def test_bridge__second_console__then_each_hears_its_own(bridged: Bridged, tmp_path: Path) -> None:
    second = Bridged(tmp_path)
    assert second.daemon == bridged.daemon
    bridged.ping()
    second.close()
    bridged.ping()


def test_daemon__many_consoles_come_and_go__then_it_holds_no_more_than_before(
    bridged: Bridged, tmp_path: Path
) -> None:
    def held() -> int:
        return len(list(Path(f"/proc/{bridged.daemon}/fd").iterdir()))

    before = held()
    for _ in range(5):
        Bridged(tmp_path).close()
    until(lambda: held() == before)


def test_bridge__its_console_ends__then_it_ends_and_the_daemon_stays(
    bridged: Bridged, tmp_path: Path
) -> None:
    bridged.close()
    assert bridged.process.returncode == 0
    again = Bridged(tmp_path)
    assert again.daemon == bridged.daemon
    again.close()


def test_bridge__killed__then_the_daemon_lets_go_of_its_pipes(bridged: Bridged) -> None:
    bridged.process.kill()
    while os.read(bridged.source, 1 << 16):
        pass
    os.kill(bridged.daemon, 0)


def test_bridge__daemon_killed__then_it_ends(bridged: Bridged) -> None:
    os.kill(bridged.daemon, signal.SIGKILL)
    while os.read(bridged.source, 1 << 16):
        pass
    assert bridged.process.wait(30) == 0


def test_bridge__words_go_into_a_file__then_it_carries_them_itself(bridged: Bridged, tmp_path: Path) -> None:
    said = tmp_path / "said"
    words = [sys.executable, "-I", "-S", str(agent_zip(tmp_path / "cache")), "bridge"]
    with said.open("wb") as file:
        process = subprocess.Popen(
            [*words, "--state", str(bridged.state)], stdin=subprocess.PIPE, stdout=file
        )
        assert process.stdin is not None
        client = Client("test")
        client.ping(7)
        process.stdin.write(client.take())
        process.stdin.flush()
        until(lambda: "pong" in [event["type"] for event in Client("test").receive(said.read_bytes())])
        process.stdin.close()
        process.wait(30)


@pytest.mark.parametrize("ends", [0, 1])
def test_daemon__asked_to_take_over_what_did_not_come_along__then_it_lets_go(
    bridged: Bridged, ends: int
) -> None:
    (note,) = bridged.notes()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(json.loads(note.read_text())["socket"])
        socket.send_fds(peer, [CARRY], [bridged.source][:ends])
        while peer.recv(1 << 16):
            pass
    bridged.ping()


def test_daemon__more_comes_along_than_a_bridge_has__then_it_lets_go_and_keeps_none(
    bridged: Bridged,
) -> None:
    def held() -> int:
        return len(list(Path(f"/proc/{bridged.daemon}/fd").iterdir()))

    (note,) = bridged.notes()
    before = held()
    ping = encode_message(FrameType.PING, {"id": 1, "t": 1})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(json.loads(note.read_text())["socket"])
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                socket.send_fds(peer, [ping], [bridged.source, bridged.target])
            while peer.recv(1 << 16):
                pass
    until(lambda: held() == before)
    bridged.ping()


def test_reach__note_is_ours_and_the_socket_another_agents__then_not_taken_for_our_own(
    tmp_path: Path,
) -> None:
    settings = Settings(str(tmp_path / "state"), str(tmp_path / "cache"), "", "ours")
    places = Places(settings.state)
    places.prepare()
    path = f"{places.socket_directory()}/d"
    note = {"socket": path, "wardens": "", "pid": os.getpid(), "agent": "ours"}
    Path(places.note).write_bytes(encode(note))
    hello = {"major": 1, "minor": 0, "agent": "another", "runs": [{"run": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}]}
    with listen(path) as face:
        face.setblocking(True)

        def serve() -> None:
            peer, _ = face.accept()
            with peer:
                peer.sendall(encode_message(FrameType.HELLO, hello))
                peer.recv(1)

        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve)
            peer, first, own = reach(System(), settings)
            peer.close()
            served.result()
    assert (own, first) == (False, encode_message(FrameType.HELLO, hello))
