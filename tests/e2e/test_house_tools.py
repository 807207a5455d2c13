"""The tools that judge the tree find what they are there for, and leave the rest alone."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from tests.bench.figures import Figure, verdict
from tests.support import unavailable
from tests.torture.mutate import Mutator
from tests.torture.registry import Outcome
from tools.tasks import demo, documents, house, notices
from tools.tasks.common import ROOT

CHECKS = {
    "unfinished": (house.words, "console/a.py", "x = 1  # TODO later"),
    "tracker": (house.words, "docs/a.md", "as issue 12 says"),
    "machine": (house.words, "tools/a", "cd /root/place"),
    "host": (house.hosts, "docs/a.md", "see https://packages.somewhere.org/x"),
    "switched-off": (house.honest_tests, "tests/test_a.py", "@pytest.mark.skip\ndef test_a(): ..."),
    "cannot-fail": (house.honest_tests, "tests/test_a.py", "assert True"),
    "sleep": (house.honest_tests, "tests/test_a.py", "time.sleep(1)"),
    "unseen-host": (house.safe_code, "console/a.py", "connect(known_hosts=None)"),
    "markup": (house.safe_code, "console/a.py", "notify(text, markup=True)"),
    "opened-journal": (house.one_seam, "console/tracekit/ui/a.py", "def a(b): (b / JOURNAL_FILE).open()"),
    "opened-name": (house.one_seam, "console/tracekit/a.py", "def a(b): c = b / OUTPUT_FILE; c.read_bytes()"),
    "looked-for": (house.one_seam, "console/tracekit/a.py", "def a(folder): return folder.journal.exists()"),
    "opened-argument": (house.one_seam, "console/tracekit/a.py", "def a(journal: Path): open(journal)"),
    "native-view": (house.one_seam, "console/tracekit/a.py", "def a(b): TraceView(b, journal=True)"),
    "native-name": (house.one_seam, "native/text/src/a.rs", 'let path = folder.join("output.bin");'),
    "no-docstring": (house.docstrings, "console/a.py", "import os"),
    "left-by-a-run": (house.shipped, "console/tracekit/agent/hosts/js/vitest_began_7.mjs", "x"),
    "left-at-the-top": (house.top, "00-NOTE.txt", "read this"),
    "long": (house.sizes, "console/a.py", "\n".join(["x = 1"] * 601)),
    "dead-link": (house.links, "docs/a.md", "see [there](nowhere.md)"),
}
KEPT = {
    "seam": (house.one_seam, "console/tracekit/store/recorded.py", "def a(b): (b / JOURNAL_FILE).open()"),
    "through-seam": (house.one_seam, "console/tracekit/a.py", "def a(b): recorded.opened(b / JOURNAL_FILE)"),
    "never-packed": (house.one_seam, "console/tracekit/a.py", "def a(f): f.journal.stat()  # plain: why"),
    "box": (house.one_seam, "console/tracekit/agent/a.py", "def a(b): open(b / OUTPUT_FILE)"),
    "loopback": (house.hosts, "docs/a.md", "http://127.0.0.1:80/ and https://api.example.com"),
    "fixture": (house.words, "tests/fixtures/a/b.py", "open('/home/x/y')"),
    "poll": (house.honest_tests, "tests/test_a.py", "time.sleep(0.01)  # poll: until the port answers"),
    "shipped": (house.shipped, "console/tracekit/agent/hosts/js/vitest_began.mjs", "x"),
    "top": (house.top, "docs/a.md", "x"),
    "heading": (house.links, "docs/a.md", "# A place\nsee [it](#a-place)"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_house__broken_rule__then_one_fault_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rule, where, text = CHECKS[name]
    monkeypatch.setattr(house, "ROOT", tmp_path)
    assert [fault.startswith(f"{where}:1: ") for fault in rule(tmp_path / where, text.splitlines())] == [True]


@pytest.mark.parametrize("name", KEPT)
def test_house__kept_rule__then_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    rule, where, text = KEPT[name]
    monkeypatch.setattr(house, "ROOT", tmp_path)
    assert list(rule(tmp_path / where, text.splitlines())) == []


@pytest.mark.parametrize(
    ("licence", "asked"),
    [
        ("MIT OR Apache-2.0", False),
        ("Unlicense/MIT", False),
        ("MIT", True),
        ("BSD-3-Clause", True),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
    ],
)
def test_notices__licence_of_a_crate__then_named_where_it_asks_for_it(licence: str, asked: bool) -> None:
    named = "head\n\n----------\nlong-crate, other\n\ntext\n"
    assert notices.faults({"long-crate": licence, "outer": "Apache-2.0"}, named) == (
        [] if asked else ["LICENSE-THIRD-PARTY: long-crate is not linked in"]
    )
    assert len(notices.faults({"long": licence}, named)) == asked


def test_wheel__installed__then_it_carries_licences_and_notices() -> None:
    files = importlib.metadata.files("tracekit") or []
    held = {file.name: file.read_text() for file in files if "licenses" in file.parts}
    wanted = ("LICENSE-MIT", "LICENSE-APACHE", "native/LICENSE-THIRD-PARTY")
    assert held == {Path(name).name: (ROOT / name).read_text(encoding="utf-8") for name in wanted}
    assert "Zstandard" in held["LICENSE-THIRD-PARTY"]


def test_documents__fenced_blocks__then_commands_with_promised_codes(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "`tracekit no`\n```sh\ntracekit run 'a # b'\n# a remark\n$ tracekit list  # exit 4: nothing\n```\n"
        "```text\ntracekit never\n```\n",
        encoding="utf-8",
    )
    found = [(command.line, command.exit, command.number) for command in documents.fenced(page)]
    assert found == [("tracekit run 'a # b'", 0, 3), ("tracekit list", 4, 5)]


def test_skip__without_the_word__then_failure_everywhere() -> None:
    assert unavailable.verdict("tests/a.py::b", "no reason", strict=False, listed=[]) is not None


def test_skip__unavailable__then_failure_in_ci_unless_listed() -> None:
    reason = "unavailable: no such program"
    assert unavailable.verdict("tests/a.py::b", reason, strict=False, listed=[]) is None
    assert unavailable.verdict("tests/a.py::b", reason, strict=True, listed=[]) is not None
    assert (
        unavailable.verdict("tests/a.py::b", reason, strict=True, listed=[("tests/a.py::*", "why")]) is None
    )


def test_unavailable_list__every_entry__then_a_reason() -> None:
    assert all(pattern and len(reason) > 10 for pattern, reason in unavailable.allowed())


def test_demo__output_without_the_cause__then_what_is_missing_is_named() -> None:
    fault = demo.planted()[0]
    whole = " ".join([*fault["scenarios"], fault["root"], fault["place"]])
    assert demo.missing(whole) == []
    assert demo.missing(whole.replace(fault["place"], "")) == [fault["place"]]


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        ([Figure("a", 1.2, "ratio", 1.0, 1.5)], "bench x ratio=1.2 limit=1.5 ok"),
        ([Figure("a", 50, "ms", 20, 60), Figure("b", 90, "ms", 20, 60)], "bench x ratio=1.5 limit=1 MISS"),
        ([Figure("a", 1, "count", None, 0), Figure("b", 1, "ms")], "bench x ratio=inf limit=1 MISS"),
    ],
)
def test_bench__figures__then_the_worst_decides(figures: list[Figure], line: str) -> None:
    assert verdict("x", figures).line() == line


def test_bench__no_limit_at_all__then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="no figure with a limit"):
        verdict("x", [Figure("a", 1, "ms")])


def test_outcome__a_breach__then_the_line_says_broken() -> None:
    outcome = Outcome({"kills": 20})
    assert outcome.line("P2") == "P2 kills=20 ok"
    outcome.fault("lost one")
    assert outcome.line("P2") == "P2 kills=20 BROKEN (1)"


def test_mutator__same_seed__then_same_inputs() -> None:
    first, second = (Mutator([b"abc" * 20, b'{"a":1}'], 7) for _ in range(2))
    drawn = [first.draw() for _ in range(300)]
    assert drawn == [second.draw() for _ in range(300)]
    assert len(set(drawn)) > 200
