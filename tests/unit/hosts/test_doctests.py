"""Documentation tests are known by their item and their number in it, in the order of the lines."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.until import until
from tracekit.agent.hosts import doctests
from tracekit.agent.hosts.doctests import DocTests, UnlistedError
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


def asked(script: str, place: Path) -> DocTests:
    return DocTests(System(), ["sh", "-c", script], str(place), lambda: False)


def test_found__cargo_fails__then_why_and_what_it_said(tmp_path: Path) -> None:
    tests = asked(
        "echo 'src/lib.rs - one (line 1): test'; echo 'error: no such thing' >&2; exit 101", tmp_path
    )
    with pytest.raises(UnlistedError) as caught:
        tests.found("", lambda file: (file, True), ())
    assert (caught.value.why, caught.value.text) == ("cargo ended with status 101", "error: no such thing\n")


def test_found__a_package_without_a_library__then_it_has_none(tmp_path: Path) -> None:
    tests = asked("echo 'error: no library targets found in package `api`' >&2; exit 101", tmp_path)
    assert tests.found("", lambda file: (file, True), ()) == []


def test_found__cargo_falls_silent__then_it_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctests, "PATIENCE", 0.2)
    tests = asked(
        f"echo waiting >&2; sleep 1000 & echo $! > {shlex.quote(str(tmp_path / 'child'))}; wait", tmp_path
    )
    with pytest.raises(UnlistedError, match="said nothing for"):
        tests.found("", lambda file: (file, True), ())
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")

    def gone() -> bool:
        try:
            return child.read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(gone)
