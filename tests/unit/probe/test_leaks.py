"""What an attempt leaves behind is told once, with its evidence, and never for what is not the test's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.probe_run import Ran, fixture_project, run_suite

MODULE = "pytest:test_leaks.py::test_"
PLAIN: list[str] = []
PARALLEL = ["-p", "xdist", "-n", "2", "--dist", "loadfile"]


@pytest.fixture(scope="module", params=[PLAIN, PARALLEL], ids=["plain", "n2"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    place = tmp_path_factory.mktemp("leaks")
    return run_suite(fixture_project("leaks", place), place / "spool", args=request.param)


def leaks(ran: Ran, test: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ran.end(f"{MODULE}{test}").get("leaks", [])
    return found


def test_left_file__then_its_path_is_told(ran: Ran) -> None:
    (leak,) = leaks(ran, "file")

    assert leak["kind"] == "file"
    assert leak["what"].endswith("/test_leaks.py")
    assert leak["detail"].startswith("descriptor ")


def test_left_listening_socket__then_it_is_a_port_with_its_address(ran: Ran) -> None:
    (leak,) = leaks(ran, "port")
    number = ran.output(f"{MODULE}port").decode().strip()

    assert (leak["kind"], leak["what"]) == ("port", f"127.0.0.1:{number}")


def test_left_process__then_its_pid_and_command_are_told(ran: Ran) -> None:
    (leak,) = leaks(ran, "process")

    assert leak["kind"] == "process"
    assert leak["what"] == "pid " + ran.output(f"{MODULE}process").decode().strip()
    assert "time.sleep(60)" in leak["detail"]


def test_left_thread__then_its_name_is_told(ran: Ran) -> None:
    (leak,) = leaks(ran, "thread")

    assert (leak["kind"], leak["what"]) == ("thread", "left-over")
    assert leak["detail"].startswith("daemon ")


@pytest.mark.parametrize(
    "test",
    [
        "clean",
        "tidy",
        "uses_server",
        "uses_server_again",
        "fails_with_a_file",
        "prints",
        "busy",
        "ends_what_was_left",
    ],
)
def test_nothing_left_or_a_wider_fixtures_own__then_no_leak_is_told(ran: Ran, test: str) -> None:
    assert leaks(ran, test) == []


def test_busy_attempt__then_its_processor_time_and_peak_are_told(ran: Ran) -> None:
    used = ran.end(f"{MODULE}busy")["rusage"]

    assert used["user"] > 0
    assert used["system"] >= 0
    assert used["peak_kib"] > 1000
