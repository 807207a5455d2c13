"""The agent's first arrival on a box: it asks for what is not there, each by its hash, and for nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest

from tracekit.agent.boot import NEED, NEED_LIBRARY, target
from tracekit.agent.carry import MARKER
from tracekit.agent.client import Client
from tracekit.link.bootstrap import Arrival, command
from tracekit.link.zipped import Carried, carried


class Place:
    """A home that an agent comes to, and what its console carries."""

    def __init__(self, base: Path) -> None:
        self.home = base / "box"
        self.home.mkdir()
        self.brought = carried(base / "console")
        self.environ = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TRACEKIT_AGENT_IDLE": "0"}

    @property
    def libraries(self) -> list[Path]:
        return sorted((self.home / ".cache" / "tracekit" / "library").glob("*"))

    def arrives(self, brought: Carried | None = None) -> list[bytes]:
        """What is asked for until the agent stands."""
        chosen = brought or self.brought
        process = subprocess.Popen(
            ["sh", "-c", command(chosen)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.environ
        )
        assert process.stdin is not None
        assert process.stdout is not None
        arrival, heard = Arrival(chosen, "box"), b""
        with process:
            while not arrival.ready:
                data = os.read(process.stdout.fileno(), 1 << 16)
                heard += data
                process.stdin.write(arrival.feed(data))
                process.stdin.flush()
            process.stdin.close()
        assert MARKER in heard
        return [marker for marker in (NEED_LIBRARY, NEED) if marker in heard]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_arrive__first_and_second_time__then_both_are_asked_for_once(place: Place) -> None:
    assert place.arrives() == [NEED_LIBRARY, NEED]
    assert place.brought.library is not None
    (library,) = place.libraries
    assert library.read_bytes() == zlib.decompress(place.brought.library.read_bytes())
    assert hashlib.blake2b(library.read_bytes(), digest_size=16).hexdigest() == library.stem
    assert place.arrives() == []


def test_arrive__newer_agent_with_the_same_library__then_only_the_agent_is_asked_for(place: Place) -> None:
    place.arrives()
    shutil.rmtree(place.home / ".cache" / "tracekit" / "agent")
    assert place.arrives() == [NEED]


def test_arrive__library_is_gone__then_only_the_library_is_asked_for(place: Place) -> None:
    place.arrives()
    place.libraries[0].unlink()
    assert place.arrives() == [NEED_LIBRARY]
    assert len(place.libraries) == 1


def test_arrive__library_is_for_another_machine__then_it_stays_where_it_is(
    place: Place, tmp_path: Path
) -> None:
    assert place.brought.library is not None
    other = tmp_path / place.brought.library.name.replace(target(), "vax-gnu")
    shutil.copy(place.brought.library, other)
    assert place.arrives(Carried(place.brought.archive, other)) == [NEED]
    assert place.libraries == []


@pytest.mark.parametrize("harm", ["cut", "other"])
def test_arrive__library_is_not_what_its_name_says__then_the_agent_stands_without_it(
    place: Place, tmp_path: Path, harm: str
) -> None:
    assert place.brought.library is not None
    data = place.brought.library.read_bytes()
    other = tmp_path / place.brought.library.name
    other.write_bytes(data[:-100] if harm == "cut" else zlib.compress(b"something else"))
    assert place.arrives(Carried(place.brought.archive, other)) == [NEED_LIBRARY, NEED]
    assert place.libraries == []


@pytest.mark.parametrize("idle", ["0", "30"])
def test_arrive__console_speaks_before_it_is_heard__then_answered_behind_the_first_word(
    place: Place, idle: str
) -> None:
    place.environ["TRACEKIT_AGENT_IDLE"] = idle
    daemon = 0
    # Nothing is there; then a file that must start a daemon, or a daemon that is up.
    for _ in range(2):
        client = Client("test")
        client.attach("01ARZ3NDEKTSV4RRFFQ69G5FAV")
        arrival = Arrival(place.brought, "box")
        process = subprocess.Popen(
            ["sh", "-c", command(place.brought, client.take())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=place.environ,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            while not arrival.ready:
                process.stdin.write(arrival.feed(os.read(process.stdout.fileno(), 1 << 16)))
                process.stdin.flush()
            events = client.receive(arrival.heard)
            while len(events) < 2:
                events += client.receive(os.read(process.stdout.fileno(), 1 << 16))
            # Whatever comes later is said as ever.
            client.ping(1)
            process.stdin.write(client.take())
            process.stdin.flush()
            while len(events) < 3:
                events += client.receive(os.read(process.stdout.fileno(), 1 << 16))
            process.stdin.close()
        assert [event["type"] for event in events] == ["hello", "error", "pong"]
        daemon = int(events[0]["pid"])
    if idle == "30":
        os.kill(daemon, 15)


def test_arrive__daemon_is_up__then_hardly_anything_is_loaded_for_its_bridge(place: Place) -> None:
    place.environ["TRACEKIT_AGENT_IDLE"] = "30"
    place.arrives()
    line = command(place.brought).replace("-I -S -c", "-X importtime -I -S -c")
    process = subprocess.Popen(
        ["sh", "-c", line.replace("2>/dev/null; r=", f"2>{place.home}/loaded; r=")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=place.environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    arrival, client = Arrival(place.brought, "box"), Client("test")
    with process:
        while not arrival.ready:
            arrival.feed(os.read(process.stdout.fileno(), 1 << 16))
        (hello,) = client.receive(arrival.heard)
        process.stdin.close()
    os.kill(int(hello["pid"]), 15)
    loaded = {line.rpartition("|")[2].strip() for line in (place.home / "loaded").read_text().splitlines()}
    assert "tracekit.agent.carry" in loaded
    assert loaded.isdisjoint({"re", "enum", "socket", "hashlib", "json", "typing", "shutil", "dataclasses"})
