"""Every key that may stand in a profile or in config.toml, once, for parser, editor schema and reference.

Data only. A key that is not here is a fault; a key that is here is understood by the rest of this room.
"""

from __future__ import annotations

from typing import Final

from tracekit.config.cargo import CARGO_KEYS
from tracekit.config.commands import COMMAND_KEYS
from tracekit.config.key import Key, Table
from tracekit.config.services import SERVICE

RUNNERS: Final = ("pytest", "unittest", "cargo", "go", "vitest", "jest", "mocha", "node", "command")
#: As people and its own manual call it.
ALSO_RUNNERS: Final = {"node:test": "node"}
#: What is close in meaning and not in letters.
MEANT_RUNNERS: Final = {
    "golang": "go",
    "go test": "go",
    "gotest": "go",
    "rust": "cargo",
    "cargo test": "cargo",
    "nextest": "cargo",
    "nodejs": "node",
    "node --test": "node",
    "shell": "command",
    "script": "command",
    "python": "pytest",
}
TRACES: Final = ("off", "default", "calls")


SECRET: Final = Table(
    "{ secret = true, from = … }",
    "A variable whose value stands elsewhere and never reaches a recording.",
    (
        Key(
            "secret", "boolean", "Always true: marks the variable as a secret.", example="true", required=True
        ),
        Key(
            "from",
            "string",
            "Where the value is read from when a run starts: `env:NAME` or `file:PATH`.",
            example='"env:DB_PASSWORD"',
            rule="source",
            required=True,
        ),
    ),
)

SUITE: Final = Table(
    "suite.NAME",
    "Tests that one runner runs together. Without any suite, suites are found without configuration.",
    (
        Key(
            "runner",
            "choice",
            "Which runner runs it. `node:test` is `node` by its longer name.",
            example='"command"',
            default="pytest",
            choices=RUNNERS,
            also=ALSO_RUNNERS,
            meant=MEANT_RUNNERS,
        ),
        Key(
            "python",
            "string",
            "The interpreter of the tests. Without it: the active venv, `.venv`, another one in the project, uv, pdm, "
            "poetry, hatch, pipenv, tox, conda, `python3`.",
            example='".venv/bin/python"',
            rule="program",
        ),
        Key(
            "cwd",
            "string",
            "Working directory, below the profile's directory.",
            example='"services/api"',
            default=".",
            rule="relative",
        ),
        Key(
            "paths",
            "strings",
            "What is handed to the runner to look for tests in.",
            example='["tests/api"]',
            default=(),
            rule="relative",
        ),
        Key(
            "ignore",
            "strings",
            "Paths left out of discovery.",
            example='["tests/api/slow"]',
            default=(),
            rule="relative",
        ),
        Key(
            "args",
            "strings",
            "Arguments that reach the runner untouched.",
            example='["-x"]',
            default=(),
            rule="argument",
        ),
        Key(
            "env",
            "variables",
            'Variables of the tests. A value is a string, or `{ secret = true, from = "env:NAME" }`.',
            example='{ LOG = "debug", DB_PASSWORD = { secret = true, from = "env:DB_PASSWORD" } }',
            default=(),
            table=SECRET,
        ),
        Key(
            "env_file",
            "string",
            "A file of `NAME=value` lines; `env` outweighs it.",
            example='".env.test"',
            rule="relative",
        ),
        *COMMAND_KEYS,
        *CARGO_KEYS,
        Key(
            "timeout",
            "duration",
            "A test that runs longer has its process killed and is `timedout`; the rest runs in another process.",
            example='"120s"',
            rule="duration_or_off",
            low=0.001,
            high=604800,
        ),
        Key(
            "soft_timeout",
            "duration",
            "A test that runs longer is ended inside its process, as `timedout`: its fixtures are torn down.",
            example='"60s"',
            rule="duration_or_off",
            low=0.001,
            high=604800,
        ),
        Key(
            "slow",
            "duration",
            "A test that runs longer is marked slow; nothing else happens to it.",
            example='"5s"',
            default=5.0,
            rule="duration_or_off",
            low=0.001,
            high=604800,
        ),
        Key(
            "stall",
            "duration",
            "A running test without any event for this long is named, with its stacks.",
            example='"30s"',
            default=30.0,
            rule="duration_or_off",
            low=0.1,
            high=604800,
        ),
        Key(
            "needs",
            "strings",
            "Suites that run and must pass first; what a failed one blocks is `notrun`.",
            example='["migrate"]',
            default=(),
            rule="name",
        ),
        Key(
            "locks",
            "strings",
            "Locks by name, one for the whole box: of all runs there, one suite at a time has it, the others wait.",
            example='["db"]',
            default=(),
            rule="name",
        ),
        Key(
            "idempotent",
            "boolean",
            "Its tests may run again elsewhere, without cleaning up, when the box that ran them is lost (`--share`).",
            example="true",
            default=False,
        ),
        Key(
            "isolate",
            "strings",
            "Scenarios that run in processes of their own, behind the others: ids, files and globs; `*` is every one.",
            example='["tests/test_fork.py", "*::test_leaks*"]',
            default=(),
        ),
        Key(
            "trace",
            "choice",
            "How much is recorded of what happens inside; without it, the setting.",
            example='"calls"',
            choices=TRACES,
        ),
        Key(
            "trace_include",
            "strings",
            "Packages beside the project's own whose calls are recorded, by name.",
            example='["shop", "vendor.client"]',
            default=(),
        ),
        Key(
            "trace_exclude",
            "strings",
            "Packages and modules whose calls are not; of two rules the longer one decides.",
            example='["shop.generated"]',
            default=(),
        ),
        Key(
            "trace_ring",
            "string",
            "Room of each thread for calls that are not read yet: a thread that calls without pause needs more.",
            example='"32MiB"',
            default="1MiB",
            rule="ring",
        ),
    ),
)

