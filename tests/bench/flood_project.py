"""A suite that floods: one traced test, under which two Python processes call functions, and a third tells verdicts.

The calls go into rings and out of them like those of any test. Verdicts are lines of a probe's own form in the run's
spool, written by the probe's own writer: ten lines a scenario, thousands of scenarios, as a very fast suite tells them.
Whoever made the project ends the flood with a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WRITERS = 2
#: Lines that a scenario of the teller takes.
LINES_EACH = 10
FILES_EACH = 40
PROFILE = """\
[suite.flood]
python = "{python}"
args = ["-p", "no:cacheprovider"]
trace = "calls"
stall = "1h"
"""
TEST = """\
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_flood():
    import _tkprobe

    told = json.loads((HERE / "flood.json").read_text())
    writer, teller = str(HERE / "writer.py"), str(HERE / "teller.py")
    children = [subprocess.Popen([sys.executable, writer, str(number)]) for number in range(told["writers"])]
    # Without `site` the tracer does not come along: what this one does is no event.
    probe = str(Path(_tkprobe.__file__).parents[1])
    children.append(subprocess.Popen([sys.executable, "-S", teller, probe]))
    assert [child.wait() for child in children] == [0] * len(children)
"""
WRITER = """\
import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def tick():
    pass


def flood(rate, stop, until, calls):
    began, made = time.monotonic(), 0
    while True:
        for _ in range(500):
            tick()
        made += 500
        calls[0] = made
        ahead = made / rate - (time.monotonic() - began) if rate else 0
        if ahead > 0:
            time.sleep(ahead)
        if os.path.exists(stop) or time.monotonic() > until:
            break
    calls[1] = time.monotonic() - began


if __name__ == "__main__":
    with open(os.path.join(HERE, "flood.json")) as file:
        told = json.load(file)
    stop, until = os.path.join(HERE, "stop"), time.monotonic() + told["most"]
    calls = [0, 0.0]
    # A thread of its own has a lane of its own, in which nothing else stands.
    thread = threading.Thread(target=flood, args=(told["calls"], stop, until, calls), name="flood")
    thread.start()
    so_far = os.open(os.path.join(HERE, f"so-far-{sys.argv[1]}"), os.O_WRONLY | os.O_CREAT, 0o600)
    while thread.is_alive():
        thread.join(0.2)
        os.pwrite(so_far, str(calls[0]).encode(), 0)
    with open(os.path.join(HERE, f"sent-{sys.argv[1]}.json"), "w") as file:
        json.dump({"pid": os.getpid(), "calls": calls[0], "seconds": calls[1]}, file)
"""
TELLER = """\
import json
import os
import sys
import time

sys.path.insert(0, sys.argv[1])
from _tkprobe.spool import Spool

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "flood.json")) as file:
    told = json.load(file)
spool, launch = Spool(os.environ["TRACEKIT_SPOOL"], "teller"), os.environ["TRACEKIT_LAUNCH"]
STEPS = ("setup", "call", "teardown")
each, count = told["lines_each"], told["scenarios"]


def found():
    facts = '"suite":"flood","runner":"pytest"'
    for first in range(0, count, told["files_each"]):
        path = f"test_many_{first // told['files_each']:04}.py"
        names = json.dumps([f"test_{n:05}" for n in range(first, min(count, first + told["files_each"]))])
        lines = json.dumps([3] * (min(count, first + told["files_each"]) - first))
        more = f'"path":["{path}"],"file":"{path}","tags":[],"names":{names},"lines":{lines},"marks":{{}}'
        spool.add(f'"scenarios.found","id":"pytest:{path}::",{facts},{more}')
    spool.flush()


def tell(number):
    name = f"pytest:test_many_{number // told['files_each']:04}.py::test_{number:05}"
    who = f'"scenario":"{name}","attempt":1'
    spool.add(f'"attempt.started",{who},"pid":{os.getpid()},"worker":null,"launch":"{launch}"')
    for step in STEPS:
        spool.add(f'"step.started",{who},"step":"{step}","kind":"phase","name":"{step}"')
        if step == "call":
            spool.add_output("stdout", f'{who},"step":"call"', b"one line of what a test prints\\n")
        spool.add(f'"step.ended",{who},"step":"{step}","kind":"phase","name":"{step}","d":100000,"verdict":"passed"')
    spool.add(f'"assertion",{who},"op":"==","passed":true')
    spool.add(f'"attempt.ended",{who},"verdict":"passed","cause":null,"d":400000')


stop, began, number = os.path.join(HERE, "stop"), time.monotonic(), 0
if told["lines"]:
    found()
while told["lines"] and number < count and not os.path.exists(stop):
    due = int((time.monotonic() - began) * told["lines"] / each) - number
    for _ in range(min(due, count - number)):
        tell(number)
        number += 1
    spool.flush()
    time.sleep(0.01)
seconds = time.monotonic() - began
# What was found and did not come to its turn is told, so that nothing waits for another process.
for left in range(number, count if told["lines"] else 0):
    name = f"pytest:test_many_{left // told['files_each']:04}.py::test_{left:05}"
    spool.add(f'"attempt.ended","scenario":"{name}","attempt":1,"verdict":"skipped","d":0')
spool.flush()
with open(os.path.join(HERE, "told.json"), "w") as file:
    json.dump({"lines": number * each, "seconds": seconds}, file)
"""


@dataclass(frozen=True)
class Sent:
    """What the writers say that they did."""

    records: dict[int, int]  # by process
    a_second: float
    lines_a_second: float

    @property
    def total(self) -> int:
        """Records of all of them."""
        return sum(self.records.values())


@dataclass(frozen=True)
class FloodProject:
    """The project's folder, and how to end what goes on there."""

    root: Path

    def stop(self) -> None:
        """The flood is over."""
        (self.root / "stop").touch()

    def sent(self) -> Sent:
        """What was recorded; in the lane of a writer there is each call's beginning and end, and the thread's own."""
        told = [
            json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.root.glob("sent-*.json"))
        ]
        lines = json.loads((self.root / "told.json").read_text(encoding="utf-8"))
        return Sent(
            {one["pid"]: 2 * one["calls"] + 2 for one in told},
            sum(2 * one["calls"] / one["seconds"] for one in told),
            lines["lines"] / lines["seconds"] if lines["seconds"] else 0.0,
        )


def flood_project(root: Path, python: str, *, events: int, lines: int, most: float) -> FloodProject:
    """Make one: events and journal lines a second of all together, `0` events being as many as there can be."""
    root.mkdir(exist_ok=True)
    scenarios = int(lines * most / LINES_EACH)
    told = {
        "writers": WRITERS,
        "calls": events / 2 / WRITERS,
        "lines": lines,
        "lines_each": LINES_EACH,
        "files_each": FILES_EACH,
        "scenarios": scenarios,
        "most": most,
    }
    files = {
        "pytest.ini": "[pytest]\n",
        "tracekit.toml": PROFILE.format(python=python),
        "flood.json": json.dumps(told),
        "test_flood.py": TEST,
        "writer.py": WRITER,
        "teller.py": TELLER,
    }
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    return FloodProject(root)
