"""Of very many tests in one process each is looked at once, and a line of libtest's log is known by its end."""

from __future__ import annotations

import pytest

from tracekit.agent.hosts.cargo_binary import Batch, Told
from tracekit.agent.hosts.cargo_reader import Target
from tracekit.agent.hosts.libtest import RustTest
from tracekit.agent.hosts.panics import Sources


def batch(*names: str) -> Batch:
    target = Target({}, "lib", "api", "src/lib.rs", "api", {})
    sources = Sources(lambda file: (file, True), lambda *_: "")
    tests = [RustTest(name, target, name, [name], "src/lib.rs", 1, sources) for name in names]
    return Batch(tests, 2)


def test_come__some_began_by_themselves__then_the_others_in_their_order_and_once() -> None:
    one = batch("a", "b", "c", "d")
    one.told["b"] = Told(one.tests[1], 1, 0)
    assert [test.name for test in one.come(2)] == ["a", "c"]
    assert one.come(0) == one.come(-1) == []
    assert [test.name for test in one.waiting] == ["d"]
    assert [test.name for test in one.come(9)] == ["d"]
    assert one.waiting == one.come(9) == []


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ("ok t::a", "t::a"),
        ("failed: said\nso t::a", "t::a"),
        ("ok src/lib.rs - t::a", "src/lib.rs - t::a"),
        ("ok xt::a", None),
        ("t::a", None),
        ("ok t::a ", None),
    ],
)
def test_meant__a_line_of_the_log__then_the_longest_name_at_its_end(record: str, name: str | None) -> None:
    found = batch("t::a", "src/lib.rs - t::a").meant(record)
    assert (found.name if found is not None else None) == name
