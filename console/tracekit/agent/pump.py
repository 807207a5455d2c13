"""One run's course inside the daemon: spools into the recording, exits into the driver, its commands out.

What is decided is committed together with the lines it was decided from. A disk that refuses holds the recording back,
never the run: exits go on to the driver, and the batch waits. It starts and kills nothing itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, Optional

from tracekit.agent import progress
from tracekit.agent.driver import Command, Driver, Finish, Spawn, Write
from tracekit.agent.ingest import Ingest
from tracekit.agent.lastwords import LastWords
from tracekit.agent.recording import Batch, Recording, Restored
from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec
from tracekit.agent.stacks import Stacks, members, silent, voices
from tracekit.agent.system import RESERVE, System, free_space, read_range, read_tail
from tracekit.agent.waiting import place_of, waits_for
from tracekit.agent.watch import Alarm, Watch
from tracekit.wire.lines import LineError, decode
from tracekit.wire.names import E

TAIL = 8 * 1024
RETRY = 0.25
# How long the end of a run waits for a full disk before it is told without its journal line.
PATIENCE = 2.0
# An exit that the supervisor told us but cannot write down is believed after this long.
LOST_EXIT = 0.5
SPLIT = 4 << 20
#: So much of what a launch tells is looked through at a time: some milliseconds' work.
AHEAD = 1 << 20
#: With less room than this left, a process that died may have lost its last lines.
ROOM = 64 << 10
#: Of so many processes of a launch that hangs outside its tests the stacks are told.
MOST_ASKED = 4


class Pump:
    """Everything of a run that exists once its secrets are known."""

    def __init__(
        self,
        system: System,
        recording: Recording,
        ingest: Ingest,
        context: Context,
        adapter: Callable[[str], Adapter],
    ) -> None:
        self.recording = recording
        self.ingest = ingest
        self.driver = Driver(context.plan, context, adapter, self.facts_of, self._exit_of)
        self.wanted: list[LaunchSpec] = []
        self.finish: Optional[dict[str, Any]] = None
        self._clock = system.clock
        self._pending: Optional[Batch] = None
        # Launches were settled whose spools the disk had no room for.
        self._behind = False
        self._retry_at = 0.0
        self._finish_since = 0.0
        self._exits: dict[str, dict[str, Any]] = {}
        # What the current launch's spools were found to say so far.
        self._scanned = ("", progress.Scan())
        self._told: dict[str, tuple[float, dict[str, Any]]] = {}
        self._watch = Watch()
        self._stacks = Stacks(system)
        self._words = LastWords(system, ingest.directory)
        # What else is told just before the end.
        self.ending: Callable[[], list[dict[str, Any]]] = list

    # -- where it stands

    @property
    def stuck(self) -> bool:
        """Whether a batch waits for the disk."""
        return self._pending is not None

    @property
    def closed(self) -> bool:
        """Whether the end of the run stands in its journal."""
        return self.finish is not None and not self.stuck and not self._behind

    def overdue(self) -> bool:
        """Whether the end has waited for the disk long enough to be told without it."""
        return (
            self.finish is not None
            and not self.closed
            and self._clock.seconds() - self._finish_since > PATIENCE
        )

    def release(self) -> None:
        """Let go of everybody who is told of this run, or asks."""
        self.ending = list
        self._words.close()
        del self.driver

    def close(self) -> None:
        """Nothing more is read or written."""
        self._words.close()
        self.recording.close()

    def facts_of(self, launch: str) -> progress.Facts:
        """What a launch's processes have told by now."""
        paths = [spool.path for spool in self.ingest.of_launch(launch)]
        return self._scan(launch).look(paths) if launch == self.driver.launch else progress.scan(paths)

    def _scan(self, launch: str) -> progress.Scan:
        if launch != self._scanned[0]:
            self._scanned = (launch, progress.Scan())
        return self._scanned[1]

    def _look_ahead(self) -> None:
        """Look through what a long launch tells while it tells it: at its end everybody would wait for that."""
        launch = self.driver.launch
        spools = self.ingest.of_launch(launch)
        if sum(spool.read for spool in spools) - self._scan(launch).read >= AHEAD:
            self.facts_of(launch)

    # -- beginning

    def begin(self, first: list[dict[str, Any]], stop: str = "") -> None:
        """Write the first lines and decide the first launch, or that there will be none."""
        batch = Batch()
        batch.own += first
        self._apply(self.driver.stop(stop) if stop else self.driver.begin(), batch)

    def resume(self, restored: Restored, specs: dict[str, LaunchSpec]) -> None:
        """Go on where the journal says an earlier daemon was."""
        if restored.ended is not None:
            self.finish = restored.ended
        elif restored.driver is not None:
            self._past_exits(restored)
            self._apply(self.driver.restore(restored.driver, specs), Batch())

    def _past_exits(self, restored: Restored) -> None:
        """Exits whose lines were committed, but not what the driver made of them."""
        name = self.ingest.supervisor
        path = os.path.join(self.ingest.directory, name)
        data = read_range(path, 0, restored.at.get(name, 0)) if name else b""
        for line in data.splitlines():
            with contextlib.suppress(LineError):
                self._take_exit(decode(line))

    # -- going on

    def step(self) -> None:
        """Read what is new and act on it."""
        now = self._clock.seconds()
        self._retry(now)
        if self.driver.finished:
            return
        stuck = self.stuck
        batch = self._pending or Batch()
        base = self.recording.next_output
        for line in self.ingest.collect(batch, base, self.driver.launch, only_supervisor=stuck):
            self._take_exit(line)
        exited = self._exits.pop(self.driver.launch, None) or self._lost_exit(now)
        self._words.meet(self.ingest.words_of(self.driver.launch))
        if exited is not None:
            self._settle(exited, batch)
        elif not batch.empty:
            self._commit(batch)
            self._look_ahead()

    def alarms(self) -> list[Alarm]:
        """Attempts over their timeout, which are the caller's to end; the stacks of each are journalled before.

        One that stalls is only named, with its stacks; one over its soft timeout is asked to end by itself.
        """
        driver = self.driver
        if not driver.launch or driver.finished or driver.stopping or self.stuck:
            self._stacks.answers()  # whoever still looks at a process lets go of it
            return []
        launch, suite = driver.launch, driver.suite
        spools = self.ingest.of_launch(launch)
        now, mono = self._clock.seconds(), self._clock.mono()
        found = self._watch.look(
            now,
            mono,
            suite,
            spools,
            lambda: self.facts_of(launch),
            builds=driver.hosted,
            heard=self.ingest.heard(launch),
        )
        for alarm in found:
            if alarm.when:
                for pid in voices(spools)[:MOST_ASKED] or [""]:
                    self._stacks.ask(alarm._replace(pid=pid), pid, spools)
            elif alarm.limit != "soft" or not self._stacks.stop(alarm.pid, spools):
                compiled = str(suite.get("cwd", "")) if suite.get("runner") == "cargo" else ""
                self._stacks.ask(alarm, alarm.pid, spools, compiled)
        answers = self._stacks.answers()
        for alarm, stacks in answers:
            if alarm.when:
                self._note_outside(alarm, stacks)
                continue
            facts = {"scenario": alarm.scenario, "attempt": alarm.attempt, "since": alarm.since_t}
            waits = waits_for(stacks)
            self.note(
                {
                    "e": E.ATTEMPT_STALLED,
                    **facts,
                    "limit": alarm.limit,
                    "after": alarm.seconds,
                    "stacks": stacks,
                    **({"waits": waits} if waits else {}),
                }
            )
        root = str(driver.suite.get("cwd", ""))
        over = (answer for answer in answers if answer.alarm.limit == "timeout")
        return [alarm._replace(where=place_of(stacks, root)) for alarm, stacks in over]

    def _note_outside(self, alarm: Alarm, stacks: list[dict[str, Any]]) -> None:
        launch = self.driver.launch
        self.note(
            {
                "e": E.LAUNCH_STALLED,
                "suite": str(self.driver.suite.get("name", "")),
                "launch": launch,
                "when": alarm.when,
                "limit": alarm.limit,
                "after": alarm.seconds,
                "stacks": stacks,
                **silent(alarm.pid, self.ingest.of_launch(launch), self.facts_of(launch)),
            }
        )

    def members(self) -> list[tuple[int, int]]:
        """The processes of the current launch, each with its start."""
        return members(self.ingest.of_launch(self.driver.launch))

    def told_exit(self, message: dict[str, Any]) -> None:
        """The supervisor's word, in case its spool cannot hold it."""
        self._told[str(message.get("id"))] = (self._clock.seconds(), message)

    def stop(self, reason: str) -> None:
        """Launch nothing more."""
        self._apply(self.driver.stop(reason), self._pending or Batch())

    def stop_dead(self, reason: str) -> None:
        """Nothing of the run lives any more: what was written counts first, what is open is closed with the reason."""
        self.step()
        if self.driver.finished:
            return
        launch = self.driver.launch
        self.stop(reason)
        self.wanted.clear()
        if launch and not self.driver.finished:
            line = {
                "e": E.PHASE_ENDED,
                "phase": "launch",
                "id": launch,
                "exit": None,
                "signal": None,
                "why": reason,
            }
            batch = self._pending or Batch()
            batch.own.append(line)
            self._settle(line, batch)

    def note(self, line: dict[str, Any]) -> None:
        """Put a line of the agent's own into the journal."""
        batch = self._pending or Batch()
        batch.own.append(line)
        self._commit(batch)

    def _settle(self, exited: dict[str, Any], batch: Batch) -> None:
        """A launch is over: read all that its processes left, then let the driver decide."""
        launch = self.driver.launch
        # A process that a test took down wrote nothing more: what it had printed is written for it.
        # One that died at once may have come and gone since its folder was looked into.
        self.ingest.discover(batch, launch)
        self._words.tell(launch, self.ingest.words_of(launch), lambda: self.facts_of(launch))
        while not self.stuck and not self.ingest.drain(batch, self.recording.next_output, launch):
            if batch.output_size > SPLIT or sum(map(len, batch.lines)) > SPLIT:
                batch = Batch() if self._commit(batch) else batch
        if self.stuck:
            self._behind = True
        else:
            self.ingest.finish(batch, self.recording.next_output, launch)
        self._told.pop(launch, None)
        self._apply(self.driver.exited(exited, self._clock.mono()), batch)

    def _take_exit(self, line: dict[str, Any]) -> None:
        if line.get("e") == E.PHASE_ENDED and line.get("phase") == "launch":
            self._exits[str(line.get("id"))] = line

    def _lost_exit(self, now: float) -> Optional[dict[str, Any]]:
        told = self._told.get(self.driver.launch)
        return told[1] if told is not None and now - told[0] > LOST_EXIT else None

    def _exit_of(self, line: dict[str, Any]) -> Exit:
        base = os.path.join(self.ingest.directory, str(line.get("id")))
        return Exit(
            line.get("exit"),
            line.get("signal"),
            self._tail(f"{base}.out", TAIL),
            # A death's own words are long: the frames of all threads, and the names of every extension module.
            self._tail(f"{base}.err", 8 * TAIL),
            self.ingest.directory if self._starved() else "",
            self._full(),
        )

    def _full(self) -> bool:
        try:
            return free_space(self.ingest.directory) < ROOM
        except OSError:
            return True

    def _starved(self) -> bool:
        """Whether the disk was full for the tests: one of their processes takes then what was set aside for lines."""
        return not os.path.exists(os.path.join(self.ingest.directory, RESERVE))

    def _tail(self, path: str, most: int) -> bytes:
        """The end of what a launch printed, redacted before it is cut."""
        redactor = self.ingest.redactor
        return redactor.tail(read_tail(path, most + redactor.longest), most)

    def _apply(self, commands: list[Command], batch: Batch) -> None:
        for command in commands:
            if isinstance(command, Write):
                batch.own.append(command.line)
            elif isinstance(command, Spawn):
                self.wanted.append(command.spec)
            elif isinstance(command, Finish):
                self.finish = command.line
                self._finish_since = self._clock.seconds()
                batch.own += self.ending()
                # They leave out what no verdict depends on, even where everything of ours found room.
                self.recording.starved = self._starved()
                state = "incomplete" if self.recording.incomplete else "complete"
                batch.own.append({**command.line, "recording": state})
        batch.note["driver"] = self.driver.snapshot()
        self._commit(batch)

    # -- the disk

    def _commit(self, batch: Batch) -> bool:
        if self.recording.commit(batch):
            self._pending = None
            return True
        self._pending = batch
        self._retry_at = self._clock.seconds() + RETRY
        return False

    def _retry(self, now: float) -> None:
        if self._pending is not None and now >= self._retry_at:
            for line in self._pending.own:
                if line.get("e") == E.RUN_ENDED:
                    line["recording"] = "incomplete"
            self._commit(self._pending)
        if self._behind and not self.stuck:
            self._catch_up()

    def _catch_up(self) -> None:
        """What stood in spools while the disk was full is worth keeping, even behind the end."""
        while True:
            batch = Batch()
            self.ingest.rest(batch, self.recording.next_output)
            done = batch.empty
            if done:
                for launch in {spool.launch for spool in self.ingest.spools.values()} - {self.driver.launch}:
                    self.ingest.finish(batch, self.recording.next_output, launch)
            if not self._commit(batch):
                return
            if done:
                self._behind = False
                return
