"""Keys that a profile may set and this version does not act on: whoever sets one is told, never left to believe."""

from __future__ import annotations

from collections.abc import Collection

from tracekit.config.profile import Profile
from tracekit.config.tables import ENVIRONMENT, SUITE
from tracekit.wire.problems import Problem

# Keys of which something is done.
_PARTLY = {
    "service": "is started by no run in this version: a run waits for it, and `tracekit box check` asks it, too",
}


def not_acted_on(profile: Profile, environments: Collection[str]) -> list[Problem]:
    """One notice for each declared key without an effect where these environments are meant, in the file's order."""
    tables = {"suite": SUITE, "env": ENVIRONMENT}
    found: list[Problem] = []
    for declared, origin in profile.origins.items():
        kind, _, rest = declared.partition(".")
        if kind == "env" and not any(rest == name or rest.startswith(f"{name}.") for name in environments):
            continue
        table = tables.get(kind)
        key = table.keys.get(rest.rpartition(".")[2]) if table is not None else None
        if key is not None and key.later:
            what = _PARTLY.get(key.name, "is checked, and not acted on in this version")
            found.append(Problem("config.later", what, f"{origin}:{declared}"))
    return found
