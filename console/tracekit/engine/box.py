"""One box as the engine holds it: a session that is opened when it is needed and opened again when it breaks.

A lost link is never a failed test: followers are told, and caught up when the session is back. Retries do not end by
themselves while somebody follows a run.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from tracekit.agent.client import Client
from tracekit.engine.follow import Follower
from tracekit.engine.timing import Timing, fact
from tracekit.link.pipes import Opener
from tracekit.link.session import Event, Session, connect
from tracekit.store.runs import LOCAL_BOX
from tracekit.wire.frames import FrameError
from tracekit.wire.names import E
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.engine.bringing import Bringing

_FIRST_RETRY = 0.05
_LONGEST_RETRY = 2.0
# A login that a person has to mend: a server that counts failed ones must not lock that person out meanwhile.
_LONGEST_LOGIN = 60.0
_LOGIN = ("ssh.needs_a_person", "ssh.wrong_passphrase", "ssh.bad_key", "ssh.no_common", "ssh.config")
# An agent that cannot be reached this often in a row is a problem for who waits for an answer; followers wait on.
_PATIENCE = 4
# Of a box whose first word was never heard: asking again gets the same answer, and may lock a person out.
_GONE = "link.agent_gone"
_DISTRUST = ("ssh.host_", "ssh.denied", "box.odd_")
_FINAL = (
    "ssh.host_",
    "ssh.denied",
    "ssh.needs_a_person",
    "ssh.wrong_passphrase",
    "ssh.bad_key",
    "box.no_",
    "box.other_",
)
# How often what comes is tried to be kept: somebody may free space; more than may be taken does not get less.
_TRIES = {"store.copy": 15, "box.quota": 1}
_NOT_THERE = "agent.unknown_run"
# What may be under way at once: as much as a good line holds, so that nobody waits for acknowledgements. More than that
# lies in the buffers of sshd, which spends twice the time on moving it about.
_NARROW, _WIDE = 4 << 20, 16 << 20
_BYTES_A_SECOND = 200_000_000
_ANSWER = 10.0
# A few questions in a row, and again after so long: clocks drift, and people set them.
_QUESTIONS, _BETWEEN, _ASK_AGAIN = 4, 0.1, 10.0


class Box:
    """Connects to one agent, hands requests to it and its events to the followers."""

    def __init__(
        self,
        opener: Opener,
        console: str,
        *,
        name: str = LOCAL_BOX,
        copying: bool = False,
        copier: Callable[[], str] = str,
        pace: float = 0.0,
    ) -> None:
        self.name = name
        self._pace = pace
        self.copying = copying
        self._copier = copier
        self._reaches: set[_Waiter] = set()
        self._brings: dict[str, tuple[Bringing, _Waiter, TaskGroup]] = {}
        self._greeted = False
        # In their order: whose end is being told.
        self._settling: dict[Follower, anyio.Event] = {}
        self._opener = opener
        self._console = console
        self._followers: dict[str, Follower] = {}
        self._starts: dict[str, _Waiter] = {}
        self._attaches: dict[str, _Waiter] = {}
        self._session: Session | None = None
        self._ready = anyio.Event()
        self._wanted = anyio.Event()
        # Who waits for the agent's runs, in the order in which they asked: it answers in that order.
        self._told: deque[anyio.Event] = deque()
        self._timing = Timing()
        self._followed = anyio.Event()
        self.facts: Event = {}
        # The runs that an agent was asked for before it was heard.
        self._early: set[str] = set()
        # What the agent's bridge said was the matter with it.
        self._said: Problem | None = None
        # How often in a row it said what no agent says, and what had come until then.
        self._babbled, self._news = 0, -1

    async def serve(self) -> None:
        """Keep a session for as long as somebody needs one; runs until it is cancelled."""
        delay, failures = _FIRST_RETRY, 0
        while True:
            await self._wanted.wait()
            try:
                for follower in tuple(self._followers.values()):
                    await _look(follower)
                self._early = set()
                async with connect(self._opener, self._console, self._copier(), self._say_early) as session:
                    greeted = await self._converse(session)
                problem = self._said or _ended_early()
            except ProblemError as fault:
                greeted, problem = False, fault.first
            except FrameError as fault:
                greeted, problem = False, self._babble(fault)
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as fault:
                greeted, problem = False, _ended_early(str(fault))
            self._session, self._said, self._ready = None, None, anyio.Event()
            while self._told:
                self._told.popleft().set()  # what was asked on that line is not answered any more
            for waiter in self._waiting:
                waiter.said = False
            # Somebody who still waits for an answer was not answered, whoever greeted us.
            answered = greeted and not self._waiting
            longest = _LONGEST_LOGIN if problem.code.startswith(_LOGIN) else _LONGEST_RETRY
            delay = _FIRST_RETRY if answered else min(delay * 2, longest)
            failures = 0 if answered else failures + 1
            if failures >= _PATIENCE or (not self._greeted and problem.code.startswith(_FINAL)):
                self._give_up(problem)
            if self._greeted and problem.code.startswith(_DISTRUST):
                # Another key than before, or a box that lies: nothing more is said to it, and the person is told.
                self._stop_following(problem)
            for follower in self._followers.values():
                if follower.view.link != "reconnecting":
                    follower.note(E.BOX_LOST, {"offset": follower.view.folded})
                # A line that broke says nothing; what keeps it from coming back does.
                trouble = problem if problem.code != _GONE else None
                follower.view.mark("reconnecting", trouble=trouble)
            if not self._followers and not self._waiting:
                self._wanted = anyio.Event()
            await anyio.sleep(delay)

    async def keep_time(self) -> None:
        """Ask for the time now and then, while somebody follows a run; runs until it is cancelled."""
        while True:
            await self._followed.wait()
            await self._ready.wait()
            for _ in range(_QUESTIONS):
                if self._session is not None:
                    with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                        await self._session.send(self._ask_time)
                await anyio.sleep(_BETWEEN)
            if not self._followers:
                self._followed = anyio.Event()
            await anyio.sleep(_ASK_AGAIN if self._followers else 0.0)

    def _ask_time(self, client: Client) -> None:
        now = time.monotonic_ns()
        self._timing.asked(now)
        client.ping(now)

    @property
    def _window(self) -> int:
        """What may be under way on this line, as far as its length is known."""
        return max(_NARROW, min(_WIDE, self._timing.quickest * _BYTES_A_SECOND // 1_000_000_000))

    def _told_time(self, event: Event) -> None:
        now_t, now_m = time.time_ns(), time.monotonic_ns()
        found = self._timing.answered(event.get("t"), now_t, now_m, event.get("clock"))
        if self._session is not None:
            self._session.client.window = self._window
        if found is not None:
            for follower in self._followers.values():
                follower.note(E.CLOCK, fact(found))

    def wake(self) -> None:
        """Connect now: something will be asked in a moment."""
        self._wanted.set()

    async def start(self, message: dict[str, Any], *, said: bool = False) -> None:
        """Ask the agent to start a run and wait for its word; raises ProblemError when it refuses or is not there.

        What was `said` to it before there was a session is said again only by the next one.
        """
        run = message["plan"]["run"]
        waiter = self._starts[run] = _Waiter(lambda client: client.start(message), said=said)
        try:
            await self._ask(waiter)
        finally:
            del self._starts[run]

    async def bring(self, bringing: Bringing) -> str:
        """Have a project's files on the box, and give where they will stand; raises ProblemError."""
        waiter = _Waiter(lambda client: client.offer(bringing.offer()))
        try:
            async with anyio.create_task_group() as tasks:
                self._brings[bringing.run] = (bringing, waiter, tasks)
                # A refusal is raised behind the group, as itself.
                with contextlib.suppress(ProblemError):
                    await self._ask(waiter)
                tasks.cancel_scope.cancel()
        finally:
            self._brings.pop(bringing.run, None)
        if waiter.problems:
            raise ProblemError(waiter.problems)
        return waiter.word

    async def _send_files(self, session: Session, bringing: Bringing, needed: list[str]) -> None:
        """Send what is needed, piece by piece; a cut ends it, and the next offer begins where the box is then."""
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            for offset, data in bringing.pieces(needed):
                await session.send(functools.partial(_put, offset, data))

    async def follow(self, follower: Follower, tasks: TaskGroup) -> None:
        """Attach to a run and fold it from now on; raises ProblemError when the agent does not know it.

        Of one run there is one follower: whoever asks sees to it.
        """
        run = follower.view.run_id
        self._followers[run] = follower
        self._followed.set()
        await _look(follower)
        waiter = self._attaches[run] = _Waiter(self._attach(follower))
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
        self._settling[follower] = anyio.Event()
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

    async def call_off(self, run: str) -> None:
        """Ask for the end of a run where the agent may have heard of it: nobody waits for a box that was never told."""
        if self._ready.is_set() or run in self._early or run in self._followers:
            await self.cancel(run, None)

    @property
    def _waiting(self) -> list[_Waiter]:
        brings = (waiter for _, waiter, _ in self._brings.values())
        return [*self._starts.values(), *self._attaches.values(), *brings, *self._reaches]

    async def reach(self) -> Event:
        """Wait until the agent has greeted, and give what it said of its machine; raises ProblemError."""
        if not self._ready.is_set():
            waiter = _Waiter(lambda _: None)
            self._reaches.add(waiter)
            self._wanted.set()
            try:
                await waiter.answered.wait()
            finally:
                self._reaches.discard(waiter)
            if waiter.problems:
                raise ProblemError(waiter.problems)
        return self.facts

    async def live_runs(self) -> list[dict[str, Any]]:
        """The runs that the agent has now; none when it does not answer."""
        greeted = not self._ready.is_set()
        self._wanted.set()
        with anyio.move_on_after(_ANSWER):
            await self._ready.wait()
            if greeted:
                return self._runs()  # its first word says it, and has just come
            if self._session is not None:
                told = anyio.Event()
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    await self._session.send(functools.partial(self._ask_runs, told))
                    await told.wait()
        return self._runs()

    def _ask_runs(self, told: anyio.Event, client: Client) -> None:
        self._told.append(told)
        client.runs()

    def _runs(self) -> list[dict[str, Any]]:
        runs = self.facts.get("runs")
        return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []

    async def runs(self) -> list[dict[str, Any]]:
        """The runs that the agent has, live ones and those that wait for somebody; raises ProblemError."""
        await self.reach()
        return await self.live_runs()

    async def _until_ended(self, follower: Follower) -> None:
        try:
            await follower.run()
            if self._followers.get(follower.view.run_id) is follower:
                del self._followers[follower.view.run_id]
            session = self._session
            if self.copying and follower.end and session is not None and follower.whole:
                # Everything is here now: the box need not keep it. What it does not hear now it forgets by itself.
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    await session.send(lambda client: client.retire(follower.view.run_id))
        finally:
            self._settling.pop(follower).set()

    async def settle(self) -> None:
        """Wait until the box has been told of every run that has ended here."""
        for follower, settled in list(self._settling.items()):
            if follower.view.done.is_set():
                await settled.wait()

    async def _ask(self, waiter: _Waiter) -> None:
        self._wanted.set()
        if self._session is not None and not waiter.said:
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
                greeted = self._greeted = True
                self.facts = event
                self._session = session
                await self._resume(session)
                self._ready.set()
            elif event["type"] == "pong":
                self._told_time(event)
            else:
                await self._take(event)
        return greeted

    def _babble(self, fault: FrameError) -> Problem:
        """What came is not what an agent says: a fault once, and a liar when nothing better comes."""
        if self._session is None:
            return _ended_early(str(fault))
        news = sum(follower.news for follower in self._followers.values())
        self._babbled = self._babbled + 1 if news == self._news else 1
        self._news = news
        code = "box.odd_talk" if self._babbled >= _PATIENCE else "box.talk"
        action = "update the agent there, or look at what stands in its place"
        return Problem(code, f"the box says what no agent says: {fault}", self.name, action)

    def _say_early(self, client: Client) -> None:
        """What was followed before is followed again: that need not wait until the agent has greeted."""
        for run, follower in self._followers.items():
            if run not in self._attaches:
                self._early.add(run)
                self._attach(follower)(client)

    async def _resume(self, session: Session) -> None:
        for waiter in self._waiting:
            if not waiter.said:
                await session.send(waiter.say)
        for waiter in self._reaches:
            waiter.answer()
        for run, follower in tuple(self._followers.items()):
            if run not in self._attaches and run not in self._early:
                await _look(follower)
                await session.send(self._attach(follower))
            if follower.view.link == "reconnecting":
                follower.note(E.BOX_RESUMED, {"offset": follower.view.folded})
                follower.view.mark("attached")

    async def _take(self, event: Event) -> None:
        run = str(event.get("run", ""))
        kind = event["type"]
        if kind == "started" and run in self._starts:
            self._starts[run].answer()
        elif kind == "lengths" and run in self._followers:
            follower = self._followers[run]
            if follower.view.link == "connecting":
                follower.note(E.BOX_CONNECTED, {})
                if self._timing.noted is not None:
                    follower.note(E.CLOCK, fact(self._timing.noted))
                follower.view.mark("attached")
            follower.lengths(event)
            if run in self._attaches:
                self._attaches[run].answer()
        elif kind in {"file", "data"} and run in self._followers:
            if run in self._attaches:
                # Bytes are an answer, too: of a run that has ended, the word comes behind the last of them.
                self._attaches[run].answer()
            await self._arrived(self._followers[run], event)
        elif kind in {"need", "held"} and run in self._brings:
            bringing, waiter, senders = self._brings[run]
            if kind == "held":
                waiter.answer(word=str(event.get("root", "")))
            elif self._session is not None:
                needed = [str(name) for name in event.get("blobs") or ()]
                senders.start_soon(self._send_files, self._session, bringing, needed)
        elif kind == "runs":
            self.facts["runs"] = event.get("runs")
            if self._told:
                self._told.popleft().set()
        elif kind == "error":
            self._refused(event, run)

    async def _arrived(self, follower: Follower, event: Event) -> None:
        """Keep what came. What cannot be kept is tried again by a new session, but not for ever."""
        copy = follower.copy
        refused = len(copy.allowance.refused) if copy is not None else 0
        try:
            await follower.arrived(event)
            while copy is not None and copy.unsealed:
                await anyio.to_thread.run_sync(copy.seal, copy.unsealed.pop())
        except ProblemError as fault:
            problem = fault.first
            follower.faults += 1
            if follower.faults < _TRIES.get(problem.code, _PATIENCE) or problem.code.startswith(_DISTRUST):
                raise
            await self._leave(follower, problem)
            return
        if copy is not None and len(copy.allowance.refused) > refused:
            await self._tell(lambda client: client.stop(follower.view.run_id, copy.allowance.refused))

    async def _leave(self, follower: Follower, problem: Problem) -> None:
        """Follow one run no more, which goes on there; what else is on this box goes on here, too."""
        run = follower.view.run_id
        self._followers.pop(run, None)
        follower.note(E.BOX_LOST, {"offset": follower.view.folded})
        action = f"{problem.action}; the run on the box goes on: `tracekit attach {run}` brings the rest"
        follower.distrust(Problem(problem.code, problem.what, problem.where, action))
        await self._tell(lambda client: client.detach(run))

    async def _tell(self, say: Callable[[Client], None]) -> None:
        """Say something that need not be said again when nobody hears it."""
        if self._session is not None:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                await self._session.send(say)

    def _refused(self, event: Event, run: str) -> None:
        problems = [Problem.from_json(each) for each in event.get("problems", ()) if isinstance(each, dict)]
        problems = problems or [_ended_early()]
        if event.get("for") == "OFFER" and run in self._brings:
            self._brings[run][1].answer(problems)
            return
        table = {"START": self._starts, "ATTACH": self._attaches}.get(str(event.get("for")))
        if table is not None and run in table:
            table[run].answer(problems)
        elif table is not None and run in self._followers:
            follower = self._followers[run]
            follower.refused += 1
            if problems[0].code != _NOT_THERE and follower.refused < _PATIENCE:
                # A fault of the agent says nothing of the run: asked again, with everything else, by a new session.
                raise ProblemError(problems)
            # The agent lets go of a run that has ended: what is on the disk decides whether this one is lost.
            follower.let_go(problems[0])
        elif table is None and event.get("for") != "CANCEL":
            # Not about one run: the agent itself cannot work, so nobody who waits will get an answer.
            self._said = problems[0]
            self._give_up(*problems)

    def _attach(self, follower: Follower) -> Callable[[Client], None]:
        run, copy, window, pace = follower.view.run_id, follower.copy, self._window, self._pace
        if copy is None:
            return lambda client: client.attach(run, "inplace", pace=pace)
        return lambda client: client.attach(
            run, "copy", files=copy.held(), window=window, stop=copy.allowance.refused, pace=pace
        )

    def _stop_following(self, problem: Problem) -> None:
        for follower in list(self._followers.values()):
            follower.note(E.BOX_LOST, {"offset": follower.view.folded})
            follower.distrust(problem)
        self._followers.clear()
        self._give_up(problem)

    def _give_up(self, *problems: Problem) -> None:
        for waiter in self._waiting:
            waiter.answer(list(problems))


class _Waiter:
    def __init__(self, say: Callable[[Client], None], *, said: bool = False) -> None:
        self.say = say
        self.said = said
        self.answered = anyio.Event()
        self.problems: list[Problem] = []
        self.word = ""

    def answer(self, problems: list[Problem] | None = None, word: str = "") -> None:
        if not self.answered.is_set():
            self.problems = problems or []
            self.word = word
            self.answered.set()


def _put(offset: int, data: bytes, client: Client) -> None:
    client.put(offset, data)


async def _look(follower: Follower) -> None:
    """Read beforehand what an attach says of thousands of files."""
    if follower.copy is not None:
        await anyio.to_thread.run_sync(follower.copy.look)


def _ended_early(why: str = "") -> Problem:
    detail = f": {why}" if why else ""
    return Problem(
        _GONE,
        f"the agent does not answer{detail}",
        "",
        "`tracekit doctor` checks this installation",
    )
