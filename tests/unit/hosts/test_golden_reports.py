"""What real tools wrote of our fixture projects, as `tools/record-reports` keeps it: read whole, and told rightly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tracekit.agent.reports.cases import Case
from tracekit.agent.reports.readers import guessed, reader

SAMPLES = Path(__file__).resolve().parents[2] / "fixtures" / "reports"
# As each tool itself counts them: pytest tells a test whose teardown failed twice; node and vitest pass what is yet
# to do.
SCRIPTED = {"passed": 6, "failed": 3, "skipped": 2}
ENDS = {
    "ctrf-ours.json": SCRIPTED,
    "gotest-go.ndjson": {"passed": 2, "failed": 2},
    "junit-mocha.xml": SCRIPTED,
    "junit-pytest.xml": {"passed": 12, "failed": 8, "skipped": 5, "error": 4},
    "junit-vitest.xml": SCRIPTED,
    "libtest-cargo.ndjson": {"passed": 4, "failed": 7, "skipped": 2},
    "tap-mocha.tap": SCRIPTED,
    "tap-node.tap": {"passed": 6, "failed": 4, "skipped": 1, "xpassed": 1},
    "tap-vitest.tap": {"passed": 6, "failed": 3, "skipped": 1, "xpassed": 1},
}


def told(name: str) -> list[Case]:
    data = (SAMPLES / name).read_bytes()
    form = guessed(data[:65536])
    assert form == name.partition("-")[0]
    reading = reader(form)
    found = [one for at in range(0, len(data), 999) for one in reading.feed(data[at : at + 999])]
    return [one for one in [*found, *reading.close()] if isinstance(one, Case)]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_sample__of_each_tool__then_every_end_it_tells(name: str) -> None:
    assert dict(Counter(case.verdict for case in told(name))) == ENDS[name]


def test_sample__a_block_in_braces__then_its_point_is_a_name_above() -> None:
    (found,) = [case for case in told("tap-vitest.tap") if case.path[-1] == "totals"]
    assert found.path == ("tests/cart.test.ts", "cart", "totals")
    assert (found.file, found.line) == ("/srv/project/js_vitest/tests/cart.test.ts", 14)
