"""Runs that are on the disk: listed from the catalogue, opened from a checkpoint or by folding their journal.

What is shown of an ended run is folded from the same lines as when it was live; the reader cannot tell the difference.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tracekit.store import recorded
from tracekit.store.runs import RunFolder, RunStore, chosen_of, damaged, known_version, purpose_of
from tracekit.wire.ids import is_run_id
from tracekit.wire.names import JOURNAL_FILE, PACKED, SPOOL_DIR
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.view import RunView
    from tracekit.model.comparing import Why
    from tracekit.model.results import Result
    from tracekit.store.catalogue import Catalogue, RunSummary

# A smaller journal folds in less time than it takes to write a checkpoint of it.
_WORTH_A_CHECKPOINT = 4 << 20
# Whoever waits for a run's end waits for its checkpoint, too: below this, who looks at the run first writes it.
_WORTH_A_WAIT = 32 << 20

Progress = Callable[[int, int], None]
Answer = TypeVar("Answer")


class History:
    """Reads what is recorded; writes only what can be rebuilt.

    A list that the catalogue can answer folds nothing, and loads nothing that folds.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """Loaded when it is asked for: a launch asks nothing of it before its end."""
        from tracekit.store.catalogue import Catalogue

        return Catalogue(self.store.state)

    def summaries(self, limit: int | None = None, progress: Progress | None = None) -> list[RunSummary]:
        """The runs of this machine, newest first; rows that the catalogue lacks are folded now."""
        folders = self.store.folders()
        shown = folders[:limit]
        if not shown:
            return []
        rows = self.catalogue.rows(limit)
        lacking = [folder for folder in shown if (row := rows.get(folder.run_id)) is None or not row.ended]
        rows |= self._read(lacking, progress)
        return [_marked(rows[folder.run_id], folder) for folder in shown]

    def refresh(self, progress: Progress | None = None) -> None:
        """Bring the catalogue up to the disk: it learns of runs that ended unseen, and forgets deleted ones."""
        folders = {folder.run_id: folder for folder in self.store.folders()}
        known = self.catalogue.ended()
        lacking = [folder for run_id, folder in folders.items() if run_id not in known]
        self._read(lacking, progress)
        self.catalogue.forget(*(run_id for run_id in known if run_id not in folders))

    def summary(self, folder: RunFolder) -> RunSummary:
        """One run's row."""
        row = self.catalogue.row(folder.run_id)
        return _marked(row if row is not None and row.ended else self._fold_row(folder), folder)

    def results(self, folder: RunFolder) -> list[Result]:
        """How every scenario of one run ended, or stands now; raises ProblemError when it is damaged."""
        row = self.catalogue.row(folder.run_id)
        if row is not None and row.ended:
            found = self.catalogue.results(folder.run_id)
            if found or not row.counts:
                return found
        from tracekit.model.results import results

        view = self.open(folder)
        with view.lock:
            return list(results(view.state))

    def whys(self, folder: RunFolder) -> dict[str, Why]:
        """Why each red scenario of a run is red, by the words of its cause; raises ProblemError when it is damaged."""
        from tracekit.model.comparing import Why

        view = self.open(folder)
        with view.lock:
            state = view.state
            return {
                state.ids[i]: Why(group.key, group.title) for group in state.causes() for i in group.indices
            }

    def asked(self, question: Callable[[Catalogue], Answer], progress: Progress | None = None) -> Answer:
        """Put a question to a catalogue that knows every ended run of this machine."""
        while True:
            before = self.catalogue.forgetful
            self.refresh(progress)
            try:
                answer = question(self.catalogue)
            except ProblemError:
                if self.catalogue.forgetful == before:
                    raise
                continue
            # Where its file was given up in between, it has forgotten what it knew before.
            if self.catalogue.forgetful == before:
                return answer

    def open(self, folder: RunFolder) -> RunView:
        """A recorded run as a view; raises ProblemError when it is damaged beyond opening."""
        from tracekit.engine.follow import fold_file
        from tracekit.engine.spots import paths_of
        from tracekit.engine.view import RunView
        from tracekit.store import checkpoints

        facts = folder.facts()
        view = RunView(folder.run_id, str(facts.get("root", "")), folder.box_dir, link="replay")
        view.paths = paths_of(facts)
        view.imported = bool(folder.imported)
        if not folder.has_journal:
            raise ProblemError(damaged(folder.run_id, "the journal is missing", str(folder.journal)))
        known_version(folder.journal)
        held = checkpoints.load(folder)
        if held is not None:
            view.resume(*held)
        try:
            fold_file(view, folder.journal)
        except OSError as fault:
            raise ProblemError(_unreadable(folder, fault)) from fault
        if view.state.run.ended:
            if not self.catalogue.knows(folder.run_id, view.folded):
                self.remember(folder, view, checkpoint=False)
            if held is None:
                _save(folder, view, _WORTH_A_CHECKPOINT)
        return view

    def replay(self, target: str) -> RunView:
        """Open a run by its name, or any journal or run directory by its path."""
        path = Path(target)
        if is_run_id(target) or not path.exists():
            return self.open(self.store.find(target))
        return open_path(path)

    def remember(self, folder: RunFolder, view: RunView, *, checkpoint: bool = True) -> None:
        """Write what makes the next look cheap: the catalogue's row, and a checkpoint of a long run."""
        from tracekit.model.results import results

        with view.lock:
            ended = view.state.run.ended
            row = _summary(folder, view)
            # Its place in the file is waited for without the lock: a screen looks at the same state.
            found = list(results(view.state)) if ended else []
        if not ended:
            return
        self.catalogue.put(row, found)
        if checkpoint:
            _save(folder, view, _WORTH_A_WAIT)

    def _read(self, folders: list[RunFolder], progress: Progress | None) -> dict[str, RunSummary]:
        found = {}
        with self.catalogue.kept_open():
            for number, folder in enumerate(folders, 1):
                if progress is not None:
                    progress(number, len(folders))
                found[folder.run_id] = self._fold_row(folder)
        return found

    def _fold_row(self, folder: RunFolder) -> RunSummary:
        try:
            view = self.open(folder)
        except ProblemError:
            try:
                facts = folder.facts()
            except ProblemError:
                facts = {}
            from tracekit.store.catalogue import RunSummary

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


