"""What keys ask of the engine: discover, launch, rerun, cancel, attach, replay; and the editor.

One typed request for each; answers come through the frame pump. Nothing here waits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tracekit.engine.requests import Attach, Discover, Launch, Replay, Request, Rerun
from tracekit.model.runfacts import ELSEWHERE
from tracekit.model.words import ago
from tracekit.ui.board import Board
from tracekit.ui.panes.frames import own_frames
from tracekit.ui.panes.picks import Place
from tracekit.ui.ports import Opened, Ports, RunRow, ViewFace, same_root
from tracekit.ui.screens.stopping import Stopping
from tracekit.wire.ids import in_python
from tracekit.wire.problems import Problem

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tracekit.ui.app import ConsoleApp
    from tracekit.ui.widgets.detail import Detail
    from tracekit.ui.widgets.tree import ScenarioTree

UNTIL_FAILURE = 1000


class Doing(Stopping):
    """The console screen's side that acts."""

    owner: ConsoleApp
    ports: Ports
    board: Board
    scenarios: ScenarioTree
    detail: Detail
    stage: str
    problems: tuple[Problem, ...]
    _last: Launch | Rerun | None = None
    _adopted: ViewFace | None = None  # a run that was opened; its project becomes the console's
    _remembered: ViewFace | None = None  # what was found last time, until it is known whether it still holds
    refreshing = False  # what is shown was found earlier; what has changed since is being looked for

    if TYPE_CHECKING:

        def say(self, text: str, *, warn: bool = False, about: str = "") -> None: ...
        def use(self, board: Board, *, keep: bool = False) -> None: ...
        def show_state(self) -> None: ...
        def if_standing(self, do: Callable[..., Any], *given: Any) -> Callable[[], Any]: ...
        def come_back(self) -> None: ...
        def forget_journey(self) -> None: ...

    # -- asking the engine -------------------------------------------------------------------------------------------

    def ask(self, request: Request, *, stage: str, then: Callable[[ViewFace], None] | None = None) -> None:
        """Hand a request over; its run replaces the ones shown, unless `then` knows better."""
        self.stage = stage
        self.problems = ()
        future = self.ports.engine.submit(request)
        if isinstance(request, Launch | Rerun):
            self._begins = future
        self.owner.pump.expect(future, then or self._instead)
        self.show_state()

    def _instead(self, view: ViewFace, *, keep: bool = False) -> None:
        self.forget_journey()
        board = Board()
        board.push(view)
        self.stage = "idle"
        self.use(board, keep=keep)

    def _over(self, view: ViewFace) -> None:
        """Lay a run over the ones shown, which are of the same project."""
        self.come_back()
        newest = self.board.newest
        self.stage = "idle"
        if newest is None or not same_root(newest.root, view.root):
            self._instead(view)
        elif view.run_id not in {known.run_id for known in self.board.views}:
            self.board.push(view)

    def _found(self, view: ViewFace) -> None:
        """The project's scenarios; a run that was begun while they were looked for stays."""
        if self._live() is None:
            self._instead(view)
        self.stage = "idle"

    def _found_first(self, view: ViewFace) -> None:
        self._found(view)
        self._remembered = view
        self.owner.call_after_refresh(self.if_standing(self._painted_first, view))

    def _painted_first(self, view: ViewFace) -> None:
        """The first rows stand: whatever else takes time may begin."""
        view.shown.set()
        self.owner.find_live(self.owner.root, self._offer)
        self.look_behind()

    def look_behind(self) -> None:
        """Look for what has changed, once it is known that what was found last time does not hold any more."""
        view = self._remembered
        if view is None or view.stale is None:
            return
        self._remembered = None
        if view.stale:
            self.refreshing = True
            newer = Discover(self.owner.root, self.owner.profile, self.owner.environment, wait=True)
            self.owner.pump.expect(self.ports.engine.submit(newer), functools.partial(self._refreshed, view))

    def _refreshed(self, old: ViewFace, view: ViewFace) -> None:
        """Put what was found in the place of what was remembered, unless something else is shown by now."""
        self.refreshing = False
        if self.board.views == [old]:
            self._instead(view, keep=True)

    def _offer(self, row: RunRow | None) -> None:
        """A run goes on here that somebody else started, or this person before."""
        if row is not None and self._live() is None:
            answers = (("attach", "attach to it"), ("no", "not now"))
            self._ask_attach(row, answers, lambda _: None)

    def _ask_attach(
        self,
        row: RunRow,
        answers: tuple[tuple[str, str], ...],
        otherwise: Callable[[str | None], None],
    ) -> None:
        def answered(answer: str | None) -> None:
            if answer == "attach":
                self.ask(Attach(row.run_id), stage="opening", then=self._over)
            else:
                otherwise(answer)

        began = ago(row.started_t, self.ports.now())
        self.owner.ask("A run is going on here", (f"{row.run_id}, begun {began}",), answers, answered)

    def begin(self, request: Request, ahead: Future[ViewFace] | None = None) -> None:
        """The first request of the console; running the project's code may have to be allowed first.

        `ahead` is its answer, where it could be asked for before there was a screen.
        """
        if ahead is not None:
            self.stage = "discovering"
            self.owner.pump.expect(ahead, self._found_first)
            return
        stages = {Discover: "discovering", Replay: "opening", Attach: "opening", Launch: "launching"}
        stage = stages.get(type(request), "launching")
        if isinstance(request, Discover):
            self._when_trusted(request.root, lambda: self.ask(request, stage=stage, then=self._found_first))
        elif isinstance(request, Launch):
            self._when_trusted(request.root, lambda: self.ask(request, stage=stage))
        else:
            self.ask(request, stage=stage)

    def _when_trusted(self, root: str, go: Callable[[], None]) -> None:
        """Do it when the project's code may run; asks where that is not known."""
        if self.ports.trust.known(root):
            go()
            return

        def answered(answer: str | None) -> None:
            self._checking = False
            if answer == "yes":
                self.ports.trust.remember(root)
                self.stage = "idle"
                go()
                return
            self.stage = "untrusted" if self.board.newest is None else "idle"
            self.say("nothing was run: its code is not allowed to")
            self.show_state()

        self.stage, self._checking = "trust", True
        self.show_state()
        self.owner.ask_trust(root, answered)

    def action_discover(self) -> None:
        """Look for scenarios again."""
        if not self.owner.root:
            self.say("this is a recorded run: there is no project to look in")
        elif not self._busy():
            request = Discover(self.owner.root, self.owner.profile, self.owner.environment, refresh=True)
            self._when_trusted(request.root, lambda: self.ask(request, stage="discovering", then=self._found))

    # -- running -----------------------------------------------------------------------------------------------------

    def _busy(self) -> bool:
        view = self._live()
        if view is not None and view.state.run.mode != "discover":
            self.say("a run is going on: X stops it")
            return True
        if self._checking or self.stage == "launching":
            self.say("one moment: the last one is still being asked for")
            return True
        return False

    def run(self, request: Launch | Rerun, what: str, tab: str = "") -> None:
        """Start a run over what is shown, and remember it for `.`; asks first what has to be asked; shows a tab."""
        if self._busy():
            return
        newest = self.board.newest
        if isinstance(request, Rerun) and any(
            view.imported for view in self.board.views if view.run_id == request.run
        ):
            self.say(f"{ELSEWHERE}; a runs what is here")
            return
        root = request.root if isinstance(request, Launch) else newest.root if newest is not None else ""

        def go() -> None:
            self._last = request
            if tab:
                self.detail.choose(tab)
            self.say(what, about="run")
            self.ask(request, stage="launching", then=self._over)
            self.beside.begin(request)

        def beside(row: RunRow | None) -> None:
            self._checking = False
            if self._called_off:
                self._called_off = False
                self.say("stopped before it began")
            elif row is None:
                go()
            else:
                answers = (
                    ("attach", "attach to it"),
                    ("start", "start another one beside it"),
                    ("no", "not now"),
                )
                self._ask_attach(row, answers, lambda answer: go() if answer == "start" else None)

        def check() -> None:
            if isinstance(request, Launch):
                self._checking, self._called_off = True, False
                self.owner.find_live(root, beside)
            else:
                go()

        self._when_trusted(root, check)

    def _ids(self, rows: Sequence[int]) -> tuple[str, ...]:
        """Ids to run: a sub-test runs with its test."""
        board = self.board
        ids: dict[str, None] = {}
        for row in rows:
            while board.parent[row] >= 0:
                row = board.parent[row]
            ids[board.ids[row]] = None
        return tuple(ids)

    def _again(self, ids: tuple[str, ...]) -> Launch | Rerun:
        view = self.board.newest
        parent = next(
            (known for known in reversed(self.board.views) if known.state.run.mode != "discover"), None
        )
        if parent is not None:
            return Rerun(parent.run_id, "ids", ids)
        return Launch(
            self.owner.root or (view.root if view else ""),
            self.owner.profile,
            self.owner.environment,
            ids=ids,
        )

    def _under_cursor(self) -> tuple[str, ...]:
        """What the cursor stands on; it stays there, whatever is told of these meanwhile."""
        self.scenarios.stay()
        return self._ids(self.scenarios.rows())

    def action_run_selected(self) -> None:
        """Run what the cursor stands on."""
        if ids := self._under_cursor():
            self.run(self._again(ids), f"running {len(ids)}")
        else:
            self.say("there is nothing to run on this row")

    def action_run_traced(self) -> None:
        """Run what the cursor stands on with its calls recorded, and show what is recorded."""
        ids = self._under_cursor()
        if not ids:
            self.say("there is nothing to run on this row")
            return
        if not any(map(in_python, ids)):
            self.say("calls are recorded of Python; other programs record what they say through the tracer")
            return
        self.run(self._again(ids)._replace(trace="calls"), f"running {len(ids)} with calls", "events")

    def action_run_until_failure(self) -> None:
        """Run what the cursor stands on again and again; each time is an attempt of its own."""
        if ids := self._under_cursor():
            what = f"running {len(ids)} until red, at most {UNTIL_FAILURE} times"
            self.run(self._again(ids)._replace(until_failure=UNTIL_FAILURE), what)
        else:
            self.say("there is nothing to run on this row")

    def action_run_failed(self) -> None:
        """Run what is red now, over the whole chain of reruns."""
        ids = self._ids(list(self.board.reds()))
        if ids:
            self.run(self._again(ids), f"running {len(ids)} failed")
        else:
            self.say("nothing has failed")

    def action_run_marked(self) -> None:
        """Run the marked rows."""
        ids = self._ids(
            [
                self.board.index[scenario]
                for scenario in sorted(self.scenarios.marks)
                if scenario in self.board.index
            ]
        )
        if ids:
            self.run(self._again(ids), f"running {len(ids)} marked")
        else:
            self.say("nothing is marked: m marks a row")

    def action_run_all(self) -> None:
        """Run everything."""
        root = self.owner.root or (self.board.newest.root if self.board.newest else "")
        self.run(Launch(root, self.owner.profile, self.owner.environment), "running everything")

    def action_run_again(self) -> None:
        """Run the last choice again."""
        if self._last is None:
            self.say("nothing was run from here yet")
        else:
            self.run(self._last, "running the same again")

    def action_debug(self) -> None:
        """Run the selected scenario in the foreground with its debugger; the console steps aside for it."""
        shown, ids = self.detail.attempt, self._ids([self.detail.row] if self.detail.row >= 0 else [])
        if shown is None or not ids:
            self.say("there is nothing to debug on this row: it has not run" if ids else "choose a scenario")
            return
        if shown[0].imported:
            self.say(ELSEWHERE)
            return
        view, debugger = shown[0], self.ports.debugger
        problem = self.owner.stepped_aside(lambda: debugger.debug(view.root, view.run_id, ids[0]))
        self.owner.refresh(layout=True)
        if problem is not None:
            self.say(f"{problem.what} · {problem.action}", warn=True)

    def action_mark(self) -> None:
        """Mark, and go on to the next row."""
        if not self.scenarios.rows():
            self.say("there is nothing to mark on this row")
            return
        self.scenarios.mark()
        self.scenarios.move("down")

    @property
    def itself(self) -> ViewFace | None:
        """The newest run itself, whatever moment of it is shown."""
        return self.board.newest

    # -- elsewhere ---------------------------------------------------------------------------------------------------

    def action_editor(self) -> None:
        """Open the line under the cursor, else the failing one, else the scenario's."""
        picked = self.detail.picked
        if isinstance(picked, Place):
            self.edit(picked.file, picked.line)
            return
        row = self.detail.row
        if row < 0 or self.board.newest is None:
            self.say("there is no code on this row")
            return
        facts, shown = self.board.facts[row], self.detail.attempt
        frames = own_frames(shown[1] if shown is not None else None)
        if frames:
            self.edit(frames[-1].file, frames[-1].line)
        else:
            self.edit(facts.file, facts.line)

    def edit(self, named: str, line: int) -> None:
        """Open a file as the machine that ran the selected scenario names it."""
        view = self.board.newest
        if view is None:
            return
        suite = self.board.facts[self.detail.row].suite if self.detail.row >= 0 else ""
        with view.lock:
            root = view.state.directory_of(suite) or view.root
        # The names are those of the machine that ran it.
        file = view.here(named) if named.startswith("/") else named
        # Of a box only what stands in the project here is opened: it may name any file.
        base = view.root if file != named else view.here(root)
        if view.elsewhere and not f"{base}/".startswith(f"{view.root}/"):
            base = view.root
        problem = self.owner.edit(base, file, max(1, line))
        if problem is not None:
            self.say(f"{problem.what} · {problem.action}", warn=True)

    def action_runs(self) -> None:
        """The list of runs."""
        self.owner.show_runs(self._chosen)

    def action_diff(self) -> None:
        """What changed in the run that is shown: against the one it was last held against, else the one before."""
        view = next(
            (known for known in reversed(self.board.views) if known.state.run.mode != "discover"), None
        )
        last = self.owner.compared
        if view is None:
            self.say("there is no run yet")
        elif last is not None and view.run_id in last[:2]:
            self.owner.compare(last[0], last[1], self._chosen, at=last[2])
        else:
            self.owner.compare_with_earlier(view.run_id, self._chosen)

    def action_trends(self) -> None:
        """How the selected scenario did lately, or the project."""
        view, row = self.board.newest, self.detail.row
        root = self.owner.open_root
        where = (view.state.run.environment if view is not None else "") or self.owner.environment or "local"
        scenario = self._ids([row])[0] if row >= 0 else ""
        self.owner.show_trends(root, where, self._chosen, scenario=scenario)

    def _chosen(self, opened: Opened | None) -> None:
        if opened is None:
            return
        run, live, scenario = opened

        def then(view: ViewFace) -> None:
            self._opened(view)
            if scenario:
                self.scenarios.come_to(scenario)

        self.ask(Attach(run) if live else Replay(run), stage="opening", then=then)

    def show_run(self, run: str, *, live: bool) -> None:
        """A recorded run, or one that goes on."""
        self._chosen(Opened(run, live, ""))

    def open_run(self, run_id: str, scenario: str) -> None:
        """Another run, at a scenario."""
        if any(view.run_id == run_id for view in self.board.views):
            self.say("this is that run")
            return

        self._chosen(Opened(run_id, False, scenario))

    def _opened(self, view: ViewFace) -> None:
        """The console goes over to the project of the run that was chosen."""
        self._instead(view)
        self._adopted = view
        self.adopt()

    def adopt(self) -> None:
        """Root, profile and environment of a run that was opened; those of a live one may come a moment later."""
        view = self._adopted
        if view is None:
            return
        with view.lock:
            run = view.state.run
            self.owner.root = view.root or run.root
            self.owner.profile, self.owner.environment = run.profile, run.environment or "local"
            self.owner.beside = ()
            if run.started_t:
                self._adopted = None

    def action_palette(self) -> None:
        """Actions by name."""
        self.owner.show_palette()

    def action_redraw(self) -> None:
        """Something else has written here."""
        self.owner.redraw()

    def action_help(self) -> None:
        """Every key."""
        self.owner.show_help()
