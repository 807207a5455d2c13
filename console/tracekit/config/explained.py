"""A profile's suites and environments as rows of key, value and origin, for people who ask where a value comes from.

The value of a variable is shown only when neither the profile nor its name makes it a secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracekit.config.durations import OFF, format_duration
from tracekit.config.key import Key, Table
from tracekit.config.profile import Environment, Profile, Suite, Variable
from tracekit.config.tables import ENVIRONMENT, SUITE
from tracekit.config.words import plain
from tracekit.wire.secrets import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = tuple[str, str, str]


def profile_rows(profile: Profile) -> list[Row]:
    """Every key of every suite and environment."""
    rows: list[Row] = []
    for suite in profile.suites:
        rows += _rows(f"suite.{suite.name}" if suite.name else "suite", suite, SUITE, profile.origins)
    for environment in profile.environments:
        rows += _rows(f"env.{environment.name}", environment, ENVIRONMENT, profile.origins)
    return rows


def _rows(prefix: str, item: Suite | Environment, table: Table, origins: Mapping[str, str]) -> list[Row]:
    rows: list[Row] = []
    for name, key in table.keys.items():
        place = f"{prefix}.{name}"
        if key.kind == "tables":
            services = item.services if isinstance(item, Environment) else ()
            rows += [
                (f"{place}.{service.name}.start", plain(" ".join(service.start), 400), _origin(service.where))
                for service in services
            ]
        elif key.kind == "variables":
            variables: tuple[Variable, ...] = getattr(item, name)
            rows += [(f"{place}.{v.name}", value_of(v), _origin(v.where)) for v in variables]
        else:
            # A cell of a matrix is declared with all the others.
            head, bracket, _ = prefix.partition("[")
            declared = f"{head}.{name}" if bracket else place
            rows.append((place, _worded(key, getattr(item, name)), origins.get(declared, "default")))
    return rows


def value_of(variable: Variable) -> str:
    """A variable's value, or that it is withheld."""
    if variable.secret or is_secret_name(variable.name):
        source = f" from {plain(variable.source, 200)}" if variable.source else ""
        return f"«redacted:{variable.name}»{source}"
    return plain(variable.value or "", 400)


def _origin(where: str) -> str:
    return ":".join(where.split(":")[:2])


def _worded(key: Key, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return OFF if key.rule == "duration_or_off" else ""
    if key.kind == "duration":
        return format_duration(value)
    if key.kind == "map":
        return plain(", ".join(f"{left} = {right}" for left, right in value), 400)
    if key.kind == "lists":
        return plain(", ".join(f"[{' '.join(one)}]" for one in value), 400)
    if isinstance(value, tuple):
        return plain(", ".join(value), 400)
    return plain(str(value), 400)
