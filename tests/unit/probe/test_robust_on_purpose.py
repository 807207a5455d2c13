"""What suites do that would break a recorder, alone and under xdist: verdicts and bytes are the right test's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.probe_run import Ran, environ_without_us, fixture_project, run_suite

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "pytest:test_robust.py::test_"
WAYS = [pytest.param([], id="plain"), pytest.param(["-p", "xdist.plugin", "-n", "2"], id="n2")]
ODD = {
    "a::b",
    "a/b/../c",
    "two words  and more",
    "[brackets]]",
    "שלום עולם",
    "🦀 emoji 👩‍👩‍👧",
    "-k not",
    "@file",
    "%s {x} $HOME",
    '"quoted" \\ back',
}
DIE = ("leaves_at_once", "segfaults")
#: Each costs a millisecond and more: TRACEKIT_TEST_IDS=60000 tries as many as big suites have.
COUNT = int(os.environ.get("TRACEKIT_TEST_IDS", "2000"))


@pytest.fixture(scope="module", params=WAYS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("robust")
    environ = environ_without_us(PYTEST_ADDOPTS="'--greeting=hello from the options'")
    args = ["-p", "no:cacheprovider", *request.param]
    return run_suite(fixture_project("robust", place), place / "spool", environ=environ, args=args)


def said(ran: Ran, test: str) -> bytes:
    return ran.output(f"{MODULE}{test}")


def _printed(scenario: str) -> str:
    """An odd id as pytest makes it of the parameter: what is not ASCII is escaped."""
    text = scenario.partition("test_odd_id[")[2][:-1]
    return text.encode("ascii").decode("unicode_escape")


def test_tests_that_end_their_process__then_exactly_they_crashed_and_all_others_have_their_verdict(
    ran: Ran,
) -> None:
    red = {name: word for name, word in ran.verdicts.items() if word != "passed"}

    assert red == {f"{MODULE}{test}": "crashed" for test in DIE}
    assert set(ran.found) == set(ran.verdicts)
    assert ran.not_run == []
    assert [gap for gap in ran.events("gap") if gap["what"] == "probe"] == []


def test_odd_ids__then_each_is_found_run_and_given_its_own_output(ran: Ran) -> None:
    odd = [name for name in ran.found if "test_odd_id[" in name]

    assert {_printed(name) for name in odd} == ODD
    for name in odd:
        assert ran.output(name).decode() == _printed(name) + "\n"


def test_options_and_conftest_of_the_user__then_in_force(ran: Ran) -> None:
    assert ran.verdicts[f"{MODULE}options_of_the_user"] == "passed"


def test_environment_cleared_and_directory_changed__then_output_still_arrives(ran: Ran) -> None:
    assert said(ran, "clears_environment") == b"nothing left\n"
    assert said(ran, "changes_directory") == b"elsewhere\n"
    assert said(ran, "still_elsewhere") == b"still\n"


def test_binary_and_wide_output__then_no_byte_is_changed(ran: Ran) -> None:
    assert said(ran, "binary") == bytes(range(256))
    assert said(ran, "wide") == b"w" * 200_000 + b"\n"


def test_children_that_print_at_once__then_every_line_is_their_own_tests(ran: Ran) -> None:
    for number in range(8):
        lines = sorted(said(ran, f"children_print_at_once[{number}]").splitlines())
        assert lines == sorted(f"child-{number} {n}".encode() for n in range(50) for _ in range(2))


def test_fork_and_closed_stdout__then_what_was_printed_is_kept(ran: Ran) -> None:
    assert said(ran, "forks") == b"forked\n"
    assert said(ran, "after_leaving") == b"after leaving\n"


def test_output__then_attribution_is_exact_and_nobody_prints_for_another(ran: Ran) -> None:
    assert {line["attribution"] for line in ran.events("output")} == {"exact"}
    speaking = {line["scenario"] for line in ran.events("output") if line.get("scenario")}
    silent = {f"{MODULE}options_of_the_user", *(f"{MODULE}{test}" for test in DIE)}
    assert speaking.isdisjoint(silent)


@pytest.mark.parametrize("args", WAYS)
def test_thousands_of_ids__then_each_has_one_end_and_none_is_told_twice(
    args: list[str], tmp_path: Path
) -> None:
    project = tmp_path / "many"
    project.mkdir()
    (project / "test_many.py").write_text(
        f"import pytest\n@pytest.mark.parametrize('n', range({COUNT}))\ndef test_one(n): pass\n"
    )
    ran = run_suite(project, tmp_path / "spool", args=["-p", "no:cacheprovider", *args])

    ids = {f"pytest:test_many.py::test_one[{number}]" for number in range(COUNT)}
    assert sorted(ran.found) == sorted(ids)
    assert sorted(line["scenario"] for line in ran.events("attempt.ended")) == sorted(ids)
    assert set(ran.verdicts.values()) == {"passed"}
