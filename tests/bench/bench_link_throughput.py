"""link-throughput: the output of a run from a box into files of this store, beside two references of the same run.

Ours is the whole way: the agent's frames out of its run directory, through daemon, bridge and a real sshd, checked,
acknowledged, and appended to the copy. The OpenSSH client has the same file printed into a file, over loopback, and
nobody looks whether it is the same; how that is with a checksum in passing at both ends, as ours has it, is shown
beside it. The SSH library as it comes does so over a line whose round trip takes 100 ms. What counts are ratios of
the same run.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import asyncssh

from tests.bench.delay import delayed
from tests.bench.figures import Figure, median
from tests.support import sshd
from tracekit.agent.kept import COPIERS
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.channel import Channel
from tracekit.link.hostkeys import HostKeys
from tracekit.link.login import Address, Trust
from tracekit.link.ssh import MEASURED, PACKET, WINDOW, SshLink
from tracekit.store.copies import Copy
from tracekit.wire.ids import new_ulid
from tracekit.wire.lines import encode
from tracekit.wire.names import JOURNAL_FILE, OUTPUT_FILE, RUN_FILE, E

ROUND_TRIP = 0.1
NEAR, FAR = 256 << 20, 96 << 20
# The defaults are slow on a long line: so much is enough to see how slow.
DEFAULTS = 12 << 20
TRIES = 3
# A loop of a second is at the mercy of whoever else wants the processor just then.
NEAR_TRIES = 5
# What passes on what it reads, and tells its checksum at the end.
_PASS = """
import os, sys, zlib
found = 0
while data := os.read(0, 1 << 18):
    found = zlib.crc32(data, found)
    view = memoryview(data)
    while view:
        view = view[os.write(1, view):]
print(found, file=sys.stderr)
"""
_RUNS = ".local/state/tracekit/box/runs"


def put_run(box: sshd.Box, size: int) -> str:
    """An ended run on the box that printed so much, and waits for a console; gives its id."""
    run = new_ulid(time.time_ns() // 1_000_000, os.urandom(10))
    folder = box.home / _RUNS / run
    place = folder / "box7"
    place.mkdir(parents=True)
    head = {"v": 1, "src": "box7/daemon/1-1", "t": 1, "m": 1, "run": run}
    lines = ({"n": 1, "e": E.RUN_STARTED, "suites": []}, {"n": 2, "e": E.RUN_ENDED, "reason": "finished"})
    (place / JOURNAL_FILE).write_bytes(b"".join(encode({**head, **line}) for line in lines))
    (place / RUN_FILE).write_bytes(encode({"plan": {"mode": "run"}}))
    (folder / COPIERS).write_bytes(encode({"box": "box7", "consoles": {"somebody else": False}}))
    block = os.urandom(1 << 20)
    with (place / OUTPUT_FILE).open("wb") as file:
        for _ in range(size >> 20):
            file.write(block)
    # All of it is its user's own.
    sshd.give(box, box.home / ".local")
    return run


def by_openssh(box: sshd.Box, run: str, size: int, base: Path, *, proved: bool = False) -> float:
    """Bytes a second with the distribution's client, from the first byte on, into a file.

    `proved`: both ends take the checksum of what passes, and they must be the same.
    """
    words = ["ssh", "-F", "none", "-p", str(box.port), "-i", str(box.client_home / ".ssh" / "id_ed25519")]
    words += ["-o", f"UserKnownHostsFile={box.client_home}/.ssh/known_hosts", "-o", "BatchMode=yes"]
    there = shlex.quote(f"{_RUNS}/{run}/box7/{OUTPUT_FILE}")
    command = f"python3 -c {shlex.quote(_PASS)} <{there}" if proved else f"cat {there}"
    words += [f"{box.user}@127.0.0.1", command]
    target, sums = base / "by-openssh", base / "sums"
    with target.open("wb") as file, sums.open("wb") as told, contextlib.ExitStack() as hop:
        if proved:
            passing = hop.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", _PASS], stdin=subprocess.PIPE, stdout=file, stderr=told
                )
            )
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=passing.stdin, stderr=told)
            assert passing.stdin is not None
            passing.stdin.close()
            last = passing
        else:
            last = process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=told)
        while not target.stat().st_size and last.poll() is None:
            time.sleep(0.0005)  # poll: the first byte of a file that another process writes
        began = time.monotonic()
        process.wait()
        last.wait()
        took = time.monotonic() - began
    if target.stat().st_size != size or (proved and len(set(sums.read_text().split())) != 1):
        raise RuntimeError(f"ssh brought {target.stat().st_size} of {size} bytes: {sums.read_text()!r}")
    target.unlink()
    return size / took


async def by_library(box: sshd.Box, port: int, run: str, size: int) -> float:
    """Bytes a second with the library as it comes, from the first byte on, into nothing."""
    known = asyncssh.import_known_hosts(box.known_host.replace(f":{box.port} ", f":{port} "))
    keys = [str(box.client_home / ".ssh" / "id_ed25519")]
    there = shlex.quote(f"{_RUNS}/{run}/box7/{OUTPUT_FILE}")
    async with asyncssh.connect(
        "127.0.0.1", port, username=box.user, known_hosts=known, client_keys=keys, config=None
    ) as connection:
        process = await connection.create_process(f"head -c {size} {there}", encoding=None)
        got, first = 0, 0.0
        while data := await process.stdout.read(1 << 18):
            first = first or time.monotonic()
            got += len(data)
    if got != size:
        raise RuntimeError(f"the library brought {got} of {size} bytes")
    return size / (time.monotonic() - first)


async def by_bare_library(box: sshd.Box, run: str, size: int) -> float:
    """Bytes a second that the library brings with our settings to who drops them: nobody above it is quicker."""
    known = asyncssh.import_known_hosts(box.known_host)
    keys = [str(box.client_home / ".ssh" / "id_ed25519")]
    there = shlex.quote(f"{_RUNS}/{run}/box7/{OUTPUT_FILE}")
    async with asyncssh.connect(
        "127.0.0.1", box.port, username=box.user, known_hosts=known, client_keys=keys, config=None, **MEASURED
    ) as connection:
        channel = Channel()
        await connection.create_session(
            lambda: channel, f"cat {there}", encoding=None, window=WINDOW, max_pktsize=PACKET
        )
        got, first = 0, 0.0
        while pieces := await channel.receive():
            first = first or time.monotonic()
            got += sum(map(len, pieces))
    if got != size:
        raise RuntimeError(f"the library brought {got} of {size} bytes")
    return size / (time.monotonic() - first)


class Timed(Copy):
    """The copy, and when its first byte came."""

    began = 0.0

    def write(self, name: str, offset: int, *pieces: bytes) -> bool:
        self.began = self.began or time.monotonic()
        return super().write(name, offset, *pieces)


async def by_us(link: SshLink, run: str, size: int, base: Path) -> float:
    """Bytes a second as a run is followed, from the first byte on to the end of the run."""
    place = Path(tempfile.mkdtemp(dir=base)) / "box7"
    view = RunView(run, "", place, link="connecting")
    copy = Timed(place)
    copy.claim()
    over = anyio.Event()
    box = Box(link, "bench", name="box7", copying=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(box.serve)
        tasks.start_soon(box.keep_time)
        await box.follow(Follower(view, lambda _: over.set(), copy=copy), tasks)
        await over.wait()
        took = time.monotonic() - copy.began
        tasks.cancel_scope.cancel()
    if view.link != "ended" or (place / OUTPUT_FILE).stat().st_size != size:
        raise RuntimeError(f"the link is {view.link}, and brought {(place / OUTPUT_FILE).stat().st_size}")
    (place / OUTPUT_FILE).unlink()
    return size / took


def links(box: sshd.Box, base: Path) -> Callable[[int], SshLink]:
    """How a port is reached with the box's keys."""
    config = base / "config"
    config.write_text(f"IdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n")

    def link(port: int) -> SshLink:
        own = base / f"known-{port}"
        own.write_text(f"[127.0.0.1]:{port} {box.known_host.split(' ', 1)[1]}")
        return SshLink(
            Address("127.0.0.1", box.user, port), base / "cache", Trust(HostKeys(own)), config=[config]
        )

    return link


