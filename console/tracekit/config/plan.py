"""Compiles a profile to the plan that an agent runs, and resolves its secrets, late and apart.

The plan is written to disk and travels; no value of a secret may ever stand in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tracekit.config.document import read_bytes
from tracekit.config.envfile import parse_env_file
from tracekit.config.faults import Faults
from tracekit.config.profile import Profile, Suite, Variable
from tracekit.config.sizes import parse_size
from tracekit.wire.problems import ProblemError
from tracekit.wire.secrets import MIN_LENGTH, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracekit.config.settings import Settings

PLAN_SCHEMA = "tracekit.plan/1"
_MAX_SECRET = 64 * 1024


def to_plan(
    profile: Profile,
    settings: Settings,
    *,
    run: str,
    seed: int,
    mode: str = "run",
    environment: str | None = None,
    trace: str | None = None,
    parent: str | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    args: Sequence[str] = (),
) -> dict[str, Any]:
    """The plan as plain JSON. Raises ProblemError for an `env_file` or working directory that cannot be used.

    `only` maps suite names to scenario ids; a suite that is not in it is left out. `args` go behind each suite's own,
    and where several runners take part behind those of the first one's: no other would know them.
    """
    faults = Faults()
    chosen = [suite for suite in profile.suites if only is None or suite.name in only]
    suites = []
    for suite in chosen:
        ids = None if only is None else list(only[suite.name])
        more = args if suite.runner == chosen[0].runner else ()
        suites.append(_suite(profile, suite, ids, more, faults))
    faults.raise_any()
    return {
        "schema": PLAN_SCHEMA,
        "run": run,
        "mode": mode,
        "root": profile.root,
        "profile": profile.name,
        "environment": environment or settings.environment,
        "seed": seed,
        "trace": trace or settings.trace,
        "parent": parent,
        "run_lease": settings.run_lease,
        "service_lease": settings.service_lease,
        "locals": settings.locals,
        "secret_names": secret_names(profile),
        "suites": suites,
    }


def _suite(
    profile: Profile, suite: Suite, only: list[str] | None, args: Sequence[str], faults: Faults
) -> dict[str, Any]:
    cwd = os.path.normpath(os.path.join(profile.root, suite.cwd))
    if not os.path.isdir(cwd):
        where = _where(profile, suite, "cwd")
        faults.add(
            "missing_directory", "the working directory does not exist", where, "create it, or mend cwd"
        )
    variables = _variables(profile, suite, faults)
    command = {
        "run": list(suite.run),
        "report": suite.report,
        "list": list(suite.list),
        "choose": list(suite.only),
    }
    return {
        **(command if suite.runner == "command" else {}),
        **({"isolation": suite.isolation} if suite.isolation else {}),
        "name": suite.name,
        "runner": suite.runner,
        "cwd": cwd,
        "paths": list(suite.paths),
        "ignore": list(suite.ignore),
        "args": [*suite.args, *args],
        "env": {name: v.value or "" for name, v in variables.items() if not _is_secret(v)},
        "secret_env": sorted(name for name, v in variables.items() if _is_secret(v)),
        "python": suite.python,
        "only": only,
        "timeout": suite.timeout,
        "soft_timeout": suite.soft_timeout,
        "stall": suite.stall,
        "slow": suite.slow,
        "idempotent": suite.idempotent,
        **({"optional": True} if suite.optional else {}),
        "isolate": list(suite.isolate),
        "needs": list(suite.needs),
        "locks": list(suite.locks),
        "trace": suite.trace,
        "trace_include": list(suite.trace_include),
        "trace_exclude": list(suite.trace_exclude),
        "trace_ring": parse_size(suite.trace_ring),
    }


def _where(profile: Profile, suite: Suite, key: str) -> str:
    # A cell of a matrix is declared with all the others.
    declared = f"suite.{suite.name.partition('[')[0]}.{key}"
    origin = profile.origins.get(declared)
    return f"{origin}:{declared}" if origin else suite.name


def _is_secret(variable: Variable) -> bool:
    """Declared so, or a literal whose name is published as secret and whose value is long enough to be one."""
    if variable.secret:
        return True
    return is_secret_name(variable.name) and len(variable.value or "") >= MIN_LENGTH


def _variables(profile: Profile, suite: Suite, faults: Faults) -> dict[str, Variable]:
    """The variables of a suite: those of its file, outweighed by its own."""
    found: dict[str, Variable] = {}
    if suite.env_file is not None:
        path = os.path.join(profile.root, suite.env_file)
        where = _where(profile, suite, "env_file")
        if not os.path.isfile(path):
            faults.add("missing_file", "the env_file does not exist", where, "create it, or mend env_file")
        else:
            data = read_bytes(path, suite.env_file, faults)
            values = parse_env_file(data, suite.env_file, faults) if data is not None else {}
            found = {name: Variable(name, value, where=where) for name, value in values.items()}
    found.update({variable.name: variable for variable in suite.env})
    return found


def secret_names(profile: Profile) -> list[str]:
    """The names of every variable of the profile that is a secret, values unread (an `env_file` aside)."""
    quiet = Faults()
    names = {
        name
        for suite in profile.suites
        for name, variable in _variables(profile, suite, quiet).items()
        if _is_secret(variable)
    }
    return sorted(names)


def secrets(profile: Profile, environ: Mapping[str, str]) -> dict[str, str]:
    """The values of all secrets by name. Raises ProblemError naming every one that cannot be had; never shows one."""
    faults = Faults()
    values: dict[str, str] = {}
    for _, name, variable, value in _secrets(profile, environ, faults):
        if values.setdefault(name, value) != value:
            what = f"the secret {name} has another value in another suite"
            faults.add("duplicate", what, variable.where, "give one of them another name")
    problems = faults.problems()
    if problems:
        raise ProblemError(list(dict.fromkeys(problems)))
    return values


def known_secrets(profile: Profile, environ: Mapping[str, str]) -> dict[str, str]:
    """The values that can be had of all secrets, for whoever takes them out of a text; nothing is refused here."""
    values: dict[str, str] = {}
    for suite, name, _, value in _secrets(profile, environ, Faults()):
        if values.setdefault(name, value) != value:
            values[f"{name} of {suite}"] = value
    return values


def _secrets(
    profile: Profile, environ: Mapping[str, str], faults: Faults
) -> Iterator[tuple[str, str, Variable, str]]:
    for suite in profile.suites:
        for name, variable in _variables(profile, suite, faults).items():
            if not _is_secret(variable):
                continue
            value = _resolved(profile, variable, environ, faults) if variable.secret else variable.value
            if value is not None:
                yield suite.name, name, variable, value


def _resolved(profile: Profile, variable: Variable, environ: Mapping[str, str], faults: Faults) -> str | None:
    kind, _, place = (variable.source or "").partition(":")
    if kind == "env":
        value = environ.get(place)
        if not value:
            what = (
                f"the secret {variable.name} is missing: {place} is {'empty' if value == '' else 'not set'}"
            )
            faults.add("secret_missing", what, variable.where, f"export {place}, or change from")
            return None
    else:
        value = _from_file(profile, variable, place, faults)
    if value is not None and len(value) < MIN_LENGTH:
        what = f"the secret {variable.name} has under {MIN_LENGTH} characters and cannot be kept out of recordings"
        faults.add("secret_short", what, variable.where, "make it longer, or do not mark it as a secret")
        return None
    return value


def _from_file(profile: Profile, variable: Variable, place: str, faults: Faults) -> str | None:
    path = os.path.join(profile.root, os.path.expanduser(place))
    inner = Faults()
    data = read_bytes(path, place, inner) if os.path.lexists(path) else None
    value = data.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r") if data else None
    if not value or len(value) > _MAX_SECRET or "\0" in value:
        reason = "cannot be used" if value else "does not exist, is empty or cannot be read"
        what = f"the secret {variable.name} is missing: its file {reason}"
        faults.add(
            "secret_missing", what, variable.where, "put the value alone into the file, or change from"
        )
        return None
    return value
