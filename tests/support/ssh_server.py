"""A second SSH server beside OpenSSH's: whatever another author's code shows or asks must be told the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from tests.support.sshd import Box, free_port, listens
from tests.support.until import until

REPOSITORY = Path(__file__).resolve().parents[2]
QUESTION, ANSWER = "Code: ", "271828"


class Door(asyncssh.SSHServer):
    """Lets in who has the key, and asks as it is told."""

    def __init__(self, password: str, asks: bool) -> None:
        self._password = password
        self._asks = asks

    def password_auth_supported(self) -> bool:
        return bool(self._password)

    def validate_password(self, username: str, password: str) -> bool:
        return password == self._password

    def kbdint_auth_supported(self) -> bool:
        return self._asks

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "Second factor", "Look at your device.", "", [(QUESTION, False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return list(responses) == [ANSWER]


@contextlib.contextmanager
def box(
    folder: Path,
    *,
    certificate: Path | None = None,
    keys: bool = True,
    password: str = "",
    asks: bool = False,
) -> Iterator[Box]:
    """Serve one, as this very user with a home of its own; `certificate` makes its host certificate of its key."""
    home, client = folder / "home", folder / "client"
    home.mkdir(parents=True)
    (client / ".ssh").mkdir(parents=True, mode=0o700)
    host_key, user_key = folder / "host", client / ".ssh" / "id_ed25519"
    for key in (host_key, user_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    if certificate is not None:
        sign_host(certificate, host_key)
    port = free_port()
    told = {
        "home": str(home), "port": port, "key": str(host_key), "password": password, "asks": asks,
        "authorized": str(user_key.with_suffix(".pub")) if keys else None,
    }  # fmt: skip
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.ssh_server", json.dumps(told)],
        stdin=subprocess.DEVNULL, cwd=REPOSITORY, env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    try:
        until(lambda: listens(port) or server.poll() is not None)
        yield Box(home, "tester", port, client, host_key, server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


async def serve(told: dict[str, Any]) -> None:
    """Be the server until somebody ends this process."""
    home = Path(told["home"])
    await asyncssh.listen(
        "127.0.0.1",
        told["port"],
        server_host_keys=[told["key"]],
        server_factory=lambda: Door(told["password"], told["asks"]),
        process_factory=lambda process: _run(process, home),
        encoding=None,
        authorized_client_keys=told["authorized"],
    )
    await asyncio.Event().wait()


async def _run(process: asyncssh.SSHServerProcess[bytes], home: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    child = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", process.command or "true",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=home,
        env={**kept, "HOME": str(home), "TRACEKIT_AGENT_IDLE": "1"},
    )  # fmt: skip
    await process.redirect(child.stdin, child.stdout)
    process.exit(await child.wait())


def sign_host(authority: Path, host_key: Path, name: str = "127.0.0.1") -> Path:
    """A host certificate of a key, for a name."""
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "host", "-h", "-n", name]
    subprocess.run([*command, str(host_key.with_suffix(".pub"))], check=True)
    return host_key.with_name(f"{host_key.name}-cert.pub")


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
