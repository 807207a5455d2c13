"""A flood is opened beside the library, and it is the same flood; what is not in order is the library's to refuse."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncssh
import pytest

from tracekit.link.channel import Channel
from tracekit.link.cutting import Cutting, cut
from tracekit.link.unsealing import Unsealing

Change = Callable[[Cutting, memoryview, int], None]
_OPTIONS: dict[str, Any] = {"encryption_algs": ["aes128-gcm@openssh.com"], "compression_algs": ["none"]}


def flood(seed: int, size: int) -> list[bytes]:
    chance = random.Random(seed)
    found, left = [], size
    while left > 0:
        found.append(chance.randbytes(min(left, chance.choice([1, 15, 16, 700, 33_000, 200_000]))))
        left -= len(found[-1])
    return found


@contextlib.asynccontextmanager
async def opened(
    parts: list[bytes], errors: bytes = b"", **options: Any
) -> AsyncIterator[tuple[asyncssh.SSHClientConnection, Ending]]:
    """A connection to a server of the library that sends so much, with another word of it among them."""

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await process.stdin.readexactly(1)
        for part in parts:
            process.stdout.write(part)
            if errors:
                process.stderr.write(errors)
            await process.stdout.drain()
        process.exit(0)

    key = asyncssh.generate_private_key("ssh-ed25519")
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], server_factory=Open, process_factory=serve, encoding=None,
        **options,
    )  # fmt: skip
    known = asyncssh.import_known_hosts(f"* {key.export_public_key().decode()}")
    try:
        async with asyncssh.connect(
            "127.0.0.1",
            server.get_port(),
            username="u",
            known_hosts=known,
            config=None,
            client_keys=None,
            **_OPTIONS,
        ) as connection:
            cut(connection)
            channel = Ending()
            await connection.create_session(
                lambda: channel, "flood", encoding=None, window=2**20, max_pktsize=2**17
            )
            yield connection, channel
    finally:
        server.close()


class Ending(Channel):
    """Keeps how it ended."""

    fault: Exception | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.fault = exc
        super().connection_lost(exc)


class Open(asyncssh.SSHServer):
    """Lets everybody in."""

    def begin_auth(self, username: str) -> bool:
        return False


def by_library(connection: asyncssh.SSHClientConnection) -> list[int]:
    """The sizes of what the library opens itself."""
    opens: Any = connection._recv_packet
    sizes: list[int] = []

    def counted() -> bool:
        before = connection._recv_seq
        done: bool = opens()
        if connection._recv_seq != before:
            sizes.append(connection._pktlen)
        return done

    connection._recv_packet = counted  # type: ignore[method-assign]
    return sizes


def is_lent(piece: object) -> bool:
    return isinstance(piece, memoryview)


async def everything(channel: Channel) -> bytes:
    await channel.send(b"!")
    found = b""
    while pieces := await channel.receive():
        found += b"".join(pieces)
    return found


def test_flood__many_packets_of_any_size__then_the_same_bytes_and_few_of_them_by_the_library() -> None:
    parts = flood(1, 12 << 20)

    async def run() -> tuple[bytes, int]:
        async with opened(parts) as (connection, channel):
            taken = by_library(connection)
            return await everything(channel), sum(taken)

    found, slow = asyncio.run(run())
    assert found == b"".join(parts)
    # What came in two reads is the library's, and a packet of each.
    assert slow < len(found) // 2


def test_flood__keys_are_made_anew_on_the_way_and_others_talk_too__then_the_same_bytes() -> None:
    parts = flood(2, 6 << 20)

    async def run() -> tuple[bytes, list[int]]:
        async with opened(parts, b"a word of a shell\n", rekey_bytes=300_000) as (_, channel):
            keys = set[int]()
            take = Unsealing._ready

            def seen(self: Unsealing) -> Any:
                cipher = take(self)
                if cipher is not None:
                    keys.add(hash(cipher._key))
                return cipher

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(Unsealing, "_ready", seen)
                return await everything(channel), sorted(keys)

    found, keys = asyncio.run(run())
    assert found == b"".join(parts)
    assert len(keys) > 3


def test_flood__who_reads_it_keeps_all_of_it__then_nothing_of_it_is_written_over() -> None:
    parts = flood(5, 24 << 20)

    async def run() -> list[bytes]:
        async with opened(parts) as (_, channel):
            await channel.send(b"!")
            found: list[bytes] = []
            while pieces := await channel.receive():
                found += pieces
            return found

    found = asyncio.run(run())
    lent = [piece for piece in found if is_lent(piece)]
    # So many rooms are lent and no more; of the rest there are copies.
    assert 0 < len(lent) <= 12
    assert b"".join(found) == b"".join(parts)


def test_flood__who_reads_it_is_done_with_it__then_few_rooms_serve_for_all_of_it() -> None:
    parts = [bytes([number]) * 400_000 for number in range(100)]

    async def run() -> tuple[list[bytes], int, int]:
        async with opened(parts) as (connection, channel):
            transport: Any = connection._transport
            unsealing = transport.get_protocol()._unsealing
            await channel.send(b"!")
            kept, lent = list[bytes](), 0
            while pieces := await channel.receive():
                lent += sum(len(piece) for piece in pieces if is_lent(piece))
                kept.append(b"".join(pieces))
                del pieces
            return kept, lent, len(unsealing._lent)

    kept, lent, rooms = asyncio.run(run())
    assert b"".join(kept) == b"".join(parts)
    assert lent > 12 * (2 << 20)
    assert rooms <= 12


def test_flood__nobody_takes_it__then_the_box_is_held_back_and_nothing_is_lost() -> None:
    parts = flood(3, 16 << 20)

    async def run() -> tuple[int, bytes]:
        async with opened(parts) as (_, channel):
            await channel.send(b"!")
            held = -1
            while held != channel._held:
                held = channel._held
                await asyncio.sleep(0.2)  # poll: until nothing more comes
            found = b""
            while pieces := await channel.receive():
                found += b"".join(pieces)
            return held, found

    held, found = asyncio.run(run())
    assert held < 6 << 20
    assert found == b"".join(parts)


def test_flood__a_byte_of_it_is_another__then_the_library_ends_the_connection_and_none_of_it_is_given() -> (
    None
):
    parts = [bytes(30_000)] * 100
    spoilt = list[int]()

    async def run() -> tuple[bytes, Exception | None]:
        async with opened(parts) as (connection, channel):
            transport: Any = connection._transport
            cutting = transport.get_protocol()
            come = cutting.buffer_updated

            def spoil(nbytes: int) -> None:
                view = cutting.get_buffer(-1)
                if nbytes > 60_000 and not spoilt:
                    view[nbytes // 2] ^= 1
                    spoilt.append(nbytes)
                come(nbytes)

            cutting.buffer_updated = spoil
            found = await everything(channel)
            return found, channel.fault

    found, fault = asyncio.run(run())
    assert spoilt
    assert isinstance(fault, asyncssh.MACError)
    assert len(found) < 100 * 30_000
    assert not found.strip(b"\0")