def measure() -> list[Figure]:
    """Near, then far; each figure is the reference's rate as a share of ours, so that less is better."""
    with tempfile.TemporaryDirectory() as folder, sshd.box(Path(folder) / "box") as box:
        base = Path(folder)
        (box.client_home / ".ssh" / "known_hosts").write_text(box.known_host)
        link = links(box, base)
        ours: Callable[..., float] = partial(anyio.run, cast("Any", by_us))
        run = put_run(box, NEAR)
        near, client, proved, bare = [], [], [], []
        for _ in range(NEAR_TRIES):
            client.append(by_openssh(box, run, NEAR, base))
            proved.append(by_openssh(box, run, NEAR, base, proved=True))
            near.append(ours(link(box.port), run, NEAR, base))
            bare.append(asyncio.run(by_bare_library(box, run, NEAR)))
        run = put_run(box, FAR)
        with delayed(box.port, ROUND_TRIP) as port:
            far = [ours(link(port), run, FAR, base) for _ in range(TRIES)]
            plain = [asyncio.run(by_library(box, port, run, DEFAULTS)) for _ in range(TRIES)]
    return [
        Figure("openssh-over-ours-near", median(client) / median(near), "ratio", median(client) / 1e6, 1.0),
        Figure("near", median(near) / 1e6, "MB/s", median(client) / 1e6),
        Figure("near-openssh-with-checksums", median(proved) / 1e6, "MB/s", median(client) / 1e6),
        Figure("near-bare-library", median(bare) / 1e6, "MB/s", median(client) / 1e6),
        Figure("defaults-over-ours-far", median(plain) / median(far), "ratio", median(plain) / 1e6, 0.2),
        Figure("far", median(far) / 1e6, "MB/s", median(plain) / 1e6),
    ]
