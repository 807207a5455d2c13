"""Rust tests that link the tracer: what they record while cargo's runner runs them stands with their own scenarios."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support import rust
from tests.support.cli import Done, Sandbox
from tools.tasks.common import ROOT

MANIFEST = """
[package]
name = "recorded"
version = "0.1.0"
edition = "2024"
[dependencies]
tracer = {{ package = "tracekit-tracer", path = "{native}/tracer", default-features = false }}
[workspace]
"""
SOURCE = """
#[cfg(test)]
mod tests {
    use tracer::Tracer;

    #[test]
    fn counts_parcels() {
        let tracer = Tracer::new().unwrap();
        let packing = tracer.name("packing");
        for _ in 0..3 { drop(tracer.span(packing)); }
    }

    #[test]
    fn breaks_a_parcel() {
        let tracer = Tracer::new().unwrap();
        let breaking = tracer.name("breaking");
        let other = tracer.clone();
        std::thread::spawn(move || drop(other.span(breaking))).join().unwrap();
        let _span = tracer.span(breaking);
        assert_eq!(1 + 1, 3, "a parcel too many");
    }

    #[test]
    fn dies_while_it_records() {
        let tracer = Tracer::new().unwrap();
        let dying = tracer.name("dying");
        let _span = tracer.span(dying);
        std::process::abort();
    }

    #[test]
    fn records_nothing() {}
}
"""
NAMES = ("breaks_a_parcel", "counts_parcels", "dies_while_it_records", "records_nothing")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("traced") / "recorded"
    (root / "src").mkdir(parents=True)
    (root / "Cargo.toml").write_text(MANIFEST.format(native=ROOT / "native"))
    (root / "src" / "lib.rs").write_text(SOURCE)
    # The same versions as the project's own: nothing is fetched.
    shutil.copyfile(ROOT / "native" / "Cargo.lock", root / "Cargo.lock")
    return root


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return rust.sandbox(tmp_path / "home")


def recorded(sandbox: Sandbox, run: str, name: str) -> list[str]:
    """What began, of the scenario of this name, in the order in which it did."""
    done = sandbox.run("events", run, f"scenario:*{name} kind:enter", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    return [row["name"] for row in rows if row.get("kind") == "enter"]


def ran(sandbox: Sandbox, root: Path, table: str, *words: str) -> Done:
    (root / "tracekit.toml").write_text(f'[suite.r]\nrunner = "cargo"\n{table}')
    done = sandbox.run("run", root, "--json", *words)
    assert done.code == 1, done.err
    return done


def test_events__of_tests_in_processes_of_their_own__then_each_test_has_its_own_whatever_became_of_it(
    sandbox: Sandbox, root: Path
) -> None:
    done = ran(sandbox, root, "")
    ids = {name: next(one for one in done.verdicts() if one.endswith(name)) for name in NAMES}
    assert done.verdicts() == {
        ids["breaks_a_parcel"]: "failed",
        ids["counts_parcels"]: "passed",
        ids["dies_while_it_records"]: "crashed",
        ids["records_nothing"]: "passed",
    }
    told = {name: recorded(sandbox, done.run_id(), name) for name in NAMES}
    assert told == {
        "breaks_a_parcel": ["breaking", "breaking"],
        "counts_parcels": ["packing"] * 3,
        "dies_while_it_records": ["dying"],
        "records_nothing": [],
    }


def test_events__of_tests_that_share_a_process__then_told_apart_by_their_threads(
    sandbox: Sandbox, root: Path
) -> None:
    chosen = "not name:*dies_while_it_records"
    done = ran(sandbox, root, 'isolation = "binary"\n', "-s", chosen, "--", "--", "--test-threads=2")
    assert recorded(sandbox, done.run_id(), "counts_parcels") == ["packing"] * 3
    # A thread that a test starts has no name that says whose it is.
    assert recorded(sandbox, done.run_id(), "breaks_a_parcel") == ["breaking"]


def test_events__tracing_is_off__then_none_and_the_same_verdicts(sandbox: Sandbox, root: Path) -> None:
    done = ran(sandbox, root, 'trace = "off"\n')
    assert sorted(done.verdicts().values()) == ["crashed", "failed", "passed", "passed"]
    assert recorded(sandbox, done.run_id(), "counts_parcels") == []
