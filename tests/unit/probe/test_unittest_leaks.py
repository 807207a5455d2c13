"""What a unittest test leaves behind is told as of any other, on old and new Pythons."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.support import pythons
from tests.support.probe_run import Ran, fixture_project, run_suite
from tests.support.unavailable import unavailable

MODULE = "unittest:test_leaks.py::"


@pytest.fixture(scope="module", params=["3.9", "3.11", "3.13"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    python = sys.executable if request.param == "3.11" else pythons.find(request.param)
    if python is None:
        unavailable(f"python{request.param}: not installed")
    place = tmp_path_factory.mktemp("leaks")
    project = fixture_project("leaks_unittest", place)
    return run_suite(project, place / "spool", runner="unittest", args=[], python=str(python))


def leaks(ran: Ran, test: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.end(f"{MODULE}{test}").get("leaks", [])
    return found


def test_verdicts__then_as_unittest_has_them(ran: Ran) -> None:
    red = [name for name, verdict in ran.verdicts.items() if verdict != "passed"]
    assert red == [f"{MODULE}Plain::test_e_fails_with_a_file"]


def test_left_file__then_its_path_is_told(ran: Ran) -> None:
    (leak,) = leaks(ran, "Plain::test_b_file")
    assert leak["kind"] == "file"
    assert leak["what"].endswith("/test_leaks.py")


def test_left_listening_socket__then_it_is_a_port_with_its_address(ran: Ran) -> None:
    (leak,) = leaks(ran, "Plain::test_c_port")
    number = ran.output(f"{MODULE}Plain::test_c_port").decode().strip()
    assert (leak["kind"], leak["what"]) == ("port", f"127.0.0.1:{number}")


def test_left_thread__then_its_name_is_told(ran: Ran) -> None:
    (leak,) = leaks(ran, "Plain::test_d_thread")
    assert (leak["kind"], leak["what"]) == ("thread", "left-over")


def test_left_process__then_its_pid_and_command_are_told(ran: Ran) -> None:
    (leak,) = leaks(ran, "Plain::test_j_process")
    assert leak["what"] == "pid " + ran.output(f"{MODULE}Plain::test_j_process").decode().strip()
    assert "time.sleep(60)" in leak["detail"]


def test_left_file_of_an_asynchronous_test__then_it_alone_and_not_its_loop(ran: Ran) -> None:
    (leak,) = leaks(ran, "Asynchronous::test_loop_and_file")
    assert leak["kind"] == "file"
    assert "eventpoll" not in leak["what"]


@pytest.mark.parametrize(
    "test",
    [
        "Plain::test_a_clean",
        "Plain::test_e_fails_with_a_file",
        "Plain::test_f_prints",
        "Plain::test_g_sub_tests",
        "Plain::test_h_busy",
        "Plain::test_i_tidy",
        "Plain::test_k_ends_what_was_left",
        "Served::test_uses_server",
        "Served::test_uses_server_again",
        "Asynchronous::test_loop",
    ],
)
def test_nothing_left_or_a_wider_fixtures_own__then_no_leak_is_told(ran: Ran, test: str) -> None:
    assert leaks(ran, test) == []


def test_busy_attempt__then_its_processor_time_and_peak_are_told(ran: Ran) -> None:
    used = ran.end(f"{MODULE}Plain::test_h_busy")["rusage"]
    assert used["user"] > 0
    assert used["system"] >= 0
    assert used["peak_kib"] > 1000
