"""The protocol as a simulator sees it: both ends without a socket, any chunking, any speed, hostile bytes."""

from __future__ import annotations

import random
import time
import tracemalloc
from typing import Any

import pytest

from tests.support.agents.hostile import HOSTILE
from tracekit.agent.carry import MARKER
from tracekit.agent.client import MAX_NOISE, Client
from tracekit.agent.protocol import BREATH, CONGESTED, Session
from tracekit.wire.frames import Frame, FrameDecoder, FrameError, FrameType, encode_frame
from tracekit.wire.messages import encode_message

RUN = "01K00000000000000000000000"


def a_session() -> Session:
    return Session({"agent": "h", "runs": []}, lambda: {"t": 1, "m": 2})


def info(state: str = "live", **files: int) -> dict[str, Any]:
    return {"files": {f"{name}.x": length for name, length in files.items()}, "state": state, "reason": ""}


def anew(files: dict[str, int], *, first: bool) -> dict[str, tuple[int, bool]]:
    return dict.fromkeys(files, (0, False))


class World:
    """A session, a client, and the files between them."""

    def __init__(self, seed: int, window: int = 1 << 20) -> None:
        self.random = random.Random(seed)
        self.session = a_session()
        self.client = Client("c")
        self.client.receive(b"noise from a shell\r\n" + MARKER)
        self.files: dict[str, bytes] = {"journal.ndjson": b"", "output.bin": b""}
        self.copies: dict[str, bytes] = {"journal.ndjson": b"", "output.bin": b""}
        self.events: list[dict[str, Any]] = []
        self.wire = b""
        self.state = "live"
        self.client.attach(RUN, "copy", window=window)
        for request in self.session.receive(self.client.take()):
            assert request.kind == FrameType.ATTACH
        self.session.follow(RUN, copying=True, starts=anew, window=window)
        self.tell()

    def tell(self) -> None:
        lengths = {name: len(data) for name, data in self.files.items()}
        self.session.update(RUN, {"files": lengths, "state": self.state, "reason": ""})

    def grow(self) -> None:
        for name in self.files:
            self.files[name] += self.random.randbytes(self.random.choice((0, 1, 100, 5000, 200_000)))
        self.tell()

    def serve(self) -> None:
        want = self.session.want()
        if want is not None:
            self.session.data(want, self.files[want.name][want.offset :][: want.length])
        self.wire += self.session.take()

    def read(self, most: int) -> None:
        data, self.wire = self.wire[:most], self.wire[most:]
        for event in self.client.receive(data):
            self.events.append(event)
            if event["type"] == "data":
                assert event["offset"] == len(self.copies[event["name"]])
                self.copies[event["name"]] += b"".join(event["pieces"])
        self.session.receive(self.client.take())


@pytest.mark.parametrize("seed", range(10))
def test_copy__any_chunking_and_growth__then_the_copy_is_the_file_and_the_end_comes_last(seed: int) -> None:
    world = World(seed)
    for _ in range(40):
        world.random.choice(
            (world.grow, world.serve, lambda: world.read(world.random.randrange(1, 90_000)))
        )()
    world.state = "ended"
    world.tell()
    while world.session.pending or world.wire:
        world.serve()
        world.read(1 << 16)
    assert world.copies == world.files
    assert world.events[-1]["type"] == "lengths"
    assert [event["state"] for event in world.events if event["type"] == "lengths"].count("ended") == 1


def test_window__reader_acknowledges_nothing__then_no_more_than_the_window_is_sent() -> None:
    world = World(1, window=100_000)
    world.files["output.bin"] = bytes(5_000_000)
    world.tell()
    for _ in range(500):
        world.serve()
    frames = FrameDecoder().feed(world.wire)
    assert sum(len(frame.payload) for frame in frames if frame.type == FrameType.DATA) == 100_000


def test_window__reader_says_that_the_line_is_long__then_more_is_under_way() -> None:
    world = World(1, window=100_000)
    world.files["output.bin"] = bytes(5_000_000)
    world.tell()
    world.client.window = 1_000_000
    world.client.ack(RUN, {})
    world.session.receive(world.client.take())
    for _ in range(500):
        world.serve()
    frames = FrameDecoder().feed(world.wire)
    assert sum(len(frame.payload) for frame in frames if frame.type == FrameType.DATA) == 1_000_000


