"""Runs that are on the disk: listed from the catalogue, opened from a checkpoint or by folding their journal.

What is shown of an ended run is folded from the same lines as when it was live; the reader cannot tell the difference.
"""

from __future__ import annotations

from pathlib import Path

from tracekit.engine.follow import fold_file
from tracekit.engine.view import RunView
from tracekit.store import checkpoints
from tracekit.store.catalogue import Catalogue, RunSummary
from tracekit.store.runs import RunFolder, RunStore, damaged
from tracekit.wire.ids import is_run_id
from tracekit.wire.names import JOURNAL_FILE, SPOOL_DIR
from tracekit.wire.problems import Problem, ProblemError

# A smaller journal folds faster than a checkpoint is found.
_WORTH_A_CHECKPOINT = 512 * 1024


class History:
    """Reads what is recorded; writes only what can be rebuilt."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._catalogue = Catalogue(store.state)

    def summaries(self, limit: int | None = None) -> list[RunSummary]:
        """The runs of this machine, newest first; rows that the catalogue lacks are folded now."""
        folders = self._store.folders()[:limit]
        if not folders:
            return []
        rows = self._catalogue.rows()
        found: list[RunSummary] = []
        for folder in folders:
            row = rows.get(folder.run_id)
            if row is None or not row.ended:
                row = self._fold_row(folder)
            if row is not None:
                found.append(row)
        return found

    def open(self, folder: RunFolder) -> RunView:
        """A recorded run as a view; raises ProblemError when it is damaged beyond opening."""
        facts = folder.facts()
        view = RunView(folder.run_id, str(facts.get("root", "")), folder.box_dir, link="replay")
        if not folder.journal.is_file():
            raise ProblemError(damaged(folder.run_id, "the journal is missing", str(folder.journal)))
        held = checkpoints.load(folder)
        if held is not None:
            view.resume(*held)
        try:
            fold_file(view, folder.journal)
        except OSError as fault:
            what = f"the journal cannot be read: {fault.strerror or fault}"
            raise ProblemError(damaged(folder.run_id, what, str(folder.journal))) from fault
        if held is None:
            self.remember(folder, view)
        return view

    def replay(self, target: str) -> RunView:
        """Open a run by its name, or any journal or run directory by its path."""
        path = Path(target)
        if is_run_id(target) or not path.exists():
            return self.open(self._store.find(target))
        return open_path(path)

    def remember(self, folder: RunFolder, view: RunView) -> None:
        """Write what makes the next look cheap: the catalogue's row, and a checkpoint of a long run."""
        with view.lock:
            state = view.state
            row = _summary(folder, view)
            if state.run.ended:
                self._catalogue.put(row, state)
        if view.folded > _WORTH_A_CHECKPOINT and state.run.ended:
            checkpoints.save(folder, *view.checkpoint())

    def _fold_row(self, folder: RunFolder) -> RunSummary | None:
        try:
            view = self.open(folder)
        except ProblemError:
            try:
                facts = folder.facts()
            except ProblemError:
                facts = {}
            return RunSummary(
                folder.run_id,
                str(facts.get("root", "")),
                None,
                "",
                None,
                0,
                0,
                ended=False,
                reason="damaged",
                counts={},
            )
        return _summary(folder, view)


def open_path(path: Path) -> RunView:
    """A view over a journal file, a box's directory or a whole run directory anywhere on the disk."""
    candidates = (path,) if path.is_file() else (path / JOURNAL_FILE, path / "local" / JOURNAL_FILE)
    for journal in candidates:
        if journal.is_file():
            view = RunView(path.stem if path.is_file() else path.name, "", journal.parent, link="replay")
            try:
                fold_file(view, journal)
            except OSError as fault:
                raise ProblemError(
                    Problem(
                        "replay.unreadable", f"cannot be read: {fault.strerror or fault}", str(journal), ""
                    )
                ) from fault
            view.run_id = view.state.run.run_id or view.run_id
            view.root = view.state.run.root or ""
            return view
    raise ProblemError(
        Problem("replay.not_a_run", "holds no journal", str(path), "name a run directory or a journal.ndjson")
    )


def _summary(folder: RunFolder, view: RunView) -> RunSummary:
    run = view.state.run
    return RunSummary(
        run_id=folder.run_id,
        root=run.root or view.root,
        profile=run.profile,
        environment=run.environment or "local",
        parent=run.parent,
        started_t=run.started_t or 0,
        ended_t=run.ended_t or 0,
        ended=run.ended,
        reason=run.reason or "",
        counts={word: count for word, count in view.state.counts.items() if count},
        journal_bytes=view.folded,
        # The agent takes the spool away when it lets go of a run.
        live=not run.ended and (folder.box_dir / SPOOL_DIR).is_dir(),
    )
