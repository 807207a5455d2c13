"""A suite of 200 tests with work in them, and what it costs at each level of tracing: the benches suite-* judge it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, Place, place
from tests.bench.tree import measure as cost_of

if TYPE_CHECKING:
    from pathlib import Path

TESTS = 200
PAIRS = 7
SHOP = """\
import logging

log = logging.getLogger("shop")


def price(item, rate):
    return len(item) * rate


def discount(total, percent):
    return total - total * percent // 100


def total(items, rate=3):
    whole = 0
    for item in items:
        whole += price(item, rate)
    return discount(whole, 10)


def checkout(carts):
    log.warning("checking %d carts", len(carts))
    return [total(cart) for cart in carts]
"""
TEST = """\
import json
import pytest
from shop import checkout

CARTS = [["pear", "apple", "plum"] * 4 for _ in range(40)]


@pytest.fixture
def carts():
    return json.loads(json.dumps(CARTS))


@pytest.mark.parametrize("number", range(%d))
def test_checkout(carts, number):
    for _ in range(6):
        found = checkout(carts)
    assert len(set(found)) == 1
    with pytest.raises(KeyError):
        {}[number]
"""


def _suite(project: Path) -> None:
    (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (project / "shop.py").write_text(SHOP, encoding="utf-8")
    (project / "test_shop.py").write_text(TEST % TESTS, encoding="utf-8")


def _cpu(here: Place, level: str) -> float:
    cost = cost_of([TRACEKIT, "run", "--trace", level, "--", "-q"], here.project, here.env)
    if cost.code:
        raise RuntimeError(f"tracekit run --trace {level} ended with {cost.code}")
    return cost.cpu


def measured(level: str, limit: float) -> list[Figure]:
    """Processor time of the whole tree, the drain included, over the run with tracing off, in interleaved pairs."""
    with place() as here:
        _suite(here.project)
        for warm in ("off", level):
            _cpu(here, warm)
        pairs = [(_cpu(here, "off"), _cpu(here, level)) for _ in range(PAIRS)]
    reference = median([off for off, _ in pairs])
    return [
        Figure("over-untraced", median([on / off for off, on in pairs]), "ratio", 1.0, limit),
        Figure("cpu", median([on for _, on in pairs]), "s", reference),
    ]
