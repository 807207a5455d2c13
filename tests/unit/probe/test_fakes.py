"""Suites that fake time and the system for longer than a test: told as ever, under every runner."""

from __future__ import annotations

import pytest

from tests.support.probe_run import Ran, fixture_project, run_suite

WAYS = [
    pytest.param(("pytest", ["-p", "no:cacheprovider", "-W", "error"]), id="plain"),
    pytest.param(
        ("pytest", ["-p", "no:cacheprovider", "-W", "error", "-p", "xdist.plugin", "-n", "2"]), id="n2"
    ),
    pytest.param(("unittest", []), id="unittest"),
]


@pytest.fixture(scope="module", params=WAYS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("fakes")
    runner, args = request.param
    return run_suite(fixture_project("fakes", place), place / "spool", runner=runner, args=args)


def _told(ran: Ran) -> dict[str, str]:
    return {name.rpartition("::")[2]: word for name, word in ran.verdicts.items()}


def test_time_and_system_faked_by_a_class__then_verdicts_and_output_are_as_ever(ran: Ran) -> None:
    assert _told(ran) == {
        "test_waits": "passed",
        "test_leaves_a_thread": "passed",
        "test_fails": "failed",
        "test_real_again": "passed",
    }
    said = {name.rpartition("::")[2]: ran.output(name) for name in ran.verdicts}
    assert said["test_waits"] == b"waiting\n"
    assert said["test_leaves_a_thread"] == b"left\n"
    assert said["test_real_again"] == b"real True\n"


def test_time_and_system_faked_by_a_class__then_nothing_of_ours_failed_or_was_seen(ran: Ran) -> None:
    assert [gap for gap in ran.events("gap") if gap["what"] == "probe"] == []
    shown = b"".join((ran.spool / f"L1.{stream}").read_bytes() for stream in ("out", "err"))
    assert b"_tkprobe" not in shown
    assert b"Exception ignored" not in shown


def test_time_faked_by_a_class__then_lines_have_the_time_of_day(ran: Ran) -> None:
    began = ran.spool.stat().st_ctime - 60
    assert all(line["t"] / 1e9 > began for line in ran.lines if "t" in line)
    assert any("t" in line for line in ran.lines)
