"""P16: old runs stay readable. A golden run of every released format is opened, listed, packed and brought in; a newer
major of anything is refused with both versions named.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.golden import differences, expected, folded, formats, run_of
from tests.torture.registry import Outcome
from tracekit.agent.system import Files
from tracekit.engine.history import History, open_path
from tracekit.model.fold import Fold
from tracekit.model.results import results
from tracekit.report.files import export_bundle
from tracekit.store import bundle
from tracekit.store.packing import pack
from tracekit.store.recorded import opened, packed
from tracekit.store.runs import RunFolder, RunStore
from tracekit.store.verify import verify
from tracekit.wire.problems import ProblemError

NOW_NS = 2 * 10**18


def main(scale: float) -> Outcome:
    """Every format, whatever the scale: there are few."""
    outcome = Outcome()
    refused = 0
    for form in formats():
        with tempfile.TemporaryDirectory() as base:
            stored(form, Path(base), outcome)
        for name, change in NEWER.items():
            with tempfile.TemporaryDirectory() as base:
                refused += newer(form, name, change, Path(base), outcome)
    outcome.figures = {"formats": len(formats()), "newer": refused, "differences": len(outcome.faults)}
    return outcome


def stored(form: str, base: Path, outcome: Outcome) -> None:
    """Every way to one run gives the same."""
    wanted = expected(form)
    store, other = RunStore(base / "state"), RunStore(base / "other")
    folder = placed(form, store)
    for problem in verify(folder).problems:
        outcome.fault(f"format {form}: verify: {problem}")
    view = History(store).open(folder)
    packed = base / "run.bundle"
    export_bundle(folder, str(packed))
    brought, _ = bundle.bring_in(other, packed, NOW_NS)
    restored = Fold.restore(view.checkpoint()[0])
    ways = {
        "opened": folded(view),
        "by path": folded(open_path(folder.path)),
        "from a bundle": folded(open_path(packed)),
        "imported": folded(History(other).open(brought)),
    }
    for way, got in ways.items():
        for text in differences(wanted, got):
            outcome.fault(f"format {form}, {way}: {text}")
    if list(results(restored.state)) != list(results(view.state)):
        outcome.fault(f"format {form}: a checkpoint of it gives other results")
    (row,) = History(store).summaries()
    if row.counts != {word: count for word, count in wanted["counts"].items() if count}:
        outcome.fault(f"format {form}: listed with {row.counts}")


def placed(form: str, store: RunStore) -> RunFolder:
    """The golden run as a run of a store."""
    source = run_of(form)
    store.runs_dir.mkdir(parents=True)
    return RunFolder(Path(shutil.copytree(source, store.runs_dir / source.name)), source.name)


def newer(
    form: str, name: str, change: Callable[[RunFolder], tuple[str, str]], base: Path, outcome: Outcome
) -> int:
    """A newer major of one thing is refused by whatever opens the run; both versions are in the words."""
    store = RunStore(base / "state")
    folder = placed(form, store)
    theirs, ours = change(folder)
    told = ""
    try:
        with contextlib.suppress(OSError):
            History(store).open(folder)
    except ProblemError as problem:
        told = problem.first.what
    if theirs not in told or ours not in told:
        outcome.fault(f"format {form}, newer {name}: {told or 'opened'}")
        return 0
    (row,) = History(store).summaries()
    if row.reason != "damaged" and row.counts:
        outcome.fault(f"format {form}, newer {name}: listed with {row.counts}")
    return 1


def newer_run(folder: RunFolder) -> tuple[str, str]:
    file = folder.path / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": "tracekit.run/2"}))
    return "tracekit.run/2", "tracekit.run/1"


def newer_lines(folder: RunFolder) -> tuple[str, str]:
    with opened(folder.journal) as file:
        lines = file.read()
    folder.journal.write_bytes(lines.replace(b'{"v":1,', b'{"v":2,'))
    if packed(folder.journal).exists():
        packed(folder.journal).unlink()
        pack(folder.box_dir, Files(), smallest=0)
    return "version 2", "version 1"


NEWER: dict[str, Callable[[RunFolder], tuple[str, str]]] = {"run": newer_run, "lines": newer_lines}
