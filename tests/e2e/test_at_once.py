"""`run -j N`: so many at once and no more, in every runner that can hold it, and a refusal in words in the others.

Nobody looks at a clock: tests that wait for each other pass only where they run at once, and the journal says how many
had begun and not ended.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support import rust
from tests.support.cli import Done, Sandbox
from tests.support.node import installed
from tests.support.unavailable import unavailable

MEETING = """
import pathlib, time
import pytest

@pytest.mark.parametrize("number", range(6))
def test_meets(number):
    here = pathlib.Path(__file__).with_name("here")
    here.mkdir(exist_ok=True)
    (here / str(number)).touch()
    end = time.monotonic() + 60
    while len(list(here.iterdir())) < LEAST:
        assert time.monotonic() < end, "nobody else came"
        time.sleep(0.01)
"""
RUST = """
#[cfg(test)]
mod tests {
    fn meet(name: &str) {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("here");
        std::fs::create_dir_all(&here).unwrap();
        std::fs::write(here.join(name), "").unwrap();
        for _ in 0..6000 {
            if std::fs::read_dir(&here).unwrap().count() >= 5 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("nobody else came");
    }
TESTS
}
"""
HEADS = {
    "node": "const test = require('node:test'); const fs = require('node:fs'); const path = require('node:path');",
    "vitest": "import { test } from 'vitest'; import fs from 'node:fs'; import path from 'node:path';",
    "jest": "const fs = require('node:fs'); const path = require('node:path');",
}
SCRIPT = """
HEAD
const here = path.join(process.cwd(), 'here');
test('meets', async () => {
  fs.mkdirSync(here, { recursive: true });
  fs.writeFileSync(path.join(here, `${process.pid}.${Math.random()}`), '');
  for (let i = 0; i < 6000; i++) {
    if (fs.readdirSync(here).length >= 5) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error('nobody else came');
}TIME);
"""
GO = """
package NAME

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func meet(t *testing.T) {
	here := os.Getenv("HERE")
	os.WriteFile(filepath.Join(here, filepath.Base(t.Name())+"NAME"), nil, 0o600)
	for i := 0; i < 6000; i++ {
		found, _ := os.ReadDir(here)
		if len(found) >= 5 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nobody else came")
}
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def most_at_once(done: Done) -> int:
    """How many had begun and not ended, at most, by the clock of the machine they ran on."""
    marks = [(line["m"], 1) for line in done.of("attempt.started")]
    marks += [(line["m"], -1) for line in done.of("attempt.ended")]
    most = now = 0
    for _, step in sorted(marks):
        now += step
        most = max(most, now)
    return most


def _pytest(sandbox: Sandbox, least: int, ini: str = "") -> Path:
    files = {"test_it.py": MEETING.replace("LEAST", str(least))}
    return sandbox.project({**files, "pytest.ini": f"[pytest]\n{ini}"})


@pytest.mark.parametrize("ini", ["", "addopts = -n 4\n"])
def test_pytest__so_many_at_once__then_that_many_meet_and_never_more(sandbox: Sandbox, ini: str) -> None:
    done = sandbox.run("run", _pytest(sandbox, 3, ini), "-j", "3", "--json")
    assert done.code == 0, done.err
    assert len(done.verdicts()) == 6
    assert most_at_once(done) == 3
    assert {line["worker"] for line in done.of("attempt.started")} == {"gw0", "gw1", "gw2"}


def test_pytest__one_at_once_in_a_project_that_spreads__then_one_process_and_the_rerun_too(
    sandbox: Sandbox,
) -> None:
    root = _pytest(sandbox, 1, "addopts = -n 2\n")
    done = sandbox.run("run", root, "-j", "1", "--json")
    assert done.code == 0, done.err
    assert most_at_once(done) == 1
    assert len({line["pid"] for line in done.of("attempt.started")}) == 1
    again = sandbox.run("rerun", done.run_id(), "--all", "--json")
    assert again.code == 0, again.err
    assert len({line["pid"] for line in again.of("attempt.started")}) == 1


def test_pytest__no_xdist__then_several_are_refused_in_words_and_one_is_run(sandbox: Sandbox) -> None:
    root = _pytest(sandbox, 1, "addopts = -p no:xdist\n")
    done = sandbox.run("run", root, "-j", "3")
    assert done.code == 2, done.out + done.err
    assert "-j 3 needs pytest-xdist, which is not loaded here" in done.out
    assert "install pytest-xdist" in done.out
    assert not (root / "here").exists()
    assert sandbox.run("run", root, "-j", "1").code == 0


@pytest.mark.parametrize(
    ("suite", "size", "words"),
    [
        ("runner = 'unittest'", 2, "unittest runs one scenario at a time"),
        ("runner = 'mocha'", 2, "mocha runs whole files at once"),
        ("runner = 'command'\nrun = ['true']", 1, "how many a command runs at once is its own to say"),
    ],
)
def test_runner_that_cannot_hold_it__then_refused_before_anything_is_begun(
    sandbox: Sandbox, suite: str, size: int, words: str
) -> None:
    root = sandbox.project({"tracekit.toml": f"[suite.one]\n{suite}\n"})
    done = sandbox.run("run", root, "-j", size)
    assert done.code == 2, done.out + done.err
    assert words in done.err
    assert "leave -j out" in done.err
    assert not list(sandbox.state.glob("runs/*"))


def test_unittest__one_at_once__then_it_is_what_it_does(sandbox: Sandbox) -> None:
    text = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): pass\n    def test_b(self): pass\n"
    root = sandbox.project({"test_it.py": text, "tracekit.toml": "[suite.one]\nrunner = 'unittest'\n"})
    done = sandbox.run("run", root, "-j", "1", "--json")
    assert done.code == 0, done.err
    assert most_at_once(done) == 1


@pytest.mark.parametrize("word", ["0", "-1", "many"])
def test_run__no_such_number__then_2(sandbox: Sandbox, word: str) -> None:
    done = sandbox.run("run", _pytest(sandbox, 1), f"-j{word}")
    assert done.code == 2
    assert "-j" in done.err


@pytest.mark.parametrize("isolation", ["process", "binary"])
def test_cargo__more_at_once_than_the_machine_has__then_they_meet_and_one_by_one_on_wish(
    sandbox: Sandbox, isolation: str
) -> None:
    tests = "\n".join(f'    #[test]\n    fn t{i}() {{\n        meet("{i}")\n    }}' for i in range(5))
    files = {
        "Cargo.toml": '[package]\nname = "meeting"\nversion = "0.1.0"\nedition = "2021"\n[lib]\ndoctest = false\n',
        "src/lib.rs": RUST.replace("TESTS", tests),
        "tracekit.toml": f"[suite.rust]\nrunner = 'cargo'\nisolation = '{isolation}'\n",
    }
    sandbox.environ.update(rust.environ())
    root = sandbox.project(files)
    done = sandbox.run("run", root, "-j", "5", "--json")
    assert done.code == 0, done.err
    assert most_at_once(done) == 5
    # Everybody is there already: now it is only how many there are at once.
    one = sandbox.run("run", root, "-j", "1", "--json")
    assert one.code == 0, one.err
    assert most_at_once(one) == 1


@pytest.mark.parametrize("runner", ["node", "vitest", "jest"])
def test_javascript__more_files_at_once_than_the_machine_has__then_they_meet(
    sandbox: Sandbox, runner: str
) -> None:
    patience = "" if runner == "node" else ", 120000"
    text = SCRIPT.replace("HEAD", HEADS[runner]).replace("TIME", patience)
    files = {f"f{i}.test.js": text for i in range(5)}
    suite = f"[suite.js]\nrunner = '{runner}'\n"
    root = sandbox.project({**files, "package.json": "{}\n", "tracekit.toml": suite})
    if runner != "node":
        (root / "node_modules").symlink_to(installed())
    done = sandbox.run("run", root, "-j", "5", "--json")
    assert done.code == 0, done.err
    assert set(done.verdicts().values()) == {"passed"}
    assert len(done.verdicts()) == 5
    one = sandbox.run("run", root, "-j", "1", "--json")
    assert one.code == 0, one.err
    assert most_at_once(one) == 1


@pytest.mark.parametrize("packages", [1, 5])
def test_go__more_at_once_than_the_machine_has__then_they_meet(sandbox: Sandbox, packages: int) -> None:
    files = {"go.mod": "module example.org/meeting\n\ngo 1.20\n"}
    for number in range(packages):
        name = f"p{number}"
        tests = range(5 if packages == 1 else 1)
        body = "".join(f"\nfunc TestT{i}(t *testing.T) {{\n\tt.Parallel()\n\tmeet(t)\n}}\n" for i in tests)
        files[f"{name}/{name}_test.go"] = GO.replace("NAME", name).lstrip() + body
    if shutil.which("go") is None:
        unavailable("go: not installed")
    here = sandbox.home / "here"
    here.mkdir()
    cache = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    sandbox.environ.update(
        {"GOCACHE": cache, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    )
    root = sandbox.project({**files, "tracekit.toml": "[suite.go]\nrunner = 'go'\nargs = ['-count=1']\n"})
    sandbox.environ["HERE"] = str(here)
    done = sandbox.run("run", root, "-j", "5", "--json")
    assert done.code == 0, done.out[-2000:] + done.err
    assert len(done.verdicts()) == 5
