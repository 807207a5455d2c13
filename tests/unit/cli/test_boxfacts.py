"""In what boxes differ that ran the same suite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracekit.cli.boxfacts import differing, facts_of
from tracekit.engine.view import RunView
from tracekit.wire.lines import encode
from tracekit.wire.names import E


def view(box: str, python: str, **facts: Any) -> RunView:
    made = RunView("01J00000000000000000000000", "/p", Path(box), link="replay")
    head = {"v": 1, "src": f"{box}/daemon/1-1", "t": 1, "m": 1, "run": made.run_id}
    for n, line in enumerate(
        (
            {"e": E.RUN_STARTED, "suites": [{"name": "it", "runner": "pytest"}]},
            {"e": E.BOX_FACTS, "machine": box, "arch": "x86_64", "cpus": 2, "memory": 1 << 30, **facts},
            {"e": E.SUITE_FOUND, "suite": "it", "count": 1, "python_version": python},
        ),
        1,
    ):
        made.feed(encode({**head, "n": n, **line}))
    return made


def test_differing__one_box_is_of_another_kind__then_each_fact_by_box_and_nothing_that_is_alike() -> None:
    missing = [{"what": "tracer", "why": "of another kind"}]
    seen = {
        "a": facts_of(view("a", "3.11.2", libc="glibc 2.36", disk={"free": 1})),
        "b": facts_of(view("b", "3.9.2", libc="musl", disk={"free": 2}, unavailable=missing)),
    }
    assert differing(seen) == {
        "libc": {"a": "glibc 2.36", "b": "musl"},
        "no tracer": {"a": "", "b": "of another kind"},
        "python of it": {"a": "3.11.2", "b": "3.9.2"},
    }


def test_differing__boxes_are_alike_or_alone__then_nothing() -> None:
    same = facts_of(view("a", "3.11.2"))
    assert differing({"a": same, "b": dict(same)}) == {}
    assert differing({"a": same}) == differing({}) == {}
