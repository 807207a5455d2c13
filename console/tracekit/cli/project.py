"""From what was typed to a project: its root, the selectors that a path implies, its settings, and the places."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracekit.cli import early as earlier
from tracekit.cli import edge
from tracekit.config import paths
from tracekit.engine.places import Places
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.config.settings import Settings
    from tracekit.link.bridge import Bridge


class Project(NamedTuple):
    """What a command works on."""

    root: str
    selectors: tuple[str, ...]
    profile: str | None
    settings: Settings
    #: Whether anything of it is done on this machine.
    here: bool = True


def project(args: argparse.Namespace, *, runs: bool = False) -> Project:
    """Find the project; raises ProblemError for a path that is not there and for every fault of its configuration.

    Who `runs` something there is told what of its configuration has no effect on that.
    """
    # Here, because a look at what is recorded needs no configuration of any project.
    from tracekit.config import loader, roots
    from tracekit.config.later import not_acted_on

    path = os.path.abspath(args.path)
    names = ""
    if not os.path.exists(path):
        # As people know it from their runner: a file, and behind it the names in it.
        path, colons, names = path.partition("::")
        names = colons + names
    if not os.path.exists(path):
        raise ProblemError(
            Problem("cli.no_such_path", "no such file or directory", args.path, "name a project")
        )
    root = roots.find_root(path)
    chosen = list(getattr(args, "selectors", ()))
    _readable(chosen)
    if path != root and not args.profile:
        chosen.append(os.path.relpath(path, root) + names)
    flags = {"profile": args.profile, "environment": args.environment}
    config = loader.load(root, flags=flags, environ=os.environ, implicit=False)
    names_of = config.settings.environment.split(",")
    for notice in not_acted_on(config.profile, names_of) if runs else ():
        edge.say_error(f"tracekit: {notice}")
    environments = [config.profile.environment(name) for name in names_of]
    # A profile's file is named from where it was typed; from here on the project is where the profile stands.
    profile = config.settings.profile
    if profile is not None and ("/" in profile or profile.endswith(".toml")):
        profile = os.path.join(root, profile)
    here = any(environment is None or not environment.remote for environment in environments)
    return Project(config.profile.root, tuple(chosen), profile, config.settings, here)


def _readable(selectors: list[str]) -> None:
    """Refuse what can mean nothing before anything is built or asked; raises ProblemError."""
    if not selectors:
        return
    from tracekit.model.selection import may_be_id, parse_selector

    for text in selectors:
        if not may_be_id(text):
            parse_selector(text)


def places(*, writable: bool = True) -> Places:
    """Where this user's runs and caches are; raises ProblemError when they cannot be used."""
    state = paths.usable_state_dir(os.environ) if writable else paths.state_dir(os.environ)
    cache = paths.usable_cache_dir(os.environ) if writable else paths.cache_dir(os.environ)
    return Places(Path(state), Path(cache), agent_idle=earlier.idle())


def begun(places: Places, *, here: bool = True, early: Bridge | None = None) -> Bridge | None:
    """The bridge to this machine's agent, which comes up while the rest of a command is still being loaded.

    One that was started `early` is told whether it is needed.
    """
    if early is not None:
        if here:
            early.needed()
            return early
        early.drop()
    from tracekit.link.bridge import Bridge

    return Bridge(places.state, places.cache, idle=places.agent_idle) if here else None
