"""Which box a run is on, as `run.json` keeps it: so that it is found again when the profile has changed.

Pure: nothing is connected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tracekit.store.runs import LOCAL_BOX

if TYPE_CHECKING:
    from tracekit.config.profile import Environment


class Spot(NamedTuple):
    """Where a box is, as a run that was started there has noted it."""

    name: str
    host: str
    user: str | None
    port: int | None
    pinned: str | None


def noted(environment: Environment | None) -> dict[str, Any] | None:
    """What `run.json` keeps of a box, so that a run is found again when the profile has changed."""
    if environment is None or environment.host is None:
        return None
    return {
        "name": environment.name,
        "host": environment.host,
        "user": environment.user,
        "port": environment.port,
        "fingerprint": environment.fingerprint,
        **({"path_map": [list(pair) for pair in environment.path_map]} if environment.path_map else {}),
    }


def spot(facts: Mapping[str, Any]) -> Spot | None:
    """Where a run's box is, by what `run.json` says of it; None of a run of this machine."""
    found = facts.get("box")
    if not isinstance(found, dict) or not isinstance(found.get("host"), str):
        return None
    port = found.get("port")
    return Spot(
        str(found.get("name") or found["host"]),
        found["host"],
        _text(found.get("user")),
        port if isinstance(port, int) else None,
        _text(found.get("fingerprint")),
    )


def paths_of(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What `run.json` says of paths on the box and what they are below the project's root here."""
    box = facts.get("box")
    found = box.get("path_map") if isinstance(box, dict) else None
    pairs = found if isinstance(found, list) else []
    return tuple((str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2)


def box_name(environment: Environment | None) -> str:
    """The directory of an environment's part of a run."""
    return LOCAL_BOX if environment is None or environment.host is None else environment.name


def _text(found: object) -> str | None:
    return found if isinstance(found, str) else None
