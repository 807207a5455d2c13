"""Retention at work: after each run, and when somebody asks. It reads the catalogue, and runs only to remove them.
Old runs are packed while another one goes on, never at its end: nobody waits for it.

A disk or a configuration that is at fault keeps more than it should; it never fails a run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace

from tracekit.engine.history import History, Progress
from tracekit.store.allowance import MOST
from tracekit.store.catalogue import RunSummary
from tracekit.store.keeping import (
    Limits,
    Needed,
    Swept,
    clear_parts,
    pack_run,
    remove,
    superfluous,
    sweep,
    to_pack,
)
from tracekit.store.packing import DISK_FULL, Going
from tracekit.store.runs import RunFolder
from tracekit.wire.names import SPOOL_DIR
from tracekit.wire.problems import Problem, ProblemError

# A fraction of a second of work beside a run's own. `gc` packs the rest.
_RUNS_BESIDE = 4
_BYTES_BESIDE = 32 << 20
_ENDLESS = 1 << 62


def limits(environ: Mapping[str, str]) -> Limits:
    """How much this user keeps; raises ProblemError when the configuration is at fault."""
    from tracekit.config.loader import load_user
    from tracekit.config.sizes import parse_size

    settings = load_user(environ)
    size = parse_size(settings.keep_size)
    return Limits(settings.keep_runs, settings.keep_for, Limits().bytes if size is None else size)


def copy_size(environ: Mapping[str, str]) -> int:
    """How much of one run a box may send; raises ProblemError when the configuration is at fault."""
    from tracekit.config.loader import load_user
    from tracekit.config.sizes import parse_size

    return parse_size(load_user(environ).copy_size) or MOST


class Keeper:
    """Lets go of runs that are over the limits."""

    def __init__(self, history: History, now_ns: Callable[[], int]) -> None:
        self._history = history
        self._now_ns = now_ns

    def after_a_run(self, environ: Mapping[str, str]) -> Swept | None:
        """Retention as a run's last act: quiet, and nothing at all where anything is wrong."""
        try:
            return self.sweep(limits(environ), packs=False)
        except (ProblemError, OSError):
            return None

    def beside_a_run(self, environ: Mapping[str, str], going: Going) -> Swept | None:
        """Pack a few runs that are seldom looked at, for as long as `going` says so: as quiet as `after_a_run`."""
        packed = Swept()
        try:
            every, _ = self._rows(self._history.catalogue.rows())
            kept = limits(environ)
            self._pack(every, kept, packed, runs=_RUNS_BESIDE, work=_BYTES_BESIDE, going=going)
        except (ProblemError, OSError):
            return None
        return packed

    def sweep(self, kept: Limits, *, dry: bool = False, packs: bool = True) -> Swept:
        """Let go of what is over the limits, and pack what is seldom looked at."""
        history = self._history
        every, unread = self._rows(history.catalogue.rows())
        if unread and sweep(history.store, every, kept, self._now_ns(), dry=True).removed:
            # Something is to go, and which is green and which is red is not known of all.
            every, _ = self._rows(history.asked(lambda catalogue: catalogue.rows()))
        packed = Swept()
        if packs:
            # First, since what is packed may fit.
            every = self._pack(every, kept, packed, dry=dry)
        swept = sweep(history.store, every, kept, self._now_ns(), dry=dry)
        swept.packed, swept.saved = packed.packed, packed.saved
        swept.problems += packed.problems
        if not dry:
            if packs:
                clear_parts(history.store)
            history.catalogue.forget(*(choice.row.run_id for choice in swept.removed))
        return swept

    def _pack(
        self,
        rows: list[RunSummary],
        kept: Limits,
        packed: Swept,
        *,
        dry: bool = False,
        runs: int = _ENDLESS,
        work: int = _ENDLESS,
        going: Going = lambda: True,
    ) -> list[RunSummary]:
        """Pack what there is time for, and weigh it again; the rows as they are then."""
        store, now = self._history.store, self._now_ns()
        removed_soon = {choice.row.run_id for choice in superfluous(rows, kept, now, _ENDLESS)}
        needed, weights = Needed(store.state), dict[str, int]()
        for row in to_pack(rows, now):
            if packed.packed == runs or not going():
                break
            if row.run_id in removed_soon:
                continue
            try:
                done, saved = pack_run(store, row, needed, now, most=work, dry=dry, going=going)
            except ProblemError as fault:
                packed.problems.extend(fault.problems)
                if fault.first.code == DISK_FULL:
                    break
                continue
            if done:
                packed.packed += 1
                packed.saved += saved
                work -= done
                if not dry:
                    weights[row.run_id] = RunFolder(store.runs_dir / row.run_id, row.run_id).disk_bytes()
        self._history.catalogue.weigh(weights)
        return [replace(row, disk_bytes=weights.get(row.run_id, row.disk_bytes)) for row in rows]

    def _rows(self, known: dict[str, RunSummary]) -> tuple[list[RunSummary], bool]:
        """A row for every run, and whether some of them have an end that nobody has read."""
        folders = self._history.store.folders()
        unread = any(
            folder.run_id not in known and not (folder.box_dir / SPOOL_DIR).is_dir() for folder in folders
        )
        return [_row(known.get(folder.run_id), folder) for folder in folders], unread

    def delete(self, folders: list[RunFolder], *, pinned: bool = False) -> int:
        """Remove exactly these, or none: raises ProblemError naming every run that must stay. Gives the bytes."""
        needed, problems = Needed(self._history.store.state), []
        for folder in folders:
            ended = self._history.summary(folder).ended
            reason = needed.reason(folder, ended, self._now_ns())
            if reason:
                problems.append(_held(folder, reason))
            elif folder.pinned is not None and not pinned:
                why = f": {folder.pinned}" if folder.pinned else ""
                problems.append(
                    Problem(
                        "store.pinned",
                        f"the run is pinned{why}",
                        folder.run_id,
                        f"`tracekit pin {folder.run_id} --remove`, or say --pinned",
                    )
                )
        if problems:
            raise ProblemError(problems)
        freed = 0
        for folder in folders:
            freed += folder.disk_bytes()
            remove(folder)
            self._history.catalogue.forget(folder.run_id)
        return freed

    def rebuild(self, progress: Progress | None = None) -> int:
        """Throw away what can be made again, and make it again; gives the number of runs read."""
        history = self._history
        history.catalogue.destroy()
        folders = history.store.folders()
        for folder in folders:
            shutil.rmtree(folder.path / "checkpoints", ignore_errors=True)
        history.refresh(progress)
        return len(folders)


def _row(row: RunSummary | None, folder: RunFolder) -> RunSummary:
    """What retention needs to know of a run; one that the catalogue lacks is weighed, and not read."""
    if row is None or not row.ended:
        row = RunSummary(
            folder.run_id,
            "",
            None,
            "",
            None,
            0,
            0,
            ended=False,
            reason="",
            counts={},
            disk_bytes=folder.disk_bytes(),
        )
    return replace(row, pinned=folder.pinned, imported=folder.imported)


def _held(folder: RunFolder, reason: str) -> Problem:
    action = {"live": f"`tracekit cancel {folder.run_id}` ends it"}.get(reason, "")
    return Problem("store.needed", f"the run is still needed: {reason}", folder.run_id, action)
