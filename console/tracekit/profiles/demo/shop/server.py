"""The shop's server: JSON over HTTP, and a worker that packs what was ordered. A process of its own."""

from __future__ import annotations

import argparse
import json
import logging
import queue
import signal
import sys
import threading
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from shop.packing import pack
from shop.remote import describe
from shop.store import OutOfStock, Store, UnknownItem

log = logging.getLogger("shop")
RATES = {"EUR": 1.0, "USD": 1.1, "GBP": 0.85, "JPY": 160.0}
LARGEST_ORDER = 1000
# How long it takes to close a parcel: what makes an order worth waiting for.
PARCEL_SECONDS = 0.04


class BadRequest(ValueError):
    """The client asked for something that has no answer."""


class Shop:
    """The store, the queue of orders, and the worker at its end."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._queue: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._finished = threading.Condition()
        for order in store.orders(limit=LARGEST_ORDER, status="queued"):
            self._queue.put(order["id"])  # taken before a restart, not packed yet
        threading.Thread(target=self._work, name="packer", daemon=True).start()

    def place(self, sku: str, quantity: Any, key: str | None) -> dict[str, Any]:
        if not isinstance(quantity, int) or not 1 <= quantity <= LARGEST_ORDER:
            raise BadRequest(f"quantity must be a number from 1 to {LARGEST_ORDER}, not {quantity!r}")
        item = self.store.item(sku)
        number, new = self.store.add_order(item.sku, quantity, key)
        if new:
            log.info("order %d: %d x %s", number, quantity, item.sku)
            self._queue.put(number)
        return {"id": number, "new": new}

    def wait(self, number: int, seconds: float) -> dict[str, Any]:
        """The order, at the latest after so many seconds, at once when it is finished."""
        with self._finished:
            self._finished.wait_for(lambda: self._state(number)["status"] != "queued", timeout=seconds)
        return self._state(number)

    def _state(self, number: int) -> dict[str, Any]:
        order = self.store.order(number)
        if order is None:
            raise UnknownItem(f"no order {number}")
        return order

    def _work(self) -> None:
        while True:
            number = self._queue.get()
            try:
                self._pack(number)
            except Exception as fault:  # one order must not stop the worker
                log.exception("order %d could not be packed", number)
                self.store.finish(number, "failed", [], describe(fault))
            with self._finished:
                self._finished.notify_all()

    def _pack(self, number: int) -> None:
        order = self._state(number)
        parcels = pack(order["quantity"], self.store.item(order["sku"]).grams)
        time.sleep(PARCEL_SECONDS * len(parcels))
        self.store.finish(number, "packed", parcels, None)
        log.info("order %d: packed in %d parcel(s)", number, len(parcels))


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    shop: Shop

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def _get(self, path: list[str], query: dict[str, str]) -> tuple[int, Any]:
        match path:
            case ["health"]:
                return 200, {"ok": True, "items": len(self.shop.store.items())}
            case ["items"]:
                return 200, [asdict(item) for item in self.shop.store.items(query.get("kind"))]
            case ["items", sku]:
                return 200, self._priced(sku, query.get("currency", "EUR"))
            case ["orders"]:
                after, limit = int(query.get("after", "0")), int(query.get("limit", "10"))
                return 200, self.shop.store.orders(after, min(limit, 100))
            case ["orders", number]:
                return 200, self.shop.wait(int(number), min(float(query.get("wait", "0")), 10))
        return 404, {"error": f"nothing at {self.path}"}

    def _priced(self, sku: str, currency: str) -> dict[str, Any]:
        if currency not in RATES:
            raise BadRequest(f"no rate for {currency}; known: {', '.join(RATES)}")
        item = asdict(self.shop.store.item(sku))
        return {**item, "currency": currency, "price": round(item["cents"] / 100 * RATES[currency], 2)}

    def _post(self, path: list[str], _query: dict[str, str]) -> tuple[int, Any]:
        if path != ["orders"]:
            return 404, {"error": f"nothing at {self.path}"}
        body = self._body()
        placed = self.shop.place(str(body.get("sku")), body.get("quantity"), body.get("key"))
        return (202 if placed["new"] else 200), placed

    def _put(self, path: list[str], _query: dict[str, str]) -> tuple[int, Any]:
        match path:
            case ["items", sku, "stock"]:
                self.shop.store.restock(self.shop.store.item(sku).sku, int(self._body()["count"]))
                return 200, {"sku": sku}
        return 404, {"error": f"nothing at {self.path}"}

    def _body(self) -> dict[str, Any]:
        data = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            body = json.loads(data)
        except ValueError as fault:
            raise BadRequest(f"the body is not JSON: {fault}") from fault
        if not isinstance(body, dict):
            raise BadRequest("the body is not an object")
        return body

    def _answer(self, work: Any) -> None:
        parts = urlsplit(self.path)
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        try:
            status, answer = work(path, dict(parse_qsl(parts.query)))
        except UnknownItem as fault:
            status, answer = 404, {"error": str(fault)}
        except OutOfStock as fault:
            status, answer = 409, {"error": str(fault)}
        except ValueError as fault:
            status, answer = 400, {"error": str(fault)}
        except Exception as fault:
            log.exception("%s %s", self.command, self.path)
            status, answer = 500, {"error": "internal error", "fault": describe(fault)}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, text: str, *values: Any) -> None:
        log.info(text, *values)


def main() -> int:
    """Serve until TERM; the first line on standard output says where."""
    parser = argparse.ArgumentParser(prog="shop")
    parser.add_argument("--database", required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="shop %(levelname)s %(message)s", stream=sys.stderr)
    Handler.shop = Shop(Store(options.database))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)  # the system chooses a free port
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"ready {server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.05)
    return 0


if __name__ == "__main__":
    sys.exit(main())
