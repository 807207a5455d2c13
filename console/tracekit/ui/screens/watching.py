"""The watch of the console: a save cancels the run that it made stale, and runs what it concerns.

What is chosen, and what counts as a save, is the engine's thought. Looked at frame by frame; nothing here waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from tracekit.engine.requests import Cancel, Launch
from tracekit.ui.ports import ViewFace, WatchFace
from tracekit.ui.screens.doing import Doing
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from tracekit.engine.saves import Save
    from tracekit.engine.watching import Choice

MOST_NAMED = 2


class Watch(Doing):
    """The console screen's side that follows saves."""

    _feed: WatchFace | None = None
    _during: str | None = None  # the run that the feed was told of
    _stale: str | None = None  # the run that was asked to stop for a save
    _choosing: Future[tuple[Choice, Launch]] | None = None

    def _forget(self) -> None:
        self._feed = self._during = self._stale = self._choosing = None
        self._saved: dict[str, Save] = {}
        self._answering: dict[str, Save] = {}
        self._asked: dict[str, tuple[str, ...] | None] = {}
        self._learnt: set[str] = set()

    @property
    def watching(self) -> bool:
        """Whether a save starts a run."""
        return self._feed is not None

    def action_watch(self) -> None:
        """Watch the project, or stop watching it."""
        if self._feed is not None:
            self.stop_watching()
            self.say("not watching any more")
            return
        root = self.owner.root or (self.board.newest.root if self.board.newest is not None else "")
        if not root:
            self.say("this is a recorded run: there is no project to watch")
            return

        def begin() -> None:
            self._forget()
            self._feed = self.ports.engine.watch(Launch(root, self.owner.profile, self.owner.environment))
            self.say("watching: a save runs what is marked, else what failed, else what it concerns")

        self._when_trusted(root, begin)

    def stop_watching(self) -> None:
        """A save starts nothing any more; a run that goes on goes on."""
        if self._feed is not None:
            self._feed.close()
            self._forget()

    def follow_saves(self) -> None:
        """One frame of it."""
        feed = self._feed
        if feed is None or not self._stands(feed):
            return
        live = self._live()
        running = live if live is not None and live.state.run.mode != "discover" else None
        self._tell_feed(feed, running)
        saves, theirs = feed.take()
        self._saved.update((save.path, save) for save in saves)
        if theirs:
            self.say(f"written by the tests, so not watched while they run: {_named(theirs)}")
        if self._choosing is not None:
            self._when_chosen(self._choosing)
        elif self._saved and running is not None:
            self._make_room(running)
        elif self._saved and self.stage == "idle" and not self._checking:
            ran = self._news()
            self._choosing = feed.choose(tuple(self._saved.values()), ran, sorted(self.scenarios.marks))
            self._answering, self._saved = self._saved, {}

    def _stands(self, feed: WatchFace) -> bool:
        """Whether saves are seen; where they cannot be, that is told and the watch is over."""
        if not feed.ready.done():
            return False
        error = feed.ready.exception()
        if error is None:
            return True
        self.stop_watching()
        self.say(_problem(error, "cannot watch: "), warn=True)
        return False

    def _tell_feed(self, feed: WatchFace, running: ViewFace | None) -> None:
        run_id = running.run_id if running is not None else None
        if run_id == self._during:
            return
        if self._during is not None:
            feed.end()
            if self._during == self._stale:
                # What it was to answer is not answered: the next run does.
                self._saved = {**self._answering, **self._saved}
        if run_id is not None:
            feed.begin()
        self._during = run_id

    def _make_room(self, running: ViewFace) -> None:
        """Cancel the run that the save made stale, once."""
        if self._stale != running.run_id:
            self._stale = running.run_id
            self.say(f"saved: {_named(list(self._saved))} → stopping the run that it made stale")
            self.cancel(Cancel(running.run_id))

    def _news(self) -> list[tuple[ViewFace, Sequence[str] | None]]:
        """Runs that have ended since the last choice, and what each was asked for."""
        ended = [
            view
            for view in self.board.views
            if not view.live and view.run_id not in self._learnt and view.state.run.mode != "discover"
        ]
        self._learnt.update(view.run_id for view in ended)
        return [(view, self._asked.get(view.run_id, ())) for view in ended]

    def _when_chosen(self, future: Future[tuple[Choice, Launch]]) -> None:
        if not future.done():
            return
        self._choosing = None
        error = future.exception()
        if error is not None:
            self.say(_problem(error), warn=True)
            return
        choice, launch = future.result()
        self.say(f"saved: {_named(list(self._answering))} → {choice.words}", warn=bool(choice.notices))
        if choice.ids == ():
            return

        def begun(view: ViewFace) -> None:
            self._asked[view.run_id] = choice.ids
            self._over(view)

        self._last = launch
        self.ask(launch, stage="launching", then=begun)


def _problem(error: BaseException, before: str = "") -> str:
    if isinstance(error, ProblemError):
        return f"{error.first.what} · {error.first.action}"
    return f"{before}{error}"


def _named(files: Sequence[str]) -> str:
    more = f" and {len(files) - MOST_NAMED} more" if len(files) > MOST_NAMED else ""
    return ", ".join(files[:MOST_NAMED]) + more
