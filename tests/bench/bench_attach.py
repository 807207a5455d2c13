"""attach: from nothing to an agent's word over a line whose round trip takes 100 ms, beside a bare connection's.

`bare` logs in and has one command run: ten round trips with the SSH library. `again` logs in and hears of a run that it
attaches to, as a console does whose line was cut; `cold` does so on a box that has neither agent nor daemon. Both are
held against `bare` of the same run, and against a second, and two.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import anyio
import asyncssh

from tests.bench.delay import delayed
from tests.bench.figures import Figure, median
from tests.support import sshd
from tests.support.until import until
from tracekit.agent.client import Client
from tracekit.link.hostkeys import HostKeys
from tracekit.link.login import Address, Trust
from tracekit.link.session import connect
from tracekit.link.ssh import MEASURED, SshLink

ROUND_TRIP = 0.1
TRIES = 5
# As multiples of the bare connection, which hold on a slower machine as well.
AGAIN, COLD = 1.15, 2.1


async def bare(box: sshd.Box, port: int) -> float:
    """Log in, have one command run, hear its end."""
    began = time.monotonic()
    known = asyncssh.import_known_hosts(f"[127.0.0.1]:{port} {box.known_host.split(' ', 1)[1]}")
    keys = [str(box.client_home / ".ssh" / "id_ed25519")]
    async with asyncssh.connect(
        "127.0.0.1", port, username=box.user, known_hosts=known, client_keys=keys, config=None, **MEASURED
    ) as connection:
        await connection.run("true", check=True)
        return time.monotonic() - began


async def attach(link: SshLink) -> float:
    """Log in, greet the agent, and ask for what it has."""
    began = time.monotonic()
    async with connect(link, "bench", early=_attach) as session:
        async for event in session.events():
            if event["type"] in {"error", "lengths"}:
                return time.monotonic() - began
    raise RuntimeError("the agent said nothing")


def _attach(client: Client) -> None:
    client.attach("01ARZ3NDEKTSV4RRFFQ69G5FAV", "copy")


def measure() -> list[Figure]:
    """Alternately, so that a slow moment of the machine hits all of them."""
    taken: dict[str, list[float]] = {"bare": [], "again": [], "cold": []}
    with (
        tempfile.TemporaryDirectory() as base,
        sshd.box(Path(base) / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=4") as box,
        delayed(box.port, ROUND_TRIP) as port,
    ):
        own = Path(base) / "known"
        own.write_text(f"[127.0.0.1]:{port} {box.known_host.split(' ', 1)[1]}")
        config = Path(base) / "config"
        config.write_text(f"IdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n")
        trust = Trust(HostKeys(own))
        link = SshLink(Address("127.0.0.1", box.user, port), Path(base) / "cache", trust, config=[config])
        for _ in range(TRIES):
            taken["bare"].append(asyncio.run(bare(box, port)))
            taken["cold"].append(anyio.run(attach, link))
            taken["again"].append(anyio.run(attach, link))
            for place in (".cache", ".local"):
                until(lambda: not _agents(box))
                shutil.rmtree(box.home / place, ignore_errors=True)
    reference = median(taken["bare"])
    again, cold = median(taken["again"]), median(taken["cold"])
    return [
        Figure("bare", reference, "s"),
        Figure("again", again, "s", reference, 1.0),
        Figure("again-over-bare", again / reference, "ratio", 1.0, AGAIN),
        Figure("cold", cold, "s", reference, 2.0),
        Figure("cold-over-bare", cold / reference, "ratio", 1.0, COLD),
    ]


def _agents(box: sshd.Box) -> list[int]:
    """The agent's processes of the box's user."""
    found = []
    for pid in sshd.processes_of(box.home.stat().st_uid):
        try:
            name = Path(f"/proc/{pid}/comm").read_text()
        except OSError:
            continue
        if name.startswith("tracekit-"):
            found.append(pid)
    return found
