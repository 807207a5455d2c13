"""What collection finds: scenario ids, their lines, and the choice of a few ids out of everything collected.

Scenario ids stand on paths relative to the directory the suite runs in, whatever pytest's rootdir is. A choice of
ids is made inside pytest, after the user's own hooks had their say, so that arguments, order and plugins stay what
they are.
"""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Optional, Set

import pytest

from _tkprobe.facts import cut
from _tkprobe.order import Order
from _tkprobe.spool import Spool, quote

DOC_LIMIT = 400
LINES_A_WRITE = 500


class Ids:
    """Node ids to scenario ids, and back to the question whether one is wanted."""

    def __init__(self, prefix: str, base: str, rootdir: str) -> None:
        self.prefix = prefix
        self.base = base
        self.rootdir = rootdir
        self.same = base == rootdir
        self.paths: Dict[str, str] = {}

    def file(self, path: str) -> str:
        """A path of a node id, relative to the suite's directory, with forward slashes."""
        if self.same:
            return path
        known = self.paths.get(path)
        if known is None:
            absolute = os.path.normpath(os.path.join(self.rootdir, path))
            known = os.path.relpath(absolute, self.base).replace(os.sep, "/")
            self.paths[path] = known
        return known

    def scenario(self, nodeid: str) -> str:
        if self.same:
            return self.prefix + nodeid
        path, separator, rest = nodeid.partition("::")
        return self.prefix + self.file(path) + separator + rest


class Selection:
    """Keeps the wanted scenarios, lets pytest skip the files that hold none of them, and puts the rest in order."""

    def __init__(self, ids: Ids, wanted: Optional[List[str]], order: Optional[Order] = None) -> None:
        self.ids = ids
        self.order = order
        self.wanted = None if wanted is None else set(wanted)
        self.files: Set[str] = set()
        self.directories: Set[str] = set()
        for scenario in wanted or ():
            path = scenario[len(ids.prefix) :].partition("::")[0]
            absolute = os.path.normpath(os.path.join(ids.base, path))
            if absolute not in self.files:
                self._need(absolute)
                self._need(os.path.realpath(absolute))

    def _need(self, path: str) -> None:
        self.files.add(path)
        parent = os.path.dirname(path)
        while parent and parent not in self.directories:
            self.directories.add(parent)
            parent = os.path.dirname(parent)

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Any) -> Optional[bool]:
        if self.wanted is None:
            return None
        path = str(collection_path)
        # Package files decide what the tree looks like, and with it the life of package fixtures.
        if path in self.files or path in self.directories or path.endswith("__init__.py"):
            return None
        real = os.path.realpath(path)
        return None if real in self.files or real in self.directories else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: List[Any]) -> None:
        kept: List[Any] = []
        left: List[Any] = []
        scenario, wanted = self.ids.scenario, self.wanted
        if wanted is not None:
            for item in items:
                (kept if scenario(item.nodeid) in wanted else left).append(item)
        if left:
            items[:] = kept
            config.hook.pytest_deselected(items=left)
        if self.order is not None:
            self.order.apply(items)


class Finder:
    """Writes `scenario.found` for each collected item, cheaply: what nodes share is made once per parent."""

    def __init__(self, spool: Spool, ids: Ids, suite: str) -> None:
        self.spool = spool
        self.ids = ids
        self.suite = quote(suite)
        self.parents: Dict[int, Any] = {}

    def write(self, items: List[Any]) -> Dict[str, str]:
        """Tell every item; returns the quoted scenario id of each node id."""
        known: Dict[str, str] = {}
        add, flush, scenario, parents = self.spool.add, self.spool.flush, self.ids.scenario, self.parents
        rest = f'"suite":{self.suite},"runner":"pytest","path":['
        for index, item in enumerate(items):
            nodeid = item.nodeid
            known[nodeid] = quoted = quote(scenario(nodeid))
            parent = item.parent
            names, file, tags, _ = parents.get(id(parent)) or self._parent(parent)
            line = item.location[1]
            own = item.own_markers
            marks = tags if not own else json.dumps(sorted({*json.loads(tags), *(mark.name for mark in own)}))
            doc = getattr(getattr(item, "_obj", None), "__doc__", None)
            told = quote(cut(doc.strip(), DOC_LIMIT)) if isinstance(doc, str) else "null"
            number = 0 if line is None else line + 1
            add(
                f'"scenario.found","scenario":{quoted},{rest}{names}{quote(item.name)}],"file":{file},'
                f'"line":{number},"tags":{marks},"doc":{told}'
            )
            if not index % LINES_A_WRITE:
                flush()
        flush()
        return known

    def _parent(self, parent: Any) -> Any:
        """What the tests below a node share; made once."""
        names: List[str] = []
        tags: Set[str] = set()
        file = ""
        for node in parent.listchain():
            tags.update(mark.name for mark in node.own_markers)
            if isinstance(node, pytest.File) or (file and not isinstance(node, pytest.File)):
                if not file:
                    file = self.ids.file(node.nodeid.partition("::")[0])
                    names.append(file)
                else:
                    names.append(node.name)
        if not file:
            file = self.ids.file(parent.nodeid.partition("::")[0])
            names = [file]
        joined = "".join(quote(name) + "," for name in names)
        # The node is kept, so that its number is not given to another while the table lives.
        told = self.parents[id(parent)] = (joined, quote(file), json.dumps(sorted(tags)), parent)
        return told
