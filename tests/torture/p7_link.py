"""Minutes of a real console and a real agent over SSH: runs one behind the other, their line cut again and again.

One console lives through all of them, in this very process; one daemon does on the box. Each is counted between two
runs, when nothing goes on.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support import sshd
from tests.support.pairs import Pair
from tests.torture.agents import wait
from tests.torture.boxes import PATIENCE, Lent
from tests.torture.registry import Outcome, scaled
from tests.torture.slopes import Limit, Slopes
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Launch
from tracekit.engine.view import RunView

RUNS, CUTS_PER_RUN, MINUTES = 100, 5, 15
SETTINGS = "MaxStartups 100:30:200\nLoginGraceTime 10\nSetEnv TRACEKIT_AGENT_IDLE=120"
# A daemon holds each run half a minute behind its end: as long as a short round takes, all of which would be slope.
SHORT_SETTINGS = " TRACEKIT_AGENT_REMEMBERED=1"
# The daemon, and of one connection the bridge below two shells.
AT_REST = 4
# A view that is kept would be thousands of blocks, a connection hundreds.
# Of threads that wait for work there are as many as once had some at the same time.
CONSOLE = {"fds": Limit(), "threads": Limit(besides=1), "tasks": Limit(), "blocks": Limit(0.002, 200)}
# Of its memory pages are touched for the first time now and then; and the C library keeps the room of the largest
# buffers that it had to give at once, which comes once, whenever a console first catches up with enough: three or four
# of a quarter of a MiB, or a MiB of Python's own.
AGENT = {"fds": Limit(), "threads": Limit(), "processes": Limit(), "kib": Limit(0.002, 128, step=1280)}
COUNTS = """
import pathlib, time

HERE = pathlib.Path(__file__).parent

def test_waits():
    number = 0
    while not (HERE / "gate").exists():
        number += 1
        print(f"<{number}>")
        time.sleep(0.005)
    (HERE / "count").write_text(str(number))

def test_leaves_a_file():
    (HERE / "left.log").write_text(str(time.time()))
"""


def minutes(base: Path, outcome: Outcome, scale: float) -> None:
    """So many runs as the scale says; the full figure takes its minutes, a part of it no longer than it needs."""
    runs = scaled(RUNS, scale, 12)
    box_base = base / "box"
    box_base.mkdir()
    console, agent = Slopes(CONSOLE), Slopes(AGENT)
    began = time.monotonic()
    settings = f"{SETTINGS}{SHORT_SETTINGS if scale < 1 else ''}\n"
    with sshd.box(box_base, settings=settings) as box:
        lent = Lent(box, *sshd.lend_pytest(box), base)
        pair = Pair(box, base / "home", lent.python, lent.library)
        pair.project(COUNTS)
        pair.trust()
        toml = pair.here / "tracekit.toml"
        toml.write_text(toml.read_text().replace("path_map", 'artefacts = ["left.log"]\npath_map'))
        places = Places(pair.sandbox.state, pair.sandbox.home / "cache" / "tracekit", pair.sandbox.environ)
        cuts, daemons = 0, set()
        with Engine(places) as engine:
            for number in range(runs):
                view = engine.submit(Launch(str(pair.here), environment="box7")).result(PATIENCE)
                cuts += _cut_again_and_again(lent, pair, view, outcome)
                _judge(pair, view, outcome)
                due = began + MINUTES * 60 * (number + 1) / runs if scale >= 1 else 0.0
                wait(lambda due=due: time.monotonic() >= due, MINUTES * 60)  # type: ignore[misc]
                daemons |= _at_rest(lent, outcome)
                console.take(**_of_console(engine))
                agent.take(**_of_agent(lent))
                if len(outcome.faults) > 5:
                    break
    if len(daemons) != 1:
        outcome.fault(f"{len(daemons)} daemons served, one behind the other")
    console.judge(outcome, "the console")
    agent.judge(outcome, "the agent")
    outcome.figures |= {
        "minutes": round((time.monotonic() - began) / 60, 1),
        "runs": len(console),
        "reconnects": cuts,
        **{f"console_{name}": console.told(name) for name in CONSOLE},
        **{f"agent_{name}": agent.told(name) for name in AGENT},
    }


def _cut_again_and_again(lent: Lent, pair: Pair, view: RunView, outcome: Outcome) -> int:
    """Break the line of a run that goes on; what is folded shows that it came back."""
    for cuts in range(1, CUTS_PER_RUN + 1):
        before = view.folded
        if not wait(lambda before=before: view.folded > before or view.done.is_set(), PATIENCE):  # type: ignore[misc]
            outcome.fault(f"{view.run_id}: nothing comes any more ({view.link})")
            break
        lent.cut()
        if not wait(lambda cuts=cuts: _resumed(view) >= cuts, PATIENCE):  # type: ignore[misc]
            outcome.fault(f"{view.run_id}: {cuts} cuts, and it came back {_resumed(view)} times")
            break
    (pair.there / "gate").touch()
    if not view.done.wait(PATIENCE):
        outcome.fault(f"{view.run_id}: no end ({view.link})")
    (pair.there / "gate").unlink()
    return _resumed(view)


def _resumed(view: RunView) -> int:
    """How often the console noted that it was back."""
    notes = view.box_dir.parent.glob("console-*.ndjson")
    return sum(note.read_bytes().count(b'"e":"box.resumed"') for note in notes)


def _judge(pair: Pair, view: RunView, outcome: Outcome) -> None:
    counts = {word: count for word, count in view.verdicts().items() if count}
    if counts != {"passed": 2}:
        outcome.fault(f"{view.run_id}: {counts} ({view.link}, {view.problem})")
        return
    output = (view.box_dir / "output.bin").read_bytes()
    told = output.count(b"<")
    if told != int((pair.there / "count").read_text()):
        outcome.fault(f"{view.run_id}: {told} lines came of {(pair.there / 'count').read_text()}")


def _at_rest(lent: Lent, outcome: Outcome) -> set[int]:
    """Wait until nothing but the daemon and one connection is left of a run; gives the daemon."""
    kept = lent.box.home / ".local" / "state" / "tracekit" / "box" / "runs"
    if not wait(lambda: not _busy(lent, kept), PATIENCE):
        commands = [Path(f"/proc/{pid}/cmdline").read_bytes()[:40] for pid in lent.processes()]
        outcome.fault(f"not at rest: {commands}, {[*kept.iterdir()]}")
    return set(lent.roles("daemon"))


def _busy(lent: Lent, kept: Path) -> bool:
    return bool(lent.roles("superv", "warden")) or any(kept.iterdir()) or len(lent.processes()) > AT_REST


def _of_console(engine: Engine) -> dict[str, float]:
    gc.collect()
    return {
        "fds": len([*Path("/proc/self/fd").iterdir()]),
        "threads": threading.active_count(),
        "tasks": _on_loop(engine, lambda: len(asyncio.all_tasks())),
        "blocks": sys.getallocatedblocks(),
    }


def _on_loop(engine: Engine, question: Callable[[], Any]) -> Any:
    if engine._portal is None:
        raise RuntimeError("the engine is closed")
    return engine._portal.call(question)


def _of_agent(lent: Lent) -> dict[str, float]:
    (daemon,) = lent.roles("daemon")
    place = Path(f"/proc/{daemon}")
    told = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
    return {
        "fds": len([*(place / "fd").iterdir()]),
        "threads": int(told["Threads"]),
        "processes": len(lent.processes()),
        "kib": int(told["VmRSS"].split()[0]),
    }
