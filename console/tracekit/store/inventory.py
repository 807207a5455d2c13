"""The inventory: what discovery found in a project, kept until its sources change.

One file a project and profile in the cache, written whole and renamed. The rows are printed by `list --json` as they
stand, so that a cached answer costs one read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple

from tracekit.wire import lines
from tracekit.wire.names import SCENARIO_SCHEMA

_SCHEMA = "tracekit.inventory/1"


class Inventory(NamedTuple):
    """Rows of scenarios as JSON lines, and the problems that discovery met."""

    root: str
    fingerprint: str
    rows: tuple[bytes, ...]
    problems: tuple[dict[str, Any], ...] = ()
    suites: tuple[dict[str, Any], ...] = ()

    def scenarios(self) -> list[dict[str, Any]]:
        """The rows as objects."""
        return [lines.decode(row) for row in self.rows]


def row(fact: dict[str, Any]) -> bytes:
    """The line that `list --json` prints for a scenario."""
    path = fact.get("path") or [fact["scenario"]]
    return lines.encode(
        {
            "schema": SCENARIO_SCHEMA,
            "id": fact["scenario"],
            "suite": fact.get("suite", ""),
            "runner": fact.get("runner", ""),
            "name": path[-1],
            "path": path,
            "file": fact.get("file", ""),
            "line": fact.get("line", 0),
            "tags": fact.get("tags", []),
            "components": fact.get("components", []),
            "doc": fact.get("doc", ""),
        }
    )


class InventoryStore:
    """Inventories below one cache directory."""

    def __init__(self, cache: str | os.PathLike[str]) -> None:
        self._folder = os.path.join(cache, "inventory")

    def load(self, root: str, key: str) -> Inventory | None:
        """The kept inventory, valid or not; the caller compares fingerprints."""
        try:
            with open(self._file(root, key), "rb") as file:
                data = file.read()
        except OSError:
            return None
        head, _, body = data.partition(b"\n")
        try:
            facts = json.loads(head)
        except ValueError:
            return None
        if not isinstance(facts, dict) or facts.get("schema") != _SCHEMA or facts.get("root") != root:
            return None
        rows = tuple(body.splitlines(keepends=True))
        if len(rows) != facts.get("count"):
            return None
        return Inventory(root, facts["fingerprint"], rows, tuple(facts["problems"]), tuple(facts["suites"]))

    def save(self, inventory: Inventory, key: str) -> None:
        """Keep an inventory; a full disk only means that it is discovered again."""
        head = {
            "schema": _SCHEMA,
            "root": inventory.root,
            "fingerprint": inventory.fingerprint,
            "count": len(inventory.rows),
            "problems": list(inventory.problems),
            "suites": list(inventory.suites),
        }
        place = self._file(inventory.root, key)
        part = f"{place}.{os.getpid()}.part"
        try:
            os.makedirs(self._folder, exist_ok=True, mode=0o700)
            with open(part, "wb") as file:
                file.writelines(_pieces(head, inventory.rows))
            os.replace(part, place)
        except OSError:
            with suppress(OSError):
                os.unlink(part)

    def _file(self, root: str, key: str) -> str:
        name = blake2b(os.fsencode(f"{root}\0{key}"), digest_size=16).hexdigest()
        return os.path.join(self._folder, f"{name}.ndjson")


def _pieces(head: dict[str, Any], rows: Iterable[bytes]) -> Iterable[bytes]:
    yield lines.encode(head)
    yield from rows
