"""The bundled demo: its fault table holds, and the first thing a newcomer sees leads to the cause."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tracekit
from tests.support.cli import Done, Sandbox
from tests.support.found import found
from tools.tasks import demo

pytestmark = pytest.mark.quick
PROFILE = Path(tracekit.__file__).parent / "profiles" / "demo"
PREFIX = "pytest@shop:"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, Done]:
    """One demo run, as lines; the tests look at it from several sides."""
    sandbox = Sandbox(tmp_path_factory.mktemp("demo"))
    return sandbox, sandbox.run("demo", "--json")


def test_demo__as_it_stands__then_red_is_exactly_what_the_table_says(recorded: tuple[Sandbox, Done]) -> None:
    _, done = recorded
    assert done.code == 1, done.err
    red = {
        scenario for scenario, verdict in done.verdicts().items() if verdict in {"failed", "error", "crashed"}
    }
    assert red == {PREFIX + scenario for fault in demo.planted() for scenario in fault["scenarios"]}


def test_demo__shown_without_a_terminal__then_cause_and_place_are_on_it(
    recorded: tuple[Sandbox, Done],
) -> None:
    sandbox, done = recorded
    shown = sandbox.run("replay", done.run_id(), "--headless")
    assert shown.code == 1
    assert demo.missing(shown.out) == []


def test_demo__root_of_the_failure__then_the_server_s_own_values(recorded: tuple[Sandbox, Done]) -> None:
    _, done = recorded
    (failure,) = done.of("failure")[:1]
    root = failure["chain"][-1]
    assert root["type"] == demo.planted()[0]["root"]
    assert root["frames"][-1]["locals"] == {"quantity": "2", "grams": "6400", "per_parcel": "0"}


def test_demo__twelve_scenarios_and_more__then_every_kind_of_end_is_there(
    recorded: tuple[Sandbox, Done],
) -> None:
    _, done = recorded
    verdicts = done.verdicts()
    assert len({scenario.partition("[")[0].partition(" ▸ ")[0] for scenario in verdicts}) >= 12
    assert set(verdicts.values()) == {"passed", "failed", "skipped", "xfailed"}
    assert all(line["doc"] for line in found(done.lines()))


def test_demo__run__then_nothing_is_written_beside_its_tests(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    shutil.copytree(PROFILE, place, ignore=shutil.ignore_patterns("__pycache__"))
    before = {path.relative_to(place) for path in place.rglob("*")}
    done = Sandbox(tmp_path / "home").run("run", place, "--profile", place / "profile.toml", "--json")
    assert done.code == 1, done.err
    assert {path.relative_to(place) for path in place.rglob("*")} == before
