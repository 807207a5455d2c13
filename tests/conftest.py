"""Rules for every test: what is quick, what a skip may say, and an environment that is nobody's own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support import unavailable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# How fast a machine draws examples is no property of what is tested.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
TESTS = Path(__file__).parent
# Rooms whose tests take milliseconds each; elsewhere a test is quick when it says so.
QUICK = ("wire", "model", "config", "native", "store", "cli", "engine", "link")
# Variables of the person's own shell that change what the product does.
PERSONAL = ("NO_COLOR", "FORCE_COLOR", "PYTEST_ADDOPTS", "GITHUB_ACTIONS")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Unit tests are quick, unless they say that they are slow, or start a runner each."""
    for item in items:
        room = next((name for name in QUICK if TESTS / "unit" / name in item.path.parents), None)
        if room is not None and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.quick)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skip that may not stand is a failure."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = str(call.excinfo.value) if call.excinfo else "marked"
        fault = _fault(item.nodeid, reason)
        if fault:
            report.outcome = "failed"
            report.longrepr = fault
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    if report.outcome == "skipped":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        fault = _fault(collector.nodeid, reason.removeprefix("Skipped: "))
        if fault:
            report.outcome = "failed"
            report.longrepr = fault
    return report


def _fault(nodeid: str, reason: str) -> str | None:
    return unavailable.verdict(nodeid, reason, strict=unavailable.in_ci(), listed=unavailable.allowed())


@pytest.fixture(scope="session")
def _sockets() -> Iterator[str]:
    """Where agents put their sockets: short, as a socket's path must be, and gone with what killed agents left."""
    with tempfile.TemporaryDirectory(prefix="tk-", ignore_cleanup_errors=True) as folder:
        yield folder


@pytest.fixture(autouse=True)
def _own_places(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, _sockets: str
) -> None:
    """No test reads or writes the person's own state, cache or configuration."""
    base = tmp_path_factory.getbasetemp() / "xdg"
    for name in ("STATE", "CACHE", "CONFIG"):
        folder = base / name.lower()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        monkeypatch.setenv(f"XDG_{name}_HOME", os.fspath(folder))
    monkeypatch.setenv("XDG_RUNTIME_DIR", _sockets)
    for name in PERSONAL:
        monkeypatch.delenv(name, raising=False)
