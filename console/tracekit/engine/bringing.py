"""Bringing a project's files to a box before a run begins there: only what the box does not have yet.

The link carries them between its other messages, in pieces, so that a flood of files keeps no cancel waiting. It starts
over by itself after a cut: what arrived whole is there already.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from tracekit.engine.manifest import Manifest, manifest
from tracekit.engine.relocate import moved
from tracekit.store.copies import copier

if TYPE_CHECKING:
    from tracekit.engine.box import Box
    from tracekit.engine.context import Context
    from tracekit.engine.plan import Planned

_PIECE = 60 * 1024


class Bringing:
    """One project on its way to one box, for one run."""

    def __init__(self, run: str, project: str, files: Manifest) -> None:
        self.run = run
        self._project = project
        self._files = files
        self._data = files.data
        self.manifest = hashlib.blake2b(self._data, digest_size=32).hexdigest()

    def offer(self) -> dict[str, Any]:
        """What the box is told of it."""
        blobs = [[name, size] for name, (_, size) in self._files.blobs.items()]
        return {
            "run": self.run,
            "project": self._project,
            "blobs": [*blobs, [self.manifest, len(self._data)]],
        }

    def pieces(self, needed: Sequence[str]) -> Iterator[tuple[int, bytes]]:
        """The bytes that the box needs, each piece with its place in the stream."""
        offset = 0
        for name in needed:
            for data in self._bytes(name):
                yield offset, data
                offset += len(data)

    def _bytes(self, name: str) -> Iterator[bytes]:
        if name == self.manifest:
            yield from (self._data[at : at + _PIECE] for at in range(0, len(self._data), _PIECE))
            return
        path, size = self._files.blobs.get(name, ("", 0))
        left = size
        try:
            with open(path, "rb") as file:
                while left and (data := file.read(min(_PIECE, left))):
                    left -= len(data)
                    yield data
        except OSError:
            pass
        # A file that shrank meanwhile: the box sees by its hash that it is another one.
        while left:
            yield bytes(min(left, _PIECE))
            left -= min(left, _PIECE)


async def brought(planned: Planned, box: Box, context: Context) -> Planned:
    """The plan as it runs where it runs, once the project's files are there; raises ProblemError."""
    environment, root = planned.environment, planned.root
    if environment is None or not environment.remote or environment.how == "connect":
        return planned
    # One project of one store: nobody else's files ever stand in its place.
    whose = copier(context.places.state, context.console)
    project = hashlib.blake2b(os.fsencode(f"{whose}\0{root}"), digest_size=12).hexdigest()
    if environment.how == "git":
        from tracekit.engine.commits import commits

        files = await anyio.to_thread.run_sync(commits, root, context.places.cache / "bundles" / project)
    else:
        files = await anyio.to_thread.run_sync(manifest, root, environment.keep)
    bringing = Bringing(planned.run_id, project, files)
    there = posixpath.normpath(posixpath.join(await box.bring(bringing), files.below))
    tree = {
        "project": project,
        "manifest": bringing.manifest,
        "keep": list(environment.keep),
        "commands": list(environment.prepare),
        "key": files.key(environment.prepare),
        "left_out": files.left_out,
        "notices": files.notices,
        "below": files.below,
    }
    return replace(planned, plan={**moved(planned.plan, there), "tree": tree})
