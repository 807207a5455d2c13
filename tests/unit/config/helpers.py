"""Places that belong to one test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def places_of(base: Path) -> tuple[dict[str, str], Path]:
    """An environment whose every directory is below `base`, and the configuration directory, made."""
    home = base / "home"
    config = home / "config" / "tracekit"
    config.mkdir(parents=True)
    environ = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    return environ, config
