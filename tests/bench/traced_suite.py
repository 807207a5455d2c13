"""A suite of 200 tests with work in them, and what it costs at each level of tracing: the benches suite-* judge it.

On every Python that tracing is measured on; what VizTracer and cProfile cost over plain pytest stands beside it where
calls are recorded.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, place
from tests.bench.tracers import cprofile, cpu, environments, untraced, viztracer

if TYPE_CHECKING:
    from pathlib import Path

TESTS = 200
PAIRS = 7
#: Of the others, who are nobody's limit and slow.
OTHERS = 3
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


def measured(level: str, limit: float) -> list[Figure]:
    """Processor time of the whole tree, the drain included, over the run with tracing off, in interleaved pairs."""
    figures: list[Figure] = []
    for version, home in environments():
        with place() as base:
            here = replace(base, env={**base.env, "VIRTUAL_ENV": str(home)})
            _suite(here.project)
            ours = [[TRACEKIT, "run", "--trace", how, "--", "-q"] for how in ("off", level)]
            for command in ours:
                cpu(here, command)
            pairs = [[cpu(here, command) for command in ours] for _ in range(PAIRS)]
            others = [untraced(home), viztracer(home, here), cprofile(home, here)] if level == "calls" else []
            rounds = [[cpu(here, command) for command in others] for _ in range(OTHERS) if others]
        figures += [
            Figure(f"over-untraced-{version}", median([on / off for off, on in pairs]), "ratio", 1.0, limit),
            Figure(f"cpu-{version}", median([on for _, on in pairs]), "s", median([off for off, _ in pairs])),
        ]
        for at, name in enumerate(("viztracer", "cprofile"), 1):
            if rounds:
                over = median([row[at] / row[0] for row in rounds])
                figures.append(Figure(f"{name}-over-untraced-{version}", over, "ratio", 1.0))
    return figures