# Only an environment with a host has these.
REMOTE_KEYS: Final = ("user", "port", "fingerprint", "how", "prepare", "keep", "artefacts", "path_map")

ENVIRONMENT: Final = Table(
    "env.NAME",
    "Where a run happens. `local` always exists and is this machine.",
    (
        Key(
            "host",
            "string",
            "The box, by the name or address that ssh knows. Without it, this machine.",
            example='"box7.lab"',
            rule="host",
        ),
        Key("user", "string", "The user on the box.", example='"ci"', rule="user"),
        Key("port", "integer", "The port of its ssh server.", example="22", low=1, high=65535),
        Key(
            "fingerprint",
            "string",
            "The only host key that is accepted.",
            example='"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"',
            rule="fingerprint",
        ),
        Key(
            "how",
            "choice",
            "How the project gets there: its files, its commits, or it is there already.",
            example='"sync"',
            default="sync",
            choices=("sync", "git", "connect"),
        ),
        Key(
            "prepare",
            "strings",
            "Commands run on the box before discovery, when lock files have changed.",
            example='["uv sync"]',
            default=(),
            rule="argument",
        ),
        Key(
            "keep",
            "strings",
            "What survives on the box between runs.",
            example='[".venv"]',
            default=(),
            rule="relative",
        ),
        Key(
            "artefacts",
            "strings",
            "What is fetched from the box after a run.",
            example='["out/*.log"]',
            default=(),
            rule="relative",
        ),
        Key(
            "path_map",
            "map",
            "Paths on the box and what they are here.",
            example='{ "/srv/app" = "." }',
            default=(),
            rule="relative",
        ),
        Key(
            "protected",
            "boolean",
            "Ask for its name before anything destructive.",
            example="true",
            default=False,
            later=True,
        ),
        Key(
            "service",
            "tables",
            "Processes that the tests need: a run waits until they are well, and `tracekit box check` asks them, too.",
            example="",
            default=(),
            table=SERVICE,
            later=True,
        ),
    ),
)

_EVERYWHERE: Final = (
    Key(
        "profile",
        "string",
        "The bundled profile to use.",
        example='"demo"',
        rule="name",
        flag="--profile",
    ),
    Key(
        "environment",
        "string",
        "Where runs happen.",
        example='"box7"',
        default="local",
        rule="name",
        flag="--env",
    ),
    Key(
        "trace",
        "choice",
        "How much is recorded of what happens inside.",
        example='"calls"',
        default="default",
        choices=TRACES,
        flag="--trace",
    ),
    Key(
        "seed",
        "integer",
        "Seed of every run; without it, a new one each time.",
        example="7",
        low=0,
        high=2**63 - 1,
        later=True,
    ),
    Key("locals", "boolean", "Record local variables of failing frames.", example="false", default=True),
    Key(
        "run_lease",
        "duration",
        "How long a run goes on that no console watches.",
        example='"12h"',
        default=43200.0,
        rule="duration",
        low=1,
        high=604800,
    ),
    Key(
        "service_lease",
        "duration",
        "How long services and faults outlive the last console.",
        example='"60s"',
        default=60.0,
        rule="duration",
        low=1,
        high=86400,
        later=True,
    ),
    Key(
        "glyphs",
        "choice",
        "The characters that the console draws with.",
        example='"ascii"',
        default="unicode",
        choices=("unicode", "ascii"),
        flag="--glyphs",
    ),
    Key(
        "theme",
        "choice",
        "The colours that the console draws with; a terminal with sixteen or none has its own.",
        example='"light"',
        default="dark",
        choices=("dark", "light", "high-contrast", "ansi"),
        flag="--theme",
    ),
    Key(
        "mouse",
        "boolean",
        "Whether the console takes the mouse.",
        example="false",
        default=True,
        flag="--no-mouse",
    ),
)

