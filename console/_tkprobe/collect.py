"""What collection finds: scenario ids, their lines, and the choice of a few ids out of everything collected.

Scenario ids stand on paths relative to the directory the suite runs in, whatever pytest's rootdir is. A choice of
ids is made inside pytest, after the user's own hooks had their say, so that arguments, order and plugins stay what
they are.
"""

from __future__ import annotations

import json
import os
from types import FunctionType
from typing import Any, Callable, Dict, List, Optional, Set

import pytest

from _tkprobe.facts import cut
from _tkprobe.order import Order
from _tkprobe.spool import Spool, encode, fields, quote

DOC_LIMIT = 400
LINES_A_WRITE = 200
#: A line stays far below what readers refuse, and short enough to be read in a slice.
TESTS_A_LINE = 500
GROUP_LIMIT = 32 * 1024
LONGEST_GROUPED = 4096

PLAIN_LOCATION = pytest.Item.location
PLAIN_REPORTINFO = pytest.Function.reportinfo


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

    def __init__(
        self,
        ids: Ids,
        wanted: Optional[List[str]],
        order: Optional[Order] = None,
        apart: Optional[Callable[[str], Optional[str]]] = None,
    ) -> None:
        self.ids = ids
        self.order = order
        self.apart = apart
        #: What is left for a process of its own, with the pattern that it fits.
        self.aside: Dict[Any, str] = {}
        self.wanted = None if wanted is None else set(wanted)
        #: Files that are wanted whole.
        self.whole = {scenario for scenario in self.wanted or () if "::" not in scenario}
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
                name = scenario(item.nodeid)
                (kept if name in wanted or name.partition("::")[0] in self.whole else left).append(item)
        else:
            kept = list(items)
        if self.apart is not None:
            fits = [(item, self.apart(scenario(item.nodeid))) for item in kept]
            kept = [item for item, pattern in fits if pattern is None]
            self.aside = {item: pattern for item, pattern in fits if pattern is not None}
            left += self.aside
        if left:
            items[:] = kept
            config.hook.pytest_deselected(items=left)
        if self.order is not None:
            self.order.apply(items)


class Group:
    """What neighbours with one parent share, and the columns of those that are still to be told."""

    __slots__ = ("docs", "head", "lines", "marks", "names", "parent", "size", "stem", "tags")

    def __init__(self, parent: Any, stem: str, head: str, tags: Set[str]) -> None:
        # The node is kept, so that its number is not given to another while the table lives.
        self.parent = parent
        self.stem = stem
        self.head = head
        self.tags = tags
        self.clear()

    def clear(self) -> None:
        self.size = 0
        self.names: List[str] = []
        self.lines: List[int] = []
        self.docs: Dict[int, str] = {}
        self.marks: Dict[str, List[int]] = {}


class Finder:
    """Tells what was collected: one `scenarios.found` for neighbours with one parent, in the order of collection.

    A project of tens of thousands of tests is written, read and kept a line for each class or file instead of one
    for each test; a test whose id does not stand on its parent's gets a `scenario.found` of its own.
    """

    def __init__(self, spool: Spool, ids: Ids, suite: str) -> None:
        self.spool = spool
        self.ids = ids
        self.suite = quote(suite)
        self.parents: Dict[int, Group] = {}
        self.told = 0

    def write(self, items: List[Any], aside: Dict[Any, str]) -> None:
        """Tell every item, and those put aside as such."""
        parents, group = self.parents, None
        for item in items:
            nodeid = item.nodeid
            parent = item.parent
            found = parents.get(id(parent)) or self._group(parent)
            name = item.name
            if found.stem + name != nodeid or len(nodeid) > LONGEST_GROUPED:
                self._end(group)
                group = None
                self._alone(item, found, None)
                continue
            if found is not group or found.size >= GROUP_LIMIT or len(found.names) >= TESTS_A_LINE:
                self._end(group)
                group = found
            self._take(found, item, name)
        self._end(group)
        for item, pattern in aside.items():
            self._alone(item, parents.get(id(item.parent)) or self._group(item.parent), pattern)
        self.spool.flush()

    def quoted(self, items: List[Any], aside: Dict[Any, str]) -> Dict[str, str]:
        """The quoted scenario id of each node id."""
        scenario = self.ids.scenario
        return {item.nodeid: quote(scenario(item.nodeid)) for item in [*items, *aside]}

    def _take(self, group: Group, item: Any, name: str) -> None:
        place = len(group.names)
        group.names.append(name)
        group.size += len(name)
        group.lines.append(line_of(item))
        for mark in item.own_markers:
            tag = mark.name
            if tag not in group.tags:
                places = group.marks.setdefault(tag, [])
                if not places or places[-1] != place:
                    places.append(place)
        doc = getattr(getattr(item, "_obj", None), "__doc__", None)
        if doc and isinstance(doc, str):
            group.docs[place] = doc = cut(doc.strip(), DOC_LIMIT)
            group.size += len(doc)

    def _end(self, group: Optional[Group]) -> None:
        """Tell the columns of a group, if it holds any."""
        if group is None or not group.names:
            return
        names = ",".join(map(quote, group.names))
        body = f'"scenarios.found",{group.head},"names":[{names}],"lines":{group.lines}'
        if group.marks:
            body += f',"marks":{encode(group.marks)}'
        if group.docs:
            body += f',"docs":{encode(group.docs)}'
        group.clear()
        self._add(body)

    def _alone(self, item: Any, group: Group, isolate: Optional[str]) -> None:
        tags = sorted({*group.tags, *(mark.name for mark in item.own_markers)})
        doc = getattr(getattr(item, "_obj", None), "__doc__", None)
        told = cut(doc.strip(), DOC_LIMIT) if isinstance(doc, str) else None
        path = json.loads("{" + group.head + "}")
        facts: Dict[str, object] = {
            "scenario": self.ids.scenario(item.nodeid),
            "suite": path["suite"],
            "runner": "pytest",
            "path": [*path["path"], item.name],
            "file": path["file"],
            "line": line_of(item),
            "tags": tags,
            "doc": told,
        }
        if isolate is not None:
            facts["isolate"] = isolate
        self._add(f'"scenario.found",{fields(facts)}')

    def _add(self, body: str) -> None:
        self.spool.add(body)
        self.told += 1
        if not self.told % LINES_A_WRITE:
            self.spool.flush()

    def _group(self, parent: Any) -> Group:
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
        stem = parent.nodeid + "::"
        head = (
            f'"id":{quote(self.ids.scenario(stem))},"suite":{self.suite},"runner":"pytest",'
            f'"path":{encode(names)},"file":{quote(file)},"tags":{encode(sorted(tags))}'
        )
        told = self.parents[id(parent)] = Group(parent, stem, head, tags)
        return told


def line_of(item: Any) -> int:
    """The line a test is written in, counted from one; 0 where nobody knows.

    A plain function's own code says it at once. pytest's `location` says the same after making a dozen paths, which
    for thousands of tests is half of the whole collection; it is asked for everything that is not plain.
    """
    if type(item).location is PLAIN_LOCATION and type(item).reportinfo is PLAIN_REPORTINFO:
        function = getattr(item, "_obj", None)
        function = getattr(function, "__func__", function)
        if type(function) is FunctionType and "__wrapped__" not in function.__dict__:
            return int(function.__code__.co_firstlineno)
    line = item.location[1]
    return 0 if line is None else int(line) + 1
