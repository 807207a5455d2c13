"""live-others: from a print in a test, which then sleeps, to the line on `tracekit run --json`, in other languages.

cargo and go are limited to 100 ms; of the others the figure says how early their tool hands on what a test prints. A
line that arrives for another test does not count, and one that never came is a line without end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.bench_live import text_of
from tests.bench.figures import Figure, median
from tests.bench.places import TRACEKIT, Place, place
from tests.support.node import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

PRINTS = 15
LIMIT_MS = 100.0
SCRIPT = """
it('marks', async () => {
  for (let number = 0; number < %(prints)d; number += 1) {
    console.log(`mark ${number} ${Date.now() * 1e6}`);
    await new Promise((done) => setTimeout(done, 300));
  }
}, 600000);
"""
RUST = """
#[test]
fn marks() {
    for number in 0..%(prints)d {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        println!("mark {number} {}", now.as_nanos());
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
}
"""
GO = """
package marks

import (
    "fmt"
    "testing"
    "time"
)

func TestMarks(t *testing.T) {
    for number := 0; number < %(prints)d; number++ {
        fmt.Println("mark", number, time.Now().UnixNano())
        time.Sleep(300 * time.Millisecond)
    }
}
"""


class Tool(NamedTuple):
    """One runner, and the files of its project; without a limit its figure only stands there."""

    name: str
    files: dict[str, str]
    limit: float | None = None
    profile: str = ""
    packages: bool = False


CRATE = (
    '[package]\nname = "marks"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n[lib]\ndoctest = false\n'
)
TOOLS = (
    Tool("cargo", {"Cargo.toml": CRATE, "src/lib.rs": RUST}, LIMIT_MS),
    Tool("cargo", {"Cargo.toml": CRATE, "src/lib.rs": RUST}, LIMIT_MS, 'isolation = "binary"\n'),
    Tool("go", {"go.mod": "module marks\n\ngo 1.21\n", "marks_test.go": GO}, LIMIT_MS),
    Tool("node", {"package.json": "{}", "marks.test.mjs": "import { it } from 'node:test';" + SCRIPT}),
    Tool("mocha", {"package.json": "{}", "test/marks.js": "const skip = 0;" + SCRIPT}, packages=True),
    Tool(
        "vitest",
        {"package.json": "{}", "marks.test.ts": "import { it } from 'vitest';" + SCRIPT},
        packages=True,
    ),
    Tool("jest", {"package.json": "{}", "marks.test.js": SCRIPT}, packages=True),
)


def tools() -> Iterator[Tool]:
    """Those that this machine has."""
    for tool in TOOLS:
        program = tool.name if tool.name in {"cargo", "go"} else "node"
        if shutil.which(program) and (not tool.packages or shutil.which("npm")):
            yield tool


def delays(here: Place, tool: Tool) -> list[float]:
    """How long each mark took, in milliseconds."""
    root = here.base / f"{tool.name}{len(tool.profile)}"
    profile = f'[suite.live]\nrunner = "{tool.name}"\n{tool.profile}'
    # mocha ends a test after two seconds, unless it is told otherwise.
    profile += 'args = ["--timeout", "600000"]\n' if tool.name == "mocha" else ""
    for name, text in {**tool.files, "tracekit.toml": profile}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        marked = text % {"prints": PRINTS} if "%(prints)d" in text else text
        (root / name).write_text(marked, encoding="utf-8")
    if tool.packages:
        (root / "node_modules").symlink_to(installed())
    command = [TRACEKIT, "run", "--json"]
    found: dict[str, float] = {}
    process = subprocess.Popen(
        command, cwd=root, env=here.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    with process:
        for raw in process.stdout or ():
            now = time.time_ns()
            line = json.loads(raw)
            if line.get("e") != "output" or not line.get("scenario"):
                continue
            for row in text_of(line).splitlines():
                words = row.split()
                if len(words) == 3 and words[0] == "mark" and words[2].isdigit():
                    found.setdefault(words[1], (now - int(words[2])) / 1e6)
    if process.returncode:
        raise RuntimeError(f"tracekit run of {tool.name} ended with {process.returncode}")
    return list(found.values())


def measure() -> list[Figure]:
    """Each tool that is here."""
    figures: list[Figure] = []
    with place() as here:
        for tool in tools():
            taken = delays(here, tool)
            lost = PRINTS - len(taken)
            worst = float("inf") if lost else max(taken)
            name = tool.name + ("-binary" if tool.profile else "")
            figures.append(Figure(f"{name}-worst", worst, "ms", None, tool.limit))
            figures.append(Figure(f"{name}-median", median(taken) if taken else float("inf"), "ms"))
            figures.append(Figure(f"{name}-lost", lost, "lines", None, 0 if tool.limit else None))
    return figures
