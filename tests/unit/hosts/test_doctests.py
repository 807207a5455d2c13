"""Documentation tests are known by their item and their number in it, in the order of the lines."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tracekit.agent.hosts.doctests import DocTests
from tracekit.agent.system import System


@pytest.mark.parametrize("above", [0, 1, 5, 90, 95])
def test_found__with_any_number_of_lines_above__then_each_keeps_its_number(
    tmp_path: Path, above: int
) -> None:
    lines = [above + line for line in (2, 6, 9, 12)]
    # rustdoc's order is that of the words.
    names = sorted(f"src/lib.rs - three (line {line})" for line in lines)
    (tmp_path / "list").write_text("".join(f"{name}: test\n" for name in names) + "\n4 tests, 0 benchmarks\n")
    command = ["sh", "-c", f"cat {shlex.quote(str(tmp_path / 'list'))}"]
    tests = DocTests(System(), command, str(tmp_path), lambda: False)
    found = tests.found("", lambda file: (file, True), ())
    assert [test.name for test in found] == names
    numbers = {test.scenario.rpartition("::")[2]: test.line for test in found}
    assert numbers == dict(zip(("three", "three[2]", "three[3]", "three[4]"), lines, strict=True))