@pytest.mark.parametrize(("window", "every"), [(0, 512 << 10), (4 << 20, 2 << 20), (16 << 20, 4 << 20)])
def test_acks__window_is_known__then_there_is_one_as_seldom_as_nobody_waits_for_it(
    window: int, every: int
) -> None:
    world = World(1, window=window or 1 << 20)
    world.client.window = window
    world.files["output.bin"] = bytes(33 << 20)
    world.tell()
    told = 0
    while len(world.copies["output.bin"]) < len(world.files["output.bin"]):
        world.serve()
        some, world.wire = world.wire, b""
        for event in world.client.receive(some):
            if event["type"] == "data":
                world.copies["output.bin"] += b"".join(event["pieces"])
        said = world.client.take()
        told += len(FrameDecoder().feed(said))
        world.session.receive(said)
    # Each is said behind the breath that fills the measure.
    assert (33 << 20) // (every + BREATH) <= told <= (33 << 20) // every


@pytest.mark.parametrize("kind", ["output", "blobs", "trace"])
def test_stop__reader_takes_no_more_of_a_kind__then_the_rest_goes_on_and_the_end_is_told(kind: str) -> None:
    names = {"output": "output.bin", "blobs": "blobs/" + "a" * 64, "trace": "strings.tkd"}
    world = World(1)
    world.session.follow(RUN, copying=True, starts=anew, window=1 << 20, traced=True)
    world.files = {**dict.fromkeys(names.values(), bytes(300_000)), "journal.ndjson": b"{}\n"}
    world.copies = dict.fromkeys(world.files, b"")
    world.client.stop(RUN, [kind])
    world.session.receive(world.client.take())
    world.state = "ended"
    world.tell()
    for _ in range(200):
        world.serve()
        world.read(1 << 20)
    assert world.events[-1]["state"] == "ended"
    sizes = {name: len(data) for name, data in world.copies.items()}
    assert sizes.pop("journal.ndjson") == 3
    assert sizes == {name: 0 if each == kind else 300_000 for each, name in names.items()}


def test_priority__journal_and_output_wait__then_control_and_the_journal_go_first() -> None:
    world = World(1)
    world.read(1 << 20)
    world.serve()
    world.read(1 << 20)
    world.files = {"output.bin": bytes(300_000), "journal.ndjson": b"{}\n"}
    world.tell()
    world.serve()
    world.serve()
    world.client.ping(7)
    world.session.receive(world.client.take())
    wire = b""
    while world.session.pending:
        world.wire = b""
        world.serve()
        wire += world.wire
    kinds = [FrameType(frame.type).name for frame in FrameDecoder().feed(wire)]
    assert kinds.index("PONG") < kinds.index("DATA")


def test_lengths__follower_is_slow__then_only_the_newest_is_kept() -> None:
    session = a_session()
    session.take()
    session.follow(RUN, copying=False, starts=anew, window=1)
    for length in range(10_000):
        session.update(RUN, info(journal=length))
    frames = FrameDecoder().feed(session.take())
    assert [frame.type for frame in frames] == [FrameType.LENGTHS]
    assert b'"journal.x":9999' in frames[0].payload


def test_lengths__there_is_always_more_to_send__then_they_do_not_wait_for_the_last_byte() -> None:
    world = World(1)
    world.files["output.bin"] = bytes(5_000_000)
    world.tell()
    for _ in range(20):
        world.serve()
    kinds = [frame.type for frame in FrameDecoder().feed(world.wire)]
    assert (kinds[0], FrameType.DATA in kinds) == (FrameType.HELLO, True)
    assert kinds.index(FrameType.LENGTHS) < kinds.index(FrameType.DATA)


def test_attach__files_are_known_only_later__then_the_copy_goes_on_where_it_was() -> None:
    session = a_session()
    asked: list[tuple[dict[str, int], bool]] = []

    def starts(files: dict[str, int], *, first: bool) -> dict[str, tuple[int, bool]]:
        asked.append((files, first))
        return dict.fromkeys(files, (7, False))

    session.follow(RUN, copying=True, starts=starts, window=1 << 20)
    session.update(RUN, {"files": {}, "state": "live", "reason": ""})
    for files in ({"journal.ndjson": 10}, {"journal.ndjson": 12}, {"journal.ndjson": 12, "output.bin": 8}):
        session.update(RUN, {"files": files, "state": "live", "reason": ""})
    session.take()
    wants = []
    while want := session.want():
        wants.append((want.name, want.offset, want.length))
        session.data(want, b"x" * want.length)
        session.take()
    assert asked == [({"journal.ndjson": 10}, True), ({"output.bin": 8}, False)]
    assert wants == [("journal.ndjson", 7, 5), ("output.bin", 7, 1)]


