"""What a box sends lies in pieces until it is taken, a bounded part of it at once."""

from __future__ import annotations

from itertools import chain

import anyio

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
