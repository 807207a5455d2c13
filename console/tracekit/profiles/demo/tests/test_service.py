"""The shop as its owner knows it: restarts, power cuts, what is not built yet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from shop.client import Client, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shop.process import Server


@pytest.mark.parametrize("kill", [False, True], ids=["closed", "power-cut"])
def test_restart__orders_in_the_queue__then_none_is_lost(
    new_server: Callable[[Path], Server], tmp_path: Path, kill: bool
) -> None:
    """The shop goes down with orders in its queue. When it is up again, they are packed."""
    database = tmp_path / "shop.db"
    first = new_server(database)
    placed = [first.client.order("tea-green") for _ in range(5)]
    first.stop(kill=kill)
    second = new_server(database)
    assert [second.client.packed(number)["status"] for number in placed] == ["packed"] * 5


def test_body__not_json__then_refused_and_the_shop_lives(client: Client) -> None:
    """A broken program sends a list where an object belongs: it is refused, and the next buyer is served."""
    with pytest.raises(Refused, match="not an object"):
        client.request("POST", "/orders", ["tea-green"])
    assert client.health()["ok"]


@pytest.mark.xfail(raises=Refused, reason="refunds are not built yet")
def test_refund__packed_order__then_money_back(stocked: Client) -> None:
    """A buyer sends an order back and gets the money."""
    number = stocked.order("tea-green")
    assert stocked.request("POST", f"/orders/{number}/refund", {})["status"] == "refunded"


@pytest.mark.skipif("SHOP_MAIL" not in os.environ, reason="needs a mail server: set SHOP_MAIL")
def test_receipt__packed_order__then_mailed(stocked: Client) -> None:
    """A buyer gets a receipt by mail."""
    order = stocked.packed(stocked.order("tea-green"))
    assert order["mailed"] == os.environ["SHOP_MAIL"]
