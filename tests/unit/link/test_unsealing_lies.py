"""A server that says wrong things in sound packets comes to the same end, whether the library opens them or we do."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import asyncssh
import pytest

from tests.unit.link.test_unsealing import Ending, Open
from tracekit.link import cutting

_DATA, _ERRORS, _EOF, _IGNORE = 94, 95, 96, 2
_WINDOW = 1 << 16


def packet(kind: int, number: int, data: bytes, padding: int = 8, size: int | None = None) -> bytes:
    """What is sealed: how much padding, what it is, whose, how long it says that it is, and the data."""
    told = len(data) if size is None else size
    return bytes([padding]) + struct.pack(">BII", kind, number, told) + data + bytes(padding)


# Each with one sound packet before and one behind, which the library may still take or not.
LIES: dict[str, list[bytes]] = {
    "sound": [packet(_DATA, 0, b"b" * 500)],
    "no padding": [packet(_DATA, 0, b"b" * 500, padding=0)],
    "little padding": [packet(_DATA, 0, b"b" * 500, padding=3)],
    "much padding": [packet(_DATA, 0, b"b" * 500, padding=255)],
    "padding that is not there": [b"\xff" + packet(_DATA, 0, b"b" * 20)[1:]],
    "longer than it is": [packet(_DATA, 0, b"b" * 500, size=600)],
    "shorter than it is": [packet(_DATA, 0, b"b" * 500, size=400)],
    "no data": [packet(_DATA, 0, b"")],
    "huge in words": [packet(_DATA, 0, b"b" * 500, size=0xFFFFFFFF)],
    "another's": [packet(_DATA, 7, b"b" * 500)],
    "more than the window": [packet(_DATA, 0, b"b" * (_WINDOW + 1))],
    "more than the window by and by": [packet(_DATA, 0, b"b" * 30_000)] * 3,
    "as long as may be": [packet(_DATA, 0, b"b" * 300_000)],
    "nothing to be heeded": [bytes([10, _IGNORE, 0, 0, 0, 0]) + bytes(10)],
    "of no kind": [packet(250, 0, b"b" * 30)],
    "errors": [bytes([8]) + struct.pack(">BIII", _ERRORS, 0, 1, 50) + b"e" * 50 + bytes(8)],
    "data behind the end": [bytes([8, _EOF, 0, 0, 0, 0]) + bytes(8), packet(_DATA, 0, b"b" * 500)],
}


def outcome(lies: list[bytes], ours: bool) -> tuple[bytes, str]:
    """What is given to the session, and how the connection ends."""

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        await process.stdin.readexactly(1)
        connection: Any = process.channel.get_connection()
        number = struct.pack(">I", process.channel._send_chan)
        sealed = b""
        for each in [packet(_DATA, 0, b"a" * 700), *lies, packet(_DATA, 0, b"c" * 900)]:
            data = each if each[2:6] == struct.pack(">I", 7) else each[:2] + number + each[6:]
            found, seal = connection._send_encryption.encrypt_packet(0, struct.pack(">I", len(data)), data)
            sealed += found + seal
            connection._send_seq = (connection._send_seq + 1) & 0xFFFFFFFF
        # All in one write, so that it comes in one read.
        connection._transport.write(sealed)
        await process.stdin.read()
        process.exit(0)

    async def run() -> tuple[bytes, str]:
        found, end = b"", "open"
        key = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[key],
            server_factory=Open,
            process_factory=serve,
            encoding=None,
        )
        known = asyncssh.import_known_hosts(f"* {key.export_public_key().decode()}")
        try:
            connection = await asyncssh.connect(
                "127.0.0.1",
                server.get_port(),
                username="u",
                known_hosts=known,
                config=None,
                client_keys=None,
                encryption_algs=["aes128-gcm@openssh.com"],
                compression_algs=["none"],
            )
            async with connection:
                if ours:
                    cutting.cut(connection)
                channel = Ending()
                await connection.create_session(lambda: channel, "x", encoding=None, window=_WINDOW)
                await channel.send(b"!")
                while not found.endswith(b"c" * 900) and (pieces := await channel.receive()):
                    found += b"".join(pieces)
                if channel._lost:
                    end = type(channel.fault).__name__
        finally:
            server.close()
        return found, end

    return asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize("name", LIES)
def test_flood__server_lies_in_sound_packets__then_it_ends_as_the_library_alone_ends_it(name: str) -> None:
    assert outcome(LIES[name], True) == outcome(LIES[name], False)


def test_flood__session_raises_on_what_it_is_given__then_the_library_ends_the_connection_with_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raises(self: Ending, data: bytes, datatype: asyncssh.DataType) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Ending, "data_received", raises)
    assert outcome(LIES["sound"], True) == outcome(LIES["sound"], False) == (b"", "ZeroDivisionError")
