"""A buyer looks around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from shop.client import Client, Refused

if TYPE_CHECKING:
    from shop.process import Server


def test_health__shop_started__then_it_answers(server: Server) -> None:
    """The shop says that it is open, from a process of its own."""
    print(f"asking the shop in process {server.process.pid}")
    assert server.client.health() == {"ok": True, "items": 5}


def test_catalogue__new_shop__then_every_item_has_a_price(client: Client) -> None:
    """A visitor sees all five items, each with a price and a weight."""
    items = client.items()
    for item in items:
        print(f"{item['name']:<20} {item['cents'] / 100:>7.2f} EUR {item['grams']:>6} g")
    assert len(items) == 5
    assert all(item["cents"] > 0 and item["grams"] > 0 for item in items)


@pytest.mark.parametrize(
    ("currency", "price"), [("EUR", 7.90), ("USD", 8.69), ("GBP", 6.71), ("JPY", 1264.0)]
)
def test_price__known_currency__then_converted(client: Client, currency: str, price: float) -> None:
    """A buyer abroad sees the price of green tea in the money at hand."""
    assert client.item("tea-green", currency)["price"] == price


def test_price__unknown_currency__then_the_known_ones_are_named(client: Client) -> None:
    """A buyer with doubloons is told what the shop takes."""
    with pytest.raises(Refused, match="known: EUR, USD, GBP, JPY") as refused:
        client.item("tea-green", "DBL")
    assert refused.value.status == 400


def test_item__unknown__then_named_in_the_answer(client: Client) -> None:
    """A mistyped item number comes back in the answer."""
    with pytest.raises(Refused, match="'tea-gren'"):
        client.item("tea-gren")


def test_search__by_kind__then_only_that_kind(client: Client, subtests: Any) -> None:
    """A visitor filters the shelves; an unknown kind is an empty shelf, not a fault."""
    for kind, count in {"tea": 2, "cup": 2, "pot": 1, "spoon": 0}.items():
        with subtests.test(msg=f"{kind}s", kind=kind):
            found = client.items(kind)
            assert [item["kind"] for item in found] == [kind] * count


def test_name__letters_of_every_kind__then_unharmed(client: Client) -> None:
    """An item's name comes back as it was written, umlaut and teapot included."""
    assert client.item("cup-ümlaut")["name"] == "Cup with ümlaut 🫖"
