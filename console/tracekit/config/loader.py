"""Finds the files, reads them all, and hands out one checked configuration or every fault of all files at once.

Reads TOML only; never executes anything of the project, and leaves secrets where they are.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from tracekit.config import paths, quarantine
from tracekit.config.build import build_environments, build_suites, merge_environments
from tracekit.config.check import Checker
from tracekit.config.document import Document, parse, read_bytes
from tracekit.config.faults import Faults
from tracekit.config.key import Table
from tracekit.config.keymap import Keymap, build_keymap
from tracekit.config.profile import Environment, Profile, Suite
from tracekit.config.roots import OWN, PYPROJECT, holds, stranger
from tracekit.config.rules import RULES
from tracekit.config.settings import Layer, Settings, settle
from tracekit.config.tables import BOXES, PROFILE, USER
from tracekit.config.words import listed, nearest, shown
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

BUNDLED = "profile.toml"


class Config(NamedTuple):
    profile: Profile
    settings: Settings
    keymap: Keymap
    quarantine: tuple[quarantine.Entry, ...] = ()


class _File(NamedTuple):
    """One checked file."""

    document: Document
    clean: Mapping[str, Any]

    @property
    def layer(self) -> Layer:
        values = self.clean.get("settings", {})
        return Layer(values, {name: self.document.origin(("settings", name)) for name in values})


def load(
    root: str,
    *,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    actions: Mapping[str, str | Sequence[str]] | None = None,
    contexts: Mapping[str, Collection[str]] | None = None,
    implicit: bool = True,
) -> Config:
    """The configuration of the project at `root`. Raises ProblemError with every fault of every file.

    `flags` are settings by name as given on the command line (None: not given). `actions` are the action registry's
    ids and default keys, `contexts` the screens where each of them works. With `implicit`, a profile without suites
    gets those that are found without configuration, and a project without any raises too.
    """
    faults = Faults()
    known = os.environ if environ is None else environ
    config = _load(root, flags or {}, known, actions, faults, contexts=contexts)
    faults.raise_any()
    if config is None:
        raise ProblemError(Problem("config.unreadable", "cannot be read", root, "check the path"))
    if implicit and not config.profile.suites:
        from tracekit.config.implicit import implicit_profile

        where = config.profile.environment(config.settings.environment)
        here = where is None or not where.remote
        # Of another machine nobody knows which interpreter it has.
        found = implicit_profile(config.profile.root, known if here else None)
        config = config._replace(profile=config.profile._replace(suites=found.suites))
    return config


def load_user(environ: Mapping[str, str]) -> Settings:
    """The settings of the user alone, whatever project this is. Raises ProblemError with every fault of the file."""
    faults = Faults()
    user = _read(os.path.join(paths.config_dir(environ), "config.toml"), None, USER, faults)
    settings = settle({}, environ, [user.layer] if user else [], faults)
    faults.raise_any()
    return settings


def check(
    root: str,
    *,
    environ: Mapping[str, str] | None = None,
    actions: Mapping[str, str | Sequence[str]] | None = None,
) -> list[Problem]:
    """Every fault of every file that `load` would read."""
    faults = Faults()
    _load(root, {}, os.environ if environ is None else environ, actions, faults)
    return faults.problems()


def check_text(data: bytes, label: str = OWN) -> tuple[Profile | None, list[Problem]]:
    """Check the bytes of a profile without touching the file system."""
    faults = Faults()
    document = parse(data, label, faults)
    if document is None:
        return None, faults.problems()
    file = _checked(document, PROFILE, faults)
    return _profile(None, "/", file, (), faults), faults.problems()


def boxes(text: str) -> tuple[Environment, ...]:
    """The environments of a `boxes.toml`; raises ProblemError with every fault of it."""
    faults = Faults()
    document = parse(text.encode(), "boxes.toml", faults)
    file = _checked(document, BOXES, faults) if document is not None else None
    found = build_environments(file.document, file.clean, faults) if file is not None else ()
    faults.raise_any()
    return found


def _load(
    root: str,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    actions: Mapping[str, str | Sequence[str]] | None,
    faults: Faults,
    *,
    contexts: Mapping[str, Collection[str]] | None = None,
) -> Config | None:
    root = os.path.abspath(root)
    if not os.path.isdir(root):
        faults.add("unreadable", "is not a directory", root, "name the project's directory")
        return None
    home = paths.config_dir(environ)
    user = _read(os.path.join(home, "config.toml"), None, USER, faults)
    boxes = _read(os.path.join(home, "boxes.toml"), None, BOXES, faults)
    # A profile that is asked for by flag or variable takes the place of the project's own file, mistakes and all.
    asked = settle(flags, environ, (), Faults()).profile
    own = _own_file(root, faults) if asked is None else None
    layers = [file.layer for file in (own, user) if file]
    first = settle(flags, environ, layers, Faults())
    name, file, chosen = None, own, first.profile
    if chosen is not None:
        here = root
        name, root, file = _chosen_file(chosen, root, first.origin("profile"), faults)
        root = _project(file, here, faults) or root
        layers = [found.layer for found in (file, user) if found]
    settings = settle(flags, environ, layers, faults)
    if chosen is not None:
        # Its settings take the project's place, but it does not say which profile is chosen.
        settings = settings._replace(
            profile=chosen, origins={**settings.origins, "profile": first.origin("profile")}
        )
    environments = build_environments(boxes.document, boxes.clean, faults) if boxes else ()
    profile = _profile(name, root, file, environments, faults)
    _check_environment(settings, profile, faults)
    keys = user.clean.get("keys", {}) if user else {}
    keymap = (
        build_keymap(actions, keys, user.document if user else None, faults, contexts)
        if actions is not None
        else Keymap()
    )
    return Config(profile, settings, keymap, quarantine.read(root, faults))


def _profile(
    name: str | None, root: str, file: _File | None, boxes: tuple[Environment, ...], faults: Faults
) -> Profile:
    if file is None:
        return Profile(name, root, environments=merge_environments([boxes], faults))
    suites: tuple[Suite, ...] = build_suites(file.document, file.clean, faults)
    own = build_environments(file.document, file.clean, faults)
    return Profile(
        name,
        root,
        source=file.document.label,
        description=file.clean.get("description", ""),
        suites=suites,
        environments=merge_environments([own, boxes], faults),
        origins=_origins(file.document, file.clean),
    )


def _origins(document: Document, clean: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{kind}.{name}.{key}": document.origin((kind, name, key))
        for kind in ("suite", "env")
        for name, table in clean.get(kind, {}).items()
        for key in table
    }


def _check_environment(settings: Settings, profile: Profile, faults: Faults) -> None:
    """Each named environment exists; a run may name several, separated by commas."""
    known = [environment.name for environment in profile.environments]
    for name in settings.environment.split(","):
        if name in known:
            continue
        near = nearest(name, known)
        hint = f"did you mean {near}? " if near else ""
        where = settings.origin("environment")
        faults.add(
            "unknown_name",
            f"unknown environment {shown(name)}",
            where,
            f"{hint}known: {listed(known, 'and')}",
        )


def _read(path: str, label: str | None, table: Table, faults: Faults) -> _File | None:
    """A file that need not exist."""
    if not os.path.lexists(path):
        return None
    label = label or path
    data = read_bytes(path, label, faults)
    document = parse(data, label, faults) if data is not None else None
    return _checked(document, table, faults) if document else None


def _checked(document: Document, table: Table, faults: Faults) -> _File:
    return _File(document, Checker(document, faults).document(table))


def _own_file(root: str, faults: Faults) -> _File | None:
    """`tracekit.toml`, or `[tool.tracekit]`; never both, and none that is a stranger's."""
    if _strangers(root, OWN, faults):
        return None
    own = _read(os.path.join(root, OWN), OWN, PROFILE, faults)
    project = os.path.join(root, PYPROJECT)
    # Most pyproject files say nothing to us: they are not parsed, and their mistakes are not ours to report.
    if not holds(project, b"tracekit"):
        return own
    data = read_bytes(project, PYPROJECT, faults)
    document = parse(data, PYPROJECT, faults) if data is not None else None
    table = document.data.get("tool", {}) if document else {}
    ours = table.get("tracekit") if isinstance(table, dict) else None
    if document is None or ours is None:
        return own
    if _strangers(root, PYPROJECT, faults):
        return own
    inner = Document(PYPROJECT, ours if isinstance(ours, dict) else {}, document.index, ("tool", "tracekit"))
    if not isinstance(ours, dict):
        faults.add("type", "must be a table", inner.where(()), "write [tool.tracekit]")
        return own
    if own is not None or os.path.lexists(os.path.join(root, OWN)):
        faults.add(
            "duplicate", f"the project is configured in {OWN} too", inner.where(()), "keep one of the two"
        )
        return own
    return _checked(inner, PROFILE, faults)


