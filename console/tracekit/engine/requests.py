"""What can be asked of the engine: one frozen dataclass a request, imperative names.

A key in the console and a command on the command line become the same request. Nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from tracekit.engine.ahead import Begun

#: Suites by runner and name.
Looking = Callable[[Sequence[tuple[str, str]]], None]
RerunSet = Literal["failed", "outstanding", "all", "ids"]


class Discover(NamedTuple):
    """Find the scenarios of a project; from the cached inventory where its sources have not changed."""

    root: str
    profile: str | None = None
    environment: str = "local"
    refresh: bool = False
    #: What is kept, however old; the view says whether it still holds.
    at_once: bool = False
    #: Answer only when everything has been found.
    wait: bool = False
    #: Who asks wants only what these may mean: no other suite is built or asked.
    selectors: tuple[str, ...] = ()
    #: Is told which suites are asked, before they are.
    looking: Looking | None = None


class Launch(NamedTuple):
    """Run a project's scenarios: all of them, those that the selectors name, or exactly `ids`."""

    root: str
    profile: str | None = None
    environment: str = "local"
    selectors: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    seed: int | None = None
    parent: str | None = None
    run_lease: float | None = None
    retries: int = 0
    #: Again and again, up to so many times, until something is red.
    until_failure: int = 0
    shuffle: bool = False
    #: Ids and globs of what runs in a process of its own.
    isolate: tuple[str, ...] = ()
    #: How many scenarios of a suite run at once; 0 leaves it to its runner.
    at_once: int = 0
    #: off, default or calls; None leaves it to the configuration.
    trace: str | None = None
    #: Is told which suites are asked what they hold before the run can begin.
    looking: Looking | None = None
    #: The same request, begun before there was an engine: it is only followed.
    begun: Begun | None = None


class Rerun(NamedTuple):
    """Run scenarios of an earlier run again, as a child of it, with the same flags."""

    run: str
    which: RerunSet = "failed"
    ids: tuple[str, ...] = ()
    until_failure: int = 0
    #: Only these decide when it stops.
    watch: tuple[str, ...] | None = None
    #: Run `ids` in exactly this order, in one process.
    in_order: bool = False
    #: What it is a question of, where it is no run of its own: a search asks many.
    purpose: str = ""
    isolate: tuple[str, ...] = ()
    #: As of `Launch`; None repeats what the run had.
    trace: str | None = None


class Cancel(NamedTuple):
    """Stop a run, or only one of its scenarios, and leave no process of it."""

    run: str
    scenario: str | None = None


class Attach(NamedTuple):
    """Follow a run that goes on without this console; with an environment, one that another machine may have begun."""

    run: str
    root: str = ""
    profile: str | None = None
    environment: str | None = None


class Replay(NamedTuple):
    """Open a recorded run: a run id, or the path of a run directory or a journal."""

    target: str


Request = Discover | Launch | Rerun | Cancel | Attach | Replay
