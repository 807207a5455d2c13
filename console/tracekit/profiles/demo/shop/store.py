"""What the shop keeps: items with their stock, and orders. One SQLite file, one connection, one lock."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from typing import Any

SCHEMA = """
create table if not exists item (
    sku text primary key, name text not null, kind text not null,
    cents integer not null, grams integer not null,
    stock integer not null check (stock >= 0)
);
create table if not exists orders (
    id integer primary key, sku text not null references item, quantity integer not null, key text unique,
    status text not null default 'queued', parcels text, error text
);
"""
CATALOGUE = [
    ("tea-green", "Green tea", "tea", 790, 100, 40),
    ("tea-smoked", "Smoked tea", "tea", 1250, 100, 12),
    ("cup-blue", "Blue cup", "cup", 1400, 350, 8),
    ("cup-ümlaut", "Cup with ümlaut 🫖", "cup", 1900, 350, 3),
    ("pot-iron", "Cast iron pot", "pot", 8900, 6400, 5),
]


class UnknownItem(LookupError):
    """No item has this number."""


class OutOfStock(Exception):
    """There is less on the shelf than was ordered."""


@dataclass(frozen=True)
class Item:
    """One line of the catalogue."""

    sku: str
    name: str
    kind: str
    cents: int
    grams: int
    stock: int


class Store:
    """The database and the lock in front of it."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.executescript(SCHEMA)
        self._base.executemany("insert or ignore into item values (?, ?, ?, ?, ?, ?)", CATALOGUE)

    def items(self, kind: str | None = None) -> list[Item]:
        with self._lock:
            rows = self._base.execute(
                "select * from item where ?1 is null or kind = ?1 order by sku", (kind,)
            )
            return [Item(*row) for row in rows]

    def item(self, sku: str) -> Item:
        with self._lock:
            row = self._base.execute("select * from item where sku = ?", (sku,)).fetchone()
        if row is None:
            raise UnknownItem(f"no item {sku!r}")
        return Item(*row)

    def restock(self, sku: str, count: int) -> None:
        with self._lock:
            self._base.execute("update item set stock = ? where sku = ?", (count, sku))

    def add_order(self, sku: str, quantity: int, key: str | None) -> tuple[int, bool]:
        """Take the items off the shelf and queue the order; the same key again gives the same order."""
        with self._lock:
            if key is not None:
                row = self._base.execute("select id from orders where key = ?", (key,)).fetchone()
                if row is not None:
                    return int(row[0]), False
            self._base.execute("begin immediate")
            try:
                taken = self._base.execute(
                    "update item set stock = stock - ?1 where sku = ?2 and stock >= ?1", (quantity, sku)
                )
                if taken.rowcount == 0:
                    raise OutOfStock(f"fewer than {quantity} of {sku} left")
                added = self._base.execute(
                    "insert into orders (sku, quantity, key) values (?, ?, ?)", (sku, quantity, key)
                )
                self._base.execute("commit")
            except BaseException:
                self._base.execute("rollback")
                raise
            return int(added.lastrowid or 0), True

    def finish(self, order: int, status: str, parcels: list[int], error: dict[str, Any] | None) -> None:
        with self._lock:
            self._base.execute(
                "update orders set status = ?, parcels = ?, error = ? where id = ?",
                (status, json.dumps(parcels), json.dumps(error) if error else None, order),
            )

    def orders(self, after: int = 0, limit: int = 10, status: str | None = None) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._base.execute(
                "select id, sku, quantity, status, parcels, error from orders"
                " where id > ?1 and (?3 is null or status = ?3) order by id limit ?2",
                (after, limit, status),
            ).fetchall()
        return [
            {
                "id": number,
                "sku": sku,
                "quantity": quantity,
                "status": state,
                "parcels": json.loads(parcels or "[]"),
                "error": json.loads(error or "null"),
            }
            for number, sku, quantity, state, parcels, error in rows
        ]

    def order(self, number: int) -> dict[str, Any] | None:
        found = self.orders(after=number - 1, limit=1)
        return found[0] if found and found[0]["id"] == number else None