def _strangers(root: str, name: str, faults: Faults) -> bool:
    owner = stranger(os.path.join(root, name), root)
    if owner:
        what = f"belongs to {owner}: not to you, nor to the owner of its folder, and it says what is run here"
        action = f"read it; where it is right, `--profile ./{name}` takes it"
        if name == PYPROJECT:
            action = "read it; where it is right, put a copy of your own in its place"
        faults.add("strangers_file", what, name, action)
    return bool(owner)


def bundled_profiles() -> dict[str, str]:
    """Bundled profiles: name -> directory."""
    base = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "profiles")
    try:
        names = sorted(os.listdir(base))
    except OSError:
        return {}
    found = {name: os.path.join(base, name) for name in names}
    return {name: path for name, path in found.items() if os.path.isfile(os.path.join(path, BUNDLED))}


def _project(file: _File | None, here: str, faults: Faults) -> str | None:
    """The directory that a profile is for, where it says by which files that is known; at or above the one it is in."""
    wanted: Sequence[str] = file.clean.get("project") or () if file else ()
    if not wanted or file is None:
        return None
    directory = here
    while not all(os.path.isfile(os.path.join(directory, name)) for name in wanted):
        above = os.path.dirname(directory)
        if above == directory or os.path.exists(os.path.join(directory, ".git")):
            what = f"this profile is for a project with {listed(wanted, 'and')}, and {shown(here)} is in none"
            action = "go to a checkout of that project, or name it: tracekit run DIRECTORY --profile …"
            faults.add("other_project", what, file.document.where(("project",)), action)
            return None
        directory = above
    return directory


def _chosen_file(chosen: str, root: str, where: str, faults: Faults) -> tuple[str | None, str, _File | None]:
    """A bundled profile by its name, or any profile by its file. Gives (name, root, file)."""
    if chosen.endswith(".toml") or "/" in chosen:
        path = os.path.normpath(os.path.join(root, chosen))
        if os.path.isdir(path):
            path = os.path.join(path, BUNDLED)
        data = read_bytes(path, chosen, faults)
        document = parse(data, chosen, faults) if data is not None else None
        return None, os.path.dirname(path), _checked(document, PROFILE, faults) if document else None
    bundled = bundled_profiles()
    if RULES["name"].fault(chosen) is None and chosen in bundled:
        directory = bundled[chosen]
        file = _read(os.path.join(directory, BUNDLED), f"{chosen}/{BUNDLED}", PROFILE, faults)
        return chosen, directory, file
    near = nearest(chosen, bundled)
    hint = f"did you mean {near}?" if near else f"bundled: {listed(bundled, 'and') or 'none'}; or name a file"
    faults.add("unknown_name", f"unknown profile {shown(chosen)}", where, hint)
    return None, root, None
