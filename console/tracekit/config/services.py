"""The keys of a service: a process that tests need, how it is known to be ready, and how it is watched."""

from __future__ import annotations

from typing import Final

from tracekit.config.key import Key, Table

_WITHIN: Final = Key(
    "within",
    "duration",
    "How long it may take.",
    example='"30s"',
    default=30.0,
    rule="duration",
    low=0.1,
    high=3600,
)
_EVERY: Final = Key(
    "every",
    "duration",
    "How often it is asked.",
    example='"2s"',
    default=2.0,
    rule="duration",
    low=0.1,
    high=3600,
)
_TCP: Final = Key(
    "tcp",
    "string",
    "Ready when this `host:port` accepts a connection.",
    example='"127.0.0.1:{port}"',
    rule="tcp",
)
_HTTP: Final = Key(
    "http",
    "string",
    "Ready when this address answers with 2xx.",
    example='"http://127.0.0.1:{port}/health"',
    rule="http",
)
_COMMAND: Final = Key(
    "command",
    "strings",
    "Ready when this command exits with 0.",
    example='["pg_isready", "-p", "{port}"]',
    rule="argument",
)

READY: Final = Table(
    "env.NAME.service.NAME.ready",
    "How a started service is known to be ready: exactly one of tcp, http, log and command.",
    (
        _TCP,
        _HTTP,
        Key(
            "log",
            "string",
            "Ready when a line of its output matches this pattern.",
            example='"ready to accept"',
            rule="regex",
        ),
        _COMMAND,
        _WITHIN,
    ),
    one_of=("tcp", "http", "log", "command"),
)

HEALTH: Final = Table(
    "env.NAME.service.NAME.health",
    "How a running service is watched: exactly one of tcp, http and command.",
    (_TCP, _HTTP, _COMMAND, _EVERY),
    one_of=("tcp", "http", "command"),
)

SERVICE: Final = Table(
    "env.NAME.service.NAME",
    "A process that the tests need. `{port}` is a free port, `{tmp}` the run's temporary directory.",
    (
        Key(
            "start",
            "strings",
            "The command, as a list of arguments.",
            example='["./server", "--port", "{port}"]',
            rule="argument",
            required=True,
        ),
        Key(
            "ready",
            "table",
            "How it is known to be ready.",
            example='{ tcp = "127.0.0.1:{port}" }',
            table=READY,
        ),
        Key(
            "health",
            "table",
            "How it is watched while the tests run.",
            example='{ http = "http://127.0.0.1:{port}/", every = "2s" }',
            table=HEALTH,
        ),
        Key(
            "needs",
            "strings",
            "Services of the same environment that must be ready first.",
            example='["db"]',
            default=(),
            rule="name",
        ),
        Key(
            "export",
            "variables",
            "Variables that the tests get once it is ready.",
            example='{ API = "http://127.0.0.1:{port}" }',
            default=(),
        ),
    ),
)
