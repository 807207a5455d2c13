"""One box as the engine holds it: a session that is opened when it is needed and opened again when it breaks.

A lost link is never a failed test: followers are told, and caught up when the session is back. Retries do not end by
themselves while somebody follows a run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import anyio
from anyio.abc import TaskGroup

from tracekit.agent.client import Client
from tracekit.engine.follow import Follower
from tracekit.link.pipes import Opener
from tracekit.link.session import Event, Session, connect
from tracekit.store.runs import LOCAL_BOX
from tracekit.wire.frames import FrameError
from tracekit.wire.names import E
from tracekit.wire.problems import Problem, ProblemError

_FIRST_RETRY = 0.05
_LONGEST_RETRY = 2.0
# An agent that cannot be reached this often in a row is a problem for who waits for an answer; followers wait on.
_PATIENCE = 4
_ANSWER = 10.0


class Box:
    """Connects to one agent, hands requests to it and its events to the followers."""

    def __init__(self, opener: Opener, console: str, *, name: str = LOCAL_BOX, copying: bool = False) -> None:
        self.name = name
        self.copying = copying
        self._opener = opener
        self._console = console
        self._followers: dict[str, Follower] = {}
        self._starts: dict[str, _Waiter] = {}
        self._attaches: dict[str, _Waiter] = {}
        self._session: Session | None = None
        self._ready = anyio.Event()
        self._wanted = anyio.Event()
        self._told = anyio.Event()
        self.facts: Event = {}

    async def serve(self) -> None:
        """Keep a session for as long as somebody needs one; runs until it is cancelled."""
        delay, failures = _FIRST_RETRY, 0
        while True:
            await self._wanted.wait()
            try:
                async with connect(self._opener, self._console) as session:
                    greeted = await self._converse(session)
                problem = _ended_early()
            except ProblemError as fault:
                greeted, problem = False, fault.first
            except (FrameError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as fault:
                greeted, problem = False, _ended_early(str(fault))
            self._session, self._ready = None, anyio.Event()
            # Somebody who still waits for an answer was not answered, whoever greeted us.
            answered = greeted and not self._starts and not self._attaches
            delay = _FIRST_RETRY if answered else min(delay * 2, _LONGEST_RETRY)
            failures = 0 if answered else failures + 1
            if failures >= _PATIENCE:
                self._give_up(problem)
            for follower in self._followers.values():
                if follower.view.link != "reconnecting":
                    follower.note(E.BOX_LOST)
                follower.view.mark("reconnecting")
            if not self._followers and not self._starts and not self._attaches:
                self._wanted = anyio.Event()
            await anyio.sleep(delay)

    async def start(self, message: dict[str, Any]) -> None:
        """Ask the agent to start a run and wait for its word; raises ProblemError when it refuses or is not there."""
        run = message["plan"]["run"]
        waiter = self._starts[run] = _Waiter(lambda client: client.start(message))
        try:
            await self._ask(waiter)
        finally:
            del self._starts[run]

    async def follow(self, follower: Follower, tasks: TaskGroup) -> None:
        """Attach to a run and fold it from now on; raises ProblemError when the agent does not know it."""
        run = follower.view.run_id
        self._followers[run] = follower
        waiter = self._attaches[run] = _Waiter(_attach(follower))
        try:
            await self._ask(waiter)
        except ProblemError:
            self._followers.pop(run, None)
            # A run may end between its start and this: the agent has let go of it, and everything is on the disk.
            if not follower.read_ended():
                raise
            return
        finally:
            del self._attaches[run]
        tasks.start_soon(self._until_ended, follower)

    async def cancel(self, run: str, scenario: str | None) -> None:
        """Ask for the end of a run or of one scenario."""
        self._wanted.set()
        while True:
            await self._ready.wait()
            session = self._session
            if session is None:
                continue
            try:
                await session.send(lambda client: client.cancel(run, scenario))
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                await anyio.sleep(_FIRST_RETRY)
                continue
            return

    async def live_runs(self) -> list[dict[str, Any]]:
        """The runs that the agent has now; none when it does not answer."""
        self._wanted.set()
        with anyio.move_on_after(_ANSWER):
            await self._ready.wait()
            told = self._told = anyio.Event()
            if self._session is not None:
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    await self._session.send(lambda client: client.runs())
                    await told.wait()
        runs = self.facts.get("runs")
        return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []

    async def _until_ended(self, follower: Follower) -> None:
        await follower.run()
        self._followers.pop(follower.view.run_id, None)
        session = self._session
        if self.copying and follower.end and session is not None:
            # Everything is here now: the box need not keep it. What it does not hear now it forgets by itself.
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                await session.send(lambda client: client.retire(follower.view.run_id))

    async def _ask(self, waiter: _Waiter) -> None:
        self._wanted.set()
        if self._session is not None:
            try:
                await self._session.send(waiter.say)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                pass  # the next session says it again
        await waiter.answered.wait()
        if waiter.problems:
            raise ProblemError(waiter.problems)

    async def _converse(self, session: Session) -> bool:
        greeted = False
        async for event in session.events():
            if event["type"] == "hello":
                greeted = True
                self.facts = event
                self._session = session
                await self._resume(session)
                self._ready.set()
            else:
                self._take(event)
        return greeted

    async def _resume(self, session: Session) -> None:
        for waiter in (*self._starts.values(), *self._attaches.values()):
            await session.send(waiter.say)
        for run, follower in self._followers.items():
            if run not in self._attaches:
                await session.send(_attach(follower))
            if follower.view.link == "reconnecting":
                follower.note(E.BOX_RESUMED)
                follower.view.mark("attached")

    def _take(self, event: Event) -> None:
        run = str(event.get("run", ""))
        kind = event["type"]
        if kind == "started" and run in self._starts:
            self._starts[run].answer()
        elif kind == "lengths" and run in self._followers:
            follower = self._followers[run]
            if follower.view.link == "connecting":
                follower.note(E.BOX_CONNECTED)
                follower.view.mark("attached")
            follower.lengths(event)
            if run in self._attaches:
                self._attaches[run].answer()
        elif kind in {"file", "data"} and run in self._followers:
            self._followers[run].arrived(event)
        elif kind == "runs":
            self.facts["runs"] = event.get("runs")
            self._told.set()
        elif kind == "error":
            self._refused(event, run)

    def _refused(self, event: Event, run: str) -> None:
        problems = [Problem.from_json(each) for each in event.get("problems", ()) if isinstance(each, dict)]
        problems = problems or [_ended_early()]
        table = {"START": self._starts, "ATTACH": self._attaches}.get(str(event.get("for")))
        if table is not None and run in table:
            table[run].answer(problems)
        elif table is not None and run in self._followers:
            # The agent lets go of a run that has ended: what is on the disk decides whether this one is lost.
            self._followers[run].let_go(problems[0])
        elif table is None and event.get("for") != "CANCEL":
            # Not about one run: the agent itself cannot work, so nobody who waits will get an answer.
            self._give_up(*problems)

    def _give_up(self, *problems: Problem) -> None:
        for waiter in (*self._starts.values(), *self._attaches.values()):
            waiter.answer(list(problems))


class _Waiter:
    def __init__(self, say: Callable[[Client], None]) -> None:
        self.say = say
        self.answered = anyio.Event()
        self.problems: list[Problem] = []

    def answer(self, problems: list[Problem] | None = None) -> None:
        if not self.answered.is_set():
            self.problems = problems or []
            self.answered.set()


def _attach(follower: Follower) -> Callable[[Client], None]:
    run, copy = follower.view.run_id, follower.copy
    if copy is None:
        return lambda client: client.attach(run, "inplace")
    return lambda client: client.attach(run, "copy", files=copy.held())


def _ended_early(why: str = "") -> Problem:
    detail = f": {why}" if why else ""
    return Problem(
        "link.agent_gone",
        f"the agent does not answer{detail}",
        "",
        "`tracekit doctor` checks this installation",
    )
