"""store-1000: what a look at 1,000 stored runs costs, from the start of the process to its end.

The runs are those of one project of a few hundred scenarios, some of them red, flaky or slow; all but those of the last
day are packed, as `gc` leaves them. Beside the looks stands what they cost over one stored run, and what it costs once
to build the catalogue from the runs alone, plain and packed, and to pack them.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure, median
from tests.bench.places import PYTHON, TRACEKIT, Place, place
from tests.bench.tree import measure as cost_of
from tests.support.journals import MS, Journal
from tracekit.store.runs import RunStore
from tracekit.wire import lines
from tracekit.wire.ids import new_ulid

LIMIT_MS = 300.0
VARIANTS = 8
TEMPLATE = "01KAH0C5M0DEMORVNTRACEK1T0"
MINUTE = 60_000_000_000


def measure(runs: int = 1000, scenarios: int = 300, rounds: int = 9) -> list[Figure]:
    """Each look in turn with bare Python, over one run and over all of them."""
    with place() as few, place() as many:
        for here, count in ((few, 1), (many, runs)):
            # A store of this size is what somebody asked for.
            here.env.update(TRACEKIT_KEEP_RUNS="100000", TRACEKIT_KEEP_FOR="3650d", TRACEKIT_KEEP_SIZE="1TiB")
            fill(Path(here.env["XDG_STATE_HOME"]) / "tracekit", count, scenarios)
        built = look(many, [TRACEKIT, "runs", "-n", "0"])
        plain = weight(many)
        packed = look(many, [TRACEKIT, "gc"])
        packed_weight = weight(many)
        rebuilt = look(many, [TRACEKIT, "gc", "--rebuild"])
        look(few, [TRACEKIT, "runs", "-n", "0"])
        old = newest(many, min(runs, 100))
        looks = {
            "runs": ["runs"],
            "runs-all": ["runs", "-n", "0", "--json"],
            "show": ["show", "last"],
            "show-scenario": ["show", "last", "test_7_3"],
            "show-packed": ["show", old, "test_7_3"],
            "history": ["history", "test_7_3"],
            "compare": ["compare", newest(many, 2), "last"],
        }
        bare: list[float] = []
        one: dict[str, list[float]] = {name: [] for name in looks}
        taken: dict[str, list[float]] = {name: [] for name in looks}
        for _ in range(rounds):
            bare.append(look(many, [PYTHON, "-c", "pass"]))
            for name, words in looks.items():
                taken[name].append(look(many, [TRACEKIT, *words]))
                if name not in {"compare", "show-packed"}:
                    one[name].append(look(few, [TRACEKIT, *words]))
        promised = {"runs", "show", "show-scenario", "show-packed", "history"}
        return [
            *(
                Figure(
                    name,
                    median(values),
                    "ms",
                    median(one[name]) if one[name] else None,
                    LIMIT_MS if name in promised else None,
                )
                for name, values in taken.items()
            ),
            Figure("bare-python", median(bare), "ms"),
            Figure("build-catalogue", built / 1000, "s"),
            Figure("build-catalogue-packed", rebuilt / 1000, "s", built / 1000),
            Figure("pack", packed / 1000, "s"),
            Figure("weight", packed_weight / 2**20, "MiB", plain / 2**20),
        ]


def look(here: Place, command: list[str]) -> float:
    """Processor time of a command in milliseconds, its start and end included."""
    cost = cost_of(command, here.project, here.env)
    if cost.code:
        raise RuntimeError(f"{' '.join(command)} ended with {cost.code}")
    return cost.cpu * 1000


def weight(here: Place) -> int:
    """What all runs of a place weigh."""
    store = RunStore(Path(here.env["XDG_STATE_HOME"]) / "tracekit")
    return sum(folder.disk_bytes() for folder in store.folders())


def newest(here: Place, back: int) -> str:
    """The name of the run that is so many before the end."""
    folder = Path(here.env["XDG_STATE_HOME"]) / "tracekit" / "runs"
    return sorted(path.name for path in folder.iterdir())[-back]


def fill(state: Path, runs: int, scenarios: int) -> None:
    """Store so many runs of one project, an hour apart."""
    chance = random.Random(4711)
    variants = [journal(scenarios, chance) for _ in range(min(runs, VARIANTS))]
    store = RunStore(state)
    now_ms = time.time_ns() // 1_000_000
    for number in range(runs):
        ended_ms = now_ms - (runs - number) * 3_600_000
        run = new_ulid(ended_ms, chance.randbytes(10))
        told, output = variants[number % len(variants)]
        plan = {"suites": [{"name": "", "args": []}]}
        folder = store.create(run, {"run": run, "root": "/srv/chat-server", "parent": None, "plan": plan})
        folder.box_dir.mkdir()
        (folder.box_dir / "output.bin").write_bytes(output)
        folder.journal.write_bytes(told.replace(TEMPLATE.encode(), run.encode()))
        for file in folder.box_dir.iterdir():
            os.utime(file, (ended_ms / 1000, ended_ms / 1000))


def journal(scenarios: int, chance: random.Random) -> tuple[bytes, bytes]:
    """One run: files of forty scenarios, one in a hundred red, some with output, some tried twice."""
    made = Journal(run=TEMPLATE)
    made.start()
    ids = [
        made.found(
            f"tests/test_area_{number // 40}.py", f"test_{number // 40}_{number % 40}", line=number % 40 * 9
        )
        for number in range(scenarios)
    ]
    for scenario in ids:
        made.begin(scenario)
        if chance.random() < 0.5:
            made.prints(f"connected, {chance.randrange(1000)} messages\n", scenario)
        used = {"user": round(chance.random() / 10, 4), "system": 0.001, "peak_kib": 40_000}
        verdict = "failed" if chance.random() < 0.01 else "passed"
        made.end(scenario, verdict, chance.randrange(5, 200), rusage=used)
        if verdict == "failed" and chance.random() < 0.5:
            made.begin(scenario, 2)
            made.end(scenario, "passed", chance.randrange(5, 200), attempt=2, rusage=used)
    made.wait(MINUTE / MS / 60)
    finish(made, ids)
    return b"".join(map(lines.encode, made.lines)), bytes(made.output)


def finish(made: Journal, ids: list[str]) -> None:
    """The end of the run, with the verdicts that its lines say."""
    last: dict[str, str] = {}
    for line in made.lines:
        if line["e"] == "attempt.ended":
            last[line["scenario"]] = line["verdict"]
    counts: dict[str, Any] = {}
    for scenario in ids:
        counts[last[scenario]] = counts.get(last[scenario], 0) + 1
    made.line("run.ended", reason="finished", verdicts=counts, not_run=[], not_run_count=0)
