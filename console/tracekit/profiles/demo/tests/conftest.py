"""A running shop for the tests: started once, on a port the system chooses, and waited for."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

import pytest
from shop.process import Server, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from shop.client import Client

log = logging.getLogger("tests")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One shop for all the tests."""
    running = start(tmp_path_factory.mktemp("shop") / "shop.db")
    log.info("shop %d listens on port %d", running.process.pid, running.client.port)
    yield running
    running.stop()


@pytest.fixture
def new_server() -> Iterator[Callable[[Path], Server]]:
    """Starts further shops, and ends those that a test has left running."""
    started: list[Server] = []

    def begin(database: Path) -> Server:
        started.append(start(database))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.stop()


@pytest.fixture
def client(server: Server) -> Client:
    """A buyer's program, connected to the shop."""
    return server.client


@pytest.fixture
def stocked(client: Client) -> Iterator[Client]:
    """A shop with full shelves: ten of everything."""
    for item in client.items():
        client.restock(item["sku"], 10)
    yield client
    left = {item["sku"]: item["stock"] for item in client.items()}
    log.info("left on the shelves: %s", left)


if not hasattr(pytest, "Subtests"):  # pytest before 9 has none of its own: the checks then run as one

    @pytest.fixture
    def subtests() -> Any:
        """Stands in for pytest's own fixture."""

        class Plain:
            def test(self, msg: str | None = None, **values: Any) -> contextlib.AbstractContextManager[None]:
                log.info("%s %s", msg, values)
                return contextlib.nullcontext()

        return Plain()
