"""What a buyer's program uses: one method a request, faults of the server as exceptions with their cause."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import quote, urlencode

from shop.remote import rebuild


class Refused(Exception):
    """The shop said no, and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class OrderFailed(Exception):
    """The shop took an order and could not pack it."""


class Client:
    """Talks to one shop."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; gives the answer, raises Refused for anything but success."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None)
            reply = connection.getresponse()
            answer = json.loads(reply.read())
        finally:
            connection.close()
        if reply.status >= 400:
            refused = Refused(reply.status, answer["error"])
            raise refused from (rebuild(answer["fault"]) if "fault" in answer else None)
        return answer

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.request("GET", "/health")
        return found

    def items(self, kind: str | None = None) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.request(
            "GET", f"/items?{urlencode({'kind': kind} if kind else {})}"
        )
        return found

    def item(self, sku: str, currency: str = "EUR") -> dict[str, Any]:
        found: dict[str, Any] = self.request(
            "GET", f"/items/{quote(sku)}?{urlencode({'currency': currency})}"
        )
        return found

    def restock(self, sku: str, count: int) -> None:
        self.request("PUT", f"/items/{quote(sku)}/stock", {"count": count})

    def order(self, sku: str, quantity: Any = 1, key: str | None = None) -> int:
        """Place an order; gives its number."""
        return int(self.request("POST", "/orders", {"sku": sku, "quantity": quantity, "key": key})["id"])

    def orders(self, after: int = 0, limit: int = 10) -> list[dict[str, Any]]:
        query = urlencode({"after": after, "limit": limit})
        found: list[dict[str, Any]] = self.request("GET", f"/orders?{query}")
        return found

    def packed(self, number: int) -> dict[str, Any]:
        """Wait until an order is packed; raises OrderFailed, with the server's own fault as its cause."""
        order: dict[str, Any] = self.request("GET", f"/orders/{number}?wait=10")
        if order["status"] == "failed":
            raise OrderFailed(f"order {number} was not packed") from rebuild(order["error"])
        return order
