"""What a box sends lies in pieces until it is taken, a bounded part of it at once."""

from __future__ import annotations

from itertools import chain
from typing import cast

import anyio
import asyncssh

from tracekit.link.channel import Channel


def test_receive__a_flood_has_come__then_it_is_taken_in_its_order_and_a_little_at_once() -> None:
    async def taken() -> list[list[bytes]]:
        channel = Channel()
        for number in range(192):
            channel.data_received(bytes([number]) * 32768, None)
        channel.data_received(b"last", None)
        channel.eof_received()
        found: list[list[bytes]] = []
        while pieces := await channel.receive():
            found.append(list(pieces))
        return found

    found = anyio.run(taken)
    pieces = list(chain.from_iterable(found))
    assert [piece[0] for piece in pieces[:-1]] == list(range(192))
    assert pieces[-1] == b"last"
    assert max(sum(map(len, some)) for some in found) <= 2 << 20
    assert len(found) == 4


def test_receive__a_piece_that_is_larger__then_it_comes_whole() -> None:
    async def taken() -> list[bytes]:
        channel = Channel()
        channel.data_received(b"x" * (1 << 20), None)
        return list(await channel.receive())

    assert [len(piece) for piece in anyio.run(taken)] == [1 << 20]


def test_receive__two_wait_at_once__then_both_hear_the_end() -> None:
    async def heard() -> list[bytes]:
        channel, found = Channel(), list[bytes]()

        async def wait() -> None:
            while pieces := await channel.receive():
                found.extend(pieces)

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            for word in (b"first", b"second"):
                channel.data_received(word, None)
                await anyio.wait_all_tasks_blocked()
            channel.eof_received()
        return found

    assert anyio.run(heard) == [b"first", b"second"]


def test_send__line_is_said_to_be_full_twice__then_who_waits_goes_on_when_it_is_not() -> None:
    class Library:
        def write(self, data: bytes) -> None:
            pass

    async def sent() -> int:
        channel, done = Channel(), list[int]()
        channel.connection_made(cast("asyncssh.SSHClientChannel[bytes]", Library()))

        async def send() -> None:
            await channel.send(b"x")
            done.append(1)

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                channel.pause_writing()
                tasks.start_soon(send)
                await anyio.wait_all_tasks_blocked()
            assert done == []
            channel.resume_writing()
        return len(done)

    assert anyio.run(sent) == 2
