"""link-throughput: a recorded run's output over the link, beside the OpenSSH client and the SSH library's defaults.

The same bytes come from the same sshd, once over loopback as it is and once over a line whose round trip takes
100 ms. What counts are ratios of the same run.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncssh

from tests.bench.delay import delayed
from tests.bench.figures import Figure, median
from tests.support import sshd
from tracekit.link.ssh import MEASURED, PACKET, WINDOW

ROUND_TRIP = 0.1
NEAR, FAR = 256 << 20, 96 << 20
# The defaults are slow on a long line: so much is enough to see how slow.
DEFAULTS = 12 << 20
TRIES = 3


def command(size: int) -> str:
    """What the box is asked to send."""
    return f"head -c {size} /dev/zero"


def by_openssh(box: sshd.Box, size: int) -> float:
    """Bytes a second with the distribution's client."""
    words = ["ssh", "-F", "none", "-p", str(box.port), "-i", str(box.client_home / ".ssh" / "id_ed25519")]
    words += ["-o", f"UserKnownHostsFile={box.client_home}/.ssh/known_hosts", "-o", "BatchMode=yes"]
    began = time.monotonic()
    process = subprocess.Popen(
        [*words, f"{box.user}@127.0.0.1", command(size)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    got, first = 0, began
    with process:
        while data := os.read(process.stdout.fileno(), 1 << 20) if process.stdout else b"":
            first = time.monotonic() if not got else first
            got += len(data)
    if got != size:
        raise RuntimeError(f"ssh brought {got} of {size} bytes")
    return size / (time.monotonic() - first)


async def by_library(box: sshd.Box, port: int, size: int, *, ours: bool) -> float:
    """Bytes a second with the library, as the link sets it up or as it comes."""
    known = asyncssh.import_known_hosts(box.known_host.replace(f":{box.port} ", f":{port} "))
    options: dict[str, Any] = dict(MEASURED) if ours else {}
    sizes: dict[str, Any] = {"window": WINDOW, "max_pktsize": PACKET} if ours else {}
    keys = [str(box.client_home / ".ssh" / "id_ed25519")]
    async with asyncssh.connect(
        "127.0.0.1", port, username=box.user, known_hosts=known, client_keys=keys, config=None, **options
    ) as connection:
        process = await connection.create_process(command(size), encoding=None, **sizes)
        got, first = 0, 0.0
        while data := await process.stdout.read(1 << 18):
            first = first or time.monotonic()
            got += len(data)
    if got != size:
        raise RuntimeError(f"the library brought {got} of {size} bytes")
    return size / (time.monotonic() - first)


def measure() -> list[Figure]:
    """Near, then far; each figure is the reference's rate as a share of ours, so that less is better."""
    with tempfile.TemporaryDirectory() as base, sshd.box(Path(base) / "box") as box:
        (box.client_home / ".ssh" / "known_hosts").write_text(box.known_host)
        near, client = [], []
        for _ in range(TRIES):
            client.append(by_openssh(box, NEAR))
            near.append(asyncio.run(by_library(box, box.port, NEAR, ours=True)))
        with delayed(box.port, ROUND_TRIP) as port:
            far = [asyncio.run(by_library(box, port, FAR, ours=True)) for _ in range(TRIES)]
            plain = [asyncio.run(by_library(box, port, DEFAULTS, ours=False)) for _ in range(TRIES)]
    return [
        Figure("openssh-over-ours-near", median(client) / median(near), "ratio", median(client) / 1e6, 1.0),
        Figure("near", median(near) / 1e6, "MB/s", median(client) / 1e6),
        Figure("defaults-over-ours-far", median(plain) / median(far), "ratio", median(plain) / 1e6, 0.2),
        Figure("far", median(far) / 1e6, "MB/s", median(plain) / 1e6),
    ]
