"""Starts a shop in a process of its own and waits until it is ready; used by the tests."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from shop.client import Client

HOME = Path(__file__).resolve().parents[1]


@dataclass
class Server:
    """A running shop."""

    process: subprocess.Popen[str]
    client: Client

    def stop(self, *, kill: bool = False) -> None:
        """End it: politely, or as a power cut would."""
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.wait(timeout=10)
        if self.process.stdout:
            self.process.stdout.close()


def start(database: Path) -> Server:
    """Start a shop. Its first line says on which port it listens; its log goes where ours goes."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "shop.server", "--database", str(database)],
        cwd=HOME,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline() if process.stdout else ""
    word, _, port = first.partition(" ")
    if word != "ready":
        raise RuntimeError(f"the shop ended with {process.wait(timeout=10)} before it was ready")
    return Server(process, Client(int(port)))