# What a project brings along must not decide what is deleted of all the others.
_MINE: Final = (
    Key(
        "keep_runs",
        "integer",
        "How many runs are kept, pinned ones apart. Only in `config.toml`.",
        example="500",
        default=100,
        low=1,
        high=1_000_000,
    ),
    Key(
        "keep_for",
        "duration",
        "How long a run is kept that nobody pinned. Only in `config.toml`.",
        example='"90d"',
        default=2592000.0,
        rule="duration",
        low=3600,
        high=315360000,
    ),
    Key(
        "keep_size",
        "string",
        "How much all runs may weigh, or a tenth of the free disk where that is less. Only in `config.toml`.",
        example='"50GiB"',
        default="10GiB",
        rule="size",
    ),
    Key(
        "copy_size",
        "string",
        "How much of one run is brought here from one box: past half of it no more of a trace, past three quarters "
        "no blobs, past seven eighths no output. Only in `config.toml`.",
        example='"20GiB"',
        default="8GiB",
        rule="size",
    ),
)
# Which program is started, and what a terminal is sent, is not a project's to say.
_DESK: Final = (
    Key(
        "editor",
        "string",
        "What `o` opens a file with, before `VISUAL` and `EDITOR`: words with `{file}` and `{line}` in them. "
        "Only in `config.toml`.",
        example='"wezterm start -- hx {file}:{line}"',
        default="",
    ),
    Key(
        "notify",
        "choice",
        "How the console tells of the end of a long run: the terminal's bell, its notifications (`osc9`, `osc777`), or "
        "`notify-send`. Only in `config.toml`.",
        example='"bell"',
        default="off",
        choices=("off", "bell", "osc9", "osc777", "desktop"),
    ),
    Key(
        "notify_after",
        "duration",
        "How long a run must have gone on to be told of. Only in `config.toml`.",
        example='"5m"',
        default=30.0,
        rule="duration",
        low=1,
        high=86400,
    ),
)
_BEHAVIOUR: Final = (
    "How tracekit behaves. Each can also be given as a `TRACEKIT_…` variable, "
    "and those that name one as a flag."
)

SETTINGS: Final = Table("settings", _BEHAVIOUR, (*_EVERYWHERE, *_MINE, *_DESK))
PROJECT_SETTINGS: Final = Table("settings", _BEHAVIOUR, _EVERYWHERE)

PROFILE: Final = Table(
    "",
    "A profile: `tracekit.toml`, `[tool.tracekit]` in `pyproject.toml`, or `profile.toml` of a bundled one.",
    (
        Key(
            "description",
            "string",
            "One line about it.",
            example='"the chat server and its tests"',
            default="",
        ),
        Key(
            "project",
            "strings",
            "Files of the project it is for: its paths are then below the directory that holds them all, at or above "
            "the one you are in, and no longer below the profile's own; elsewhere it is refused.",
            example='["native/Cargo.toml"]',
            default=(),
            rule="relative",
        ),
        Key("suite", "tables", "Suites, by name.", example="", default=(), table=SUITE),
        Key("env", "tables", "Environments, by name.", example="", default=(), table=ENVIRONMENT),
        Key("settings", "table", "Settings for this project.", example="", table=PROJECT_SETTINGS),
    ),
)

USER: Final = Table(
    "",
    "The user's own `config.toml`.",
    (
        Key("settings", "table", "Settings for every project.", example="", table=SETTINGS),
        Key(
            "keys",
            "keys",
            "Keys of the console: an action and the keys that do it, separated by commas.",
            example="",
            default=(),
        ),
    ),
)

BOXES: Final = Table(
    "",
    "The user's boxes, `boxes.toml`, in the form of a profile's.",
    (Key("env", "tables", "Environments, by name.", example="", default=(), table=ENVIRONMENT),),
)