def test_answers__peer_never_reads__then_it_is_no_longer_listened_to() -> None:
    session = a_session()
    asked = encode_message(FrameType.PING, {"id": 1, "t": 1})
    count = 0
    while not session.congested:
        session.receive(asked)
        count += 1
    assert count * len(asked) < 4 * CONGESTED


def test_ping__any__then_the_answer_carries_the_asker_s_time_and_both_clocks() -> None:
    world = World(3)
    number = world.client.ping(123)
    world.session.receive(world.client.take())
    world.serve()
    world.read(1 << 16)
    pong = next(event for event in world.events if event["type"] == "pong")
    assert (pong["id"], pong["t"], pong["clock"]) == (number, 123, {"t": 1, "m": 2})


def test_unknown_frame_of_a_newer_peer__any__then_skipped() -> None:
    assert a_session().receive(encode_frame(200, b"from the future")) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes__any__then_refused_with_little_memory(name: str) -> None:
    session = a_session()
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(FrameError):
            session.receive(HOSTILE[name])
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < 1.0


def test_client__no_marker_in_a_flood_of_noise__then_refused() -> None:
    client = Client("c")
    with pytest.raises(FrameError):
        client.receive(b"banner\n" * (MAX_NOISE // 6))


@pytest.mark.parametrize("cut", range(1, len(MARKER)))
def test_client__marker_cut_anywhere__then_found_and_the_noise_is_kept(cut: int) -> None:
    client = Client("c")
    client.receive(b"motd\n" + MARKER[:cut])
    client.receive(MARKER[cut:])
    assert (client.ready, client.noise) == (True, b"motd\n")


def test_client__data_that_does_not_follow__then_refused() -> None:
    client = Client("c")
    client.receive(MARKER)
    announced = {"id": 1, "run": RUN, "name": "output.bin", "kind": "append", "start": 0, "replaced": False}
    client.receive(encode_message(FrameType.FILE, announced))
    client.receive(encode_frame(FrameType.DATA, b"abc", file=1, offset=0))
    with pytest.raises(FrameError):
        client.receive(encode_frame(FrameType.DATA, b"abc", file=1, offset=4))


def test_client__data_of_a_file_never_announced__then_refused() -> None:
    client = Client("c")
    client.receive(MARKER)
    with pytest.raises(FrameError):
        client.receive(encode_frame(FrameType.DATA, b"abc", file=9))


def test_assembler__message_in_many_frames__then_one_request() -> None:
    client = Client("c")
    client.start({"plan": {"only": ["x" * 100] * 5000}})
    session = a_session()
    data = client.take()
    found = [request for at in range(0, len(data), 777) for request in session.receive(data[at : at + 777])]
    assert len(found) == 1
    assert len(found[0].message["plan"]["only"]) == 5000


def test_frame__decoded__then_a_named_tuple() -> None:
    assert FrameDecoder().feed(encode_frame(3, b"x", file=4, offset=5)) == [Frame(3, 4, 5, b"x")]


def test_trace__older_console_attaches__then_it_gets_no_file_that_it_does_not_know() -> None:
    for asked, wanted in (
        (False, {"journal.ndjson"}),
        (True, {"journal.ndjson", "strings.tkd", "trace/seg-000000.tks"}),
    ):
        session = a_session()
        session.follow(RUN, copying=True, starts=anew, window=1 << 20, traced=asked)
        files = {"trace/seg-000000.tks": 10, "strings.tkd": 10, "journal.ndjson": 10}
        session.update(RUN, {"files": files, "state": "live", "reason": ""})
        session.take()
        order = []
        while want := session.want():
            order.append(want.name)
            session.data(want, b"x" * want.length)
            while session.take():
                pass
        assert set(order) == wanted
        assert order == sorted(order)  # journal, strings, blocks: each before what needs it


def test_numbers__more_files_in_a_day_than_there_are_numbers__then_those_of_ended_runs_serve_again() -> None:
    session, client = a_session(), Client("c")
    client.receive(MARKER)
    came = 0
    session._number = 0xFFFF - 150
    for number in range(3):
        run = f"01K000000000000000000{number:05}"
        session.follow(run, copying=True, starts=anew, window=1 << 20)
        files = {f"blobs/{file}": 1 for file in range(100)}
        session.update(run, {"files": files, "state": "ended", "reason": ""})
        while session.pending:
            if want := session.want():
                session.data(want, b"x")
            came += sum(event["type"] == "data" for event in client.receive(session.take()))
    assert came == 300
    assert not client._files
    assert not session._numbers
