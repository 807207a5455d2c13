"""The boxes of one console: this machine, and every other that a request names, each connected when first needed.

An SSH library is loaded only when a request names a machine. It holds no run and decides nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.abc import TaskGroup

from tracekit.config.paths import config_dir
from tracekit.engine.box import Box
from tracekit.engine.places import Places
from tracekit.engine.spots import spot
from tracekit.link.local import LocalLink
from tracekit.store.copies import copier

if TYPE_CHECKING:
    from tracekit.config.profile import Environment
    from tracekit.link.bridge import Bridge
    from tracekit.link.ssh import Asker, SshLink, Trust


class Ways:
    """How the machines of a person are reached: their configuration, their keys, and whom they trust."""

    def __init__(
        self,
        places: Places,
        *,
        asker: Asker | None = None,
        accept_new: bool = False,
        once: set[str] | None = None,
    ) -> None:
        self._places = places
        self._asker = asker
        self._accept_new = accept_new
        self._once: set[str] = once if once is not None else set()
        self._limits: dict[str, Any] = {}
        self._trust: Trust | None = None

    def link(self, host: str, user: str | None, port: int | None, pinned: str | None) -> SshLink:
        """The way to a machine, as this person may go it."""
        from tracekit.link.ssh import Address, SshLink

        return SshLink(
            Address(host, user, port, pinned),
            self._places.cache,
            self._trusted(),
            asker=self._asker,
            config=(self._home() / ".ssh" / "config", Path("/etc/ssh/ssh_config")),
            limits=self._limits,
        )

    def _trusted(self) -> Trust:
        if self._trust is None:
            from tracekit.link.hostkeys import HostKeys
            from tracekit.link.ssh import Trust

            own = Path(config_dir(self._places.environ)) / "known_hosts"
            others = (self._home() / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts"))
            self._trust = Trust(HostKeys(own, others), accept_new=self._accept_new, once=self._once)
        return self._trust

    def _home(self) -> Path:
        return Path(self._places.environ.get("HOME") or Path.home())


class Boxes(Ways):
    """Gives the box of an environment, the same one every time."""

    def __init__(
        self,
        places: Places,
        console: str,
        tasks: TaskGroup,
        *,
        asker: Asker | None = None,
        accept_new: bool = False,
        begun: Bridge | None = None,
        once: set[str] | None = None,
        pace: float = 0.0,
    ) -> None:
        super().__init__(places, asker=asker, accept_new=accept_new, once=once)
        self._console = console
        self._pace = pace
        self._tasks = tasks
        self._remote: dict[tuple[Any, ...], Box] = {}
        self._here = LocalLink(places.state, places.cache, idle=places.agent_idle, begun=begun)
        self.local = Box(self._here, console, pace=pace)
        tasks.start_soon(self.local.serve)

    def of(self, environment: Environment | None) -> Box:
        """The box of an environment; without a host it is this machine."""
        if environment is None or environment.host is None:
            return self.local
        return self._at(
            environment.name, environment.host, environment.user, environment.port, environment.fingerprint
        )

    def noted(self, facts: Mapping[str, Any]) -> Box:
        """The box of a run that was started earlier, by what `run.json` says of it."""
        found = spot(facts)
        return self.local if found is None else self._at(*found)

    async def settle(self) -> None:
        """Let every box hear what has been copied to its end."""
        self._here.close()
        for box in self._remote.values():
            await box.settle()

    def _at(self, name: str, host: str, user: str | None, port: int | None, pinned: str | None) -> Box:
        key = (name, host, user, port, pinned)
        if key not in self._remote:
            link = self.link(host, user, port, pinned)
            box = self._remote[key] = Box(
                link,
                self._console,
                name=name,
                copying=True,
                copier=functools.partial(copier, self._places.state, self._console),
                pace=self._pace,
            )
            self._tasks.start_soon(box.serve)
            self._tasks.start_soon(box.keep_time)
        return self._remote[key]
