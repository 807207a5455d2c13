"""A buyer orders; the shop packs."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from shop.client import Client, Refused

log = logging.getLogger("tests")


def test_order__in_stock__then_packed_and_off_the_shelf(stocked: Client) -> None:
    """A buyer orders three cups; they are packed together, and seven are left."""
    number = stocked.order("cup-blue", 3)
    log.info("placed order %d", number)
    order = stocked.packed(number)
    assert order["parcels"] == [3]
    assert stocked.item("cup-blue")["stock"] == 7


def test_order__more_than_in_stock__then_refused_and_nothing_taken(stocked: Client) -> None:
    """A buyer wants eleven of ten: the shop refuses and keeps its ten."""
    with pytest.raises(Refused, match="fewer than 11") as refused:
        stocked.order("cup-blue", 11)
    assert refused.value.status == 409
    assert stocked.item("cup-blue")["stock"] == 10


def test_order__sent_twice_with_one_key__then_one_order(stocked: Client) -> None:
    """A buyer's connection drops and the order is sent again: it is still one order."""
    first = stocked.order("tea-smoked", 2, key="basket-1")
    again = stocked.order("tea-smoked", 2, key="basket-1")
    assert again == first
    assert stocked.item("tea-smoked")["stock"] == 8


def test_order__two_buyers_for_the_last_one__then_one_wins(stocked: Client) -> None:
    """Eight buyers reach for the last cup at once: one gets it, seven are told."""
    stocked.restock("cup-blue", 1)

    def reach(buyer: int) -> bool:
        try:
            stocked.order("cup-blue")
        except Refused as refused:
            print(f"buyer {buyer}: {refused}", file=sys.stderr)
            return False
        print(f"buyer {buyer}: got it")
        return True

    with ThreadPoolExecutor(8) as buyers:
        assert sum(buyers.map(reach, range(8))) == 1
    assert stocked.item("cup-blue")["stock"] == 0


@pytest.mark.parametrize("quantity", [0, -1, 1001, 1.5, "two", None], ids=repr)
def test_order__senseless_quantity__then_refused(stocked: Client, quantity: Any) -> None:
    """Nobody can order nothing, less than nothing, or half a cup."""
    with pytest.raises(Refused, match="quantity must be a number from 1 to 1000") as refused:
        stocked.order("cup-blue", quantity)
    assert refused.value.status == 400


def test_order__many_pieces__then_parcels_hold_them_all(stocked: Client) -> None:
    """A tea room orders sixty packets: one full parcel of fifty, and one of ten."""
    stocked.restock("tea-green", 60)
    order = stocked.packed(stocked.order("tea-green", 60))
    assert order["parcels"] == [50, 10]


def test_order__piece_heavier_than_a_parcel__then_it_travels_alone(stocked: Client) -> None:
    """A cook orders two iron pots. Each is too heavy to share a parcel, so each travels alone."""
    order = stocked.packed(stocked.order("pot-iron", 2))
    assert order["parcels"] == [1, 1]


def test_history__many_orders__then_pages_hold_each_once(stocked: Client) -> None:
    """A buyer with twenty orders turns the pages of the history: each order is there, once."""
    stocked.restock("tea-green", 20)
    placed = []
    for turn in range(1, 21):
        placed.append(stocked.order("tea-green"))
        stocked.packed(placed[-1])
        print(f"order {turn} of 20 is packed", flush=True)
    seen: list[int] = []
    page = stocked.orders(after=placed[0] - 1, limit=7)
    while page:
        seen.extend(order["id"] for order in page)
        page = stocked.orders(after=seen[-1], limit=7)
    assert seen == placed
