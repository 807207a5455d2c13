"""A plan for another machine: the same plan with this machine's paths replaced by the box's.

Pure: nothing is looked up. What has no counterpart on the box is a fault of the profile, said before anything starts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from tracekit.config.profile import Environment
from tracekit.wire.problems import Problem, ProblemError


def moved(plan: Mapping[str, Any], there: str) -> dict[str, Any]:
    """The plan with its root, wherever that was, at another place."""
    root = str(plan["root"])
    suites = [{**suite, **_moved(suite, root, there)} for suite in plan["suites"]]
    return {**plan, "root": there, "suites": suites}


def relocated(plan: Mapping[str, Any], environment: Environment) -> dict[str, Any]:
    """The plan as the box understands it; raises ProblemError when the project's place there is not known."""
    return moved(plan, box_root(str(plan["root"]), environment))


def box_root(root: str, environment: Environment) -> str:
    """Where the project's root is on the box."""
    for box_path, local in environment.path_map:
        place = posixpath.normpath(posixpath.join(root, local))
        if root == place or root.startswith(place + "/"):
            return posixpath.normpath(posixpath.join(box_path, posixpath.relpath(root, place)))
    raise ProblemError(
        Problem(
            "env.no_path_map",
            'with how = "connect" the project is on the box already, and the profile does not say where',
            f"{environment.where or 'env.' + environment.name}",
            'add path_map = { "/its/path/on/the/box" = "." } to the environment',
        )
    )


def place_between_runs(root: str, environment: Environment) -> str:
    """Where the project's root is on the box while nothing runs there; empty where each run brings it along."""
    if environment.how != "connect":
        return ""
    try:
        return box_root(root, environment)
    except ProblemError:
        return ""


def here(path: str, root: str, paths: Sequence[tuple[str, str]], moved_from: str) -> str:
    """Where a path of the box is on this machine, below `root`; itself where nothing says so.

    `paths` is a profile's map; what it does not name moved with the project, whose root is `moved_from` there.
    """
    known = sorted([*paths, (moved_from, ".")], key=lambda pair: -len(pair[0]))
    for there, local in known:
        if there and (path == there or path.startswith(there.rstrip("/") + "/")):
            return posixpath.normpath(posixpath.join(root, local, posixpath.relpath(path, there)))
    return path


def _moved(suite: Mapping[str, Any], root: str, there: str) -> dict[str, Any]:
    moved: dict[str, Any] = {"cwd": _place(str(suite["cwd"]), root, there)}
    python = suite.get("python")
    if isinstance(python, str):
        moved["python"] = _place(python, root, there)
    return moved


def _place(path: str, root: str, there: str) -> str:
    if path == root or path.startswith(root.rstrip("/") + "/"):
        return posixpath.normpath(posixpath.join(there, posixpath.relpath(path, root)))
    return path
