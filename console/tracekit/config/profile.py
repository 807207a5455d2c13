"""What a profile says, checked: frozen, hashable, without a single secret value and without a word of TOML.

Values of variables stay out of every repr, because a literal may be a secret that nobody marked. Named tuples where
nothing is hidden, because making a dataclass costs a start-up four times as much.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a suite: a literal, or where a secret comes from. No tuple: nothing shows its value by accident."""

    name: str
    value: str | None = field(default=None, repr=False)
    source: str | None = None  # "env:NAME" or "file:PATH" of a declared secret
    where: str = ""  # file:line:key

    @property
    def secret(self) -> bool:
        return self.source is not None


class Suite(NamedTuple):
    name: str
    runner: str = "pytest"
    cwd: str = "."  # relative to the profile's root
    paths: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    python: str | None = None
    env: tuple[Variable, ...] = ()
    env_file: str | None = None
    run: tuple[str, ...] = ()
    report: tuple[str, str] | None = None  # a format, and where it is written
    list: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    isolation: str | None = None
    features: tuple[tuple[str, ...], ...] = ()  # of a cell of a matrix only its own
    cargo_profiles: tuple[str, ...] = ()
    timeout: float | None = None
    soft_timeout: float | None = None
    slow: float | None = 5.0
    stall: float | None = 30.0
    needs: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()
    idempotent: bool = False
    isolate: tuple[str, ...] = ()
    trace: str | None = None
    trace_include: tuple[str, ...] = ()
    trace_exclude: tuple[str, ...] = ()
    trace_ring: str = "1MiB"
    where: str = ""
    why: str = ""  # of the runner, where nobody named one
    optional: bool = False  # found beside others by nobody's wish: it is left out where its tool is not there


#: What a run would choose for a service that it starts.
OF_A_RUN = ("{port}", "{tmp}")


class Check(NamedTuple):
    """How a service is asked whether it is well: exactly one of tcp, http, log and command."""

    tcp: str | None = None
    http: str | None = None
    log: str | None = None
    command: tuple[str, ...] = ()
    within: float = 30.0
    every: float = 2.0


class Service(NamedTuple):
    name: str
    start: tuple[str, ...]
    ready: Check | None = None
    health: Check | None = None
    needs: tuple[str, ...] = ()
    export: tuple[Variable, ...] = ()
    where: str = ""


class Environment(NamedTuple):
    name: str
    host: str | None = None
    user: str | None = None
    port: int | None = None
    fingerprint: str | None = None
    how: str = "sync"
    prepare: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    path_map: tuple[tuple[str, str], ...] = ()
    protected: bool = False
    services: tuple[Service, ...] = ()
    where: str = ""

    @property
    def remote(self) -> bool:
        return self.host is not None

    @property
    def exports(self) -> tuple[Variable, ...]:
        """What its services give to the tests; not what only a service has that a run starts: its port and folder."""
        given = (each for service in self.services for each in service.export)
        return tuple(each for each in given if not any(hole in (each.value or "") for hole in OF_A_RUN))


class Profile(NamedTuple):
    name: str | None  # of a bundled profile; None for a project's own
    root: str  # absolute: what every relative path is relative to
    source: str | None = None  # the file it stands in; None when found without configuration
    description: str = ""
    suites: tuple[Suite, ...] = ()
    environments: tuple[Environment, ...] = ()
    origins: Mapping[str, str] = NONE  # declared key -> file:line

    def suite(self, name: str) -> Suite | None:
        return next((suite for suite in self.suites if suite.name == name), None)

    def exporting(self, environment: str) -> Profile:
        """The profile as it is in an environment: its suites have what its services export, below what is their own."""
        where = self.environment(environment)
        given = where.exports if where is not None else ()
        if not given:
            return self
        return self._replace(suites=tuple(suite._replace(env=(*given, *suite.env)) for suite in self.suites))

    def environment(self, name: str) -> Environment | None:
        return next((environment for environment in self.environments if environment.name == name), None)