def _save(folder: RunFolder, view: RunView, worth: int) -> None:
    """A checkpoint of a journal that is longer than `worth`."""
    if view.folded > worth:
        from tracekit.store import checkpoints

        checkpoints.save(folder, *view.checkpoint())


def _marked(row: RunSummary, folder: RunFolder) -> RunSummary:
    """What the directory itself says beside the catalogue."""
    pinned, imported = folder.pinned, folder.imported
    return replace(row, pinned=pinned, imported=imported) if pinned is not None or imported else row


def open_path(path: Path) -> RunView:
    """A view over a journal, a box's directory, a whole run directory or a bundle, anywhere on the disk."""
    if path.is_file():
        from tracekit.store.bundle import is_bundle

        if is_bundle(path):
            return _open_bundle(path)
    from tracekit.engine.follow import fold_file
    from tracekit.engine.view import RunView

    named = path.with_name(path.name.removesuffix(PACKED)) if path.is_file() else path
    candidates = (named,) if path.is_file() else (path / JOURNAL_FILE, path / "local" / JOURNAL_FILE)
    for journal in candidates:
        if recorded.there(journal):
            known_version(journal)
            view = RunView(journal.stem if path.is_file() else path.name, "", journal.parent, link="replay")
            try:
                fold_file(view, journal)
            except OSError as fault:
                raise ProblemError(
                    Problem(
                        "replay.unreadable",
                        f"cannot be read: {fault.strerror or fault}",
                        str(fault.filename or journal),
                        "name a run that is whole, or a copy of the file",
                    )
                ) from fault
            view.run_id = view.state.run.run_id or view.run_id
            view.root = view.state.run.root or ""
            return view
    raise ProblemError(
        Problem("replay.not_a_run", "holds no journal", str(path), "name a run directory or a journal.ndjson")
    )


def _open_bundle(path: Path) -> RunView:
    """A bundle as a view, unpacked for as long as somebody looks at it."""
    import shutil
    import tempfile
    import weakref

    from tracekit.store.bundle import unpack

    place = Path(tempfile.mkdtemp(prefix="tracekit-"))
    try:
        folder = unpack(path, place)
        view = _folded(folder)
        view.imported = True
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    weakref.finalize(view, shutil.rmtree, place, ignore_errors=True)
    return view


def _folded(folder: RunFolder) -> RunView:
    from tracekit.engine.follow import fold_file
    from tracekit.engine.view import RunView

    known_version(folder.journal)
    view = RunView(folder.run_id, str(folder.facts().get("root", "")), folder.box_dir, link="replay")
    try:
        fold_file(view, folder.journal)
    except OSError as fault:
        raise ProblemError(_unreadable(folder, fault)) from fault
    return view


def _unreadable(folder: RunFolder, fault: OSError) -> Problem:
    what = f"the journal cannot be read: {fault.strerror or fault}"
    return damaged(folder.run_id, what, str(fault.filename or folder.journal))


def _summary(folder: RunFolder, view: RunView) -> RunSummary:
    run = view.state.run
    facts: dict[str, Any] = {
        "git": run.git,
        "seed": run.seed,
        "python": {suite.name: suite.python_version for suite in run.suites},
        "framework": {suite.name: suite.framework for suite in run.suites},
    }
    with contextlib.suppress(ProblemError):
        if purpose := purpose_of(folder.facts()):
            facts["purpose"] = purpose
        if (chosen := chosen_of(folder.facts())) is not None:
            facts["chosen"] = chosen
    from tracekit.store.catalogue import RunSummary

    return RunSummary(
        run_id=folder.run_id,
        # Where the project is for whoever started it; a box may have it elsewhere.
        root=view.root or run.root,
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
        disk_bytes=folder.disk_bytes(),
        fingerprint=run.fingerprint,
        facts=facts,
    )
