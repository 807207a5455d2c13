"""Names of unittest's tests: the file and the names in it, as every scenario is called, whatever loaded the test.

It looks at tests and never runs one.
"""

from __future__ import annotations

import os
import sys
import unittest
import weakref
from typing import Any, Dict, Iterator, List, Optional, Tuple

Place = Tuple[str, int, List[str], str]


def tests_of(suite: Any) -> Iterator[Any]:
    """Every test of a suite, in its order."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from tests_of(test)
        elif test is not None:
            yield test


def import_failure(test: Any) -> Optional[Tuple[str, BaseException]]:
    """The name and exception of a module that could not be loaded; None for a real test."""
    if type(test).__name__ != "_FailedTest" or type(test).__module__ != "unittest.loader":
        return None
    error = getattr(test, "_exception", None)
    name = str(getattr(test, "_testMethodName", ""))
    return name, error if isinstance(error, BaseException) else ImportError(str(error))


class Names:
    """Tests to scenario ids and places; the same test has the same name as long as this lives."""

    def __init__(self, prefix: str, base: str) -> None:
        self.prefix = prefix
        self.base = base
        self.files: Dict[str, str] = {}
        self.known: Dict[int, Tuple[Any, str]] = {}
        self.every: List[str] = []
        #: Names by what stands before each `::` of theirs, as far as somebody asked.
        self.groups: Dict[str, List[str]] = {}
        self.grouped = 0
        self.taken: Dict[str, int] = {}

    def scenario(self, test: Any) -> str:
        told = self.known.get(id(test))
        if told is None:
            path = self.path(test)
            name = self.prefix + "::".join(path)
            count = self.taken[name] = self.taken.get(name, 0) + 1
            name = name if count == 1 else f"{name} #{count}"
            self.every.append(name)
            told = self.known[id(test)] = (self._held(test), name)
        return told[1]

    def _held(self, test: Any) -> Any:
        """Not longer than unittest holds it: what it has goes with it. Its number is then free for another."""
        number, known = id(test), self.known
        try:
            return weakref.ref(test, lambda _: known.pop(number, None))
        except TypeError:
            return test

    def below(self, group: str) -> List[str]:
        """Every scenario of a class or a module that was named so far."""
        for name in self.every[self.grouped :]:
            at = name.find("::")
            while at >= 0:
                self.groups.setdefault(name[:at], []).append(name)
                at = name.find("::", at + 2)
        self.grouped = len(self.every)
        return self.groups.get(group, [])

    def path(self, test: Any) -> List[str]:
        kind = type(test)
        method = getattr(test, "_testMethodName", None)
        # A function that was made a test stands where it was written.
        made_of = getattr(test, "_testFunc", None)
        file = self.file(str(getattr(made_of, "__module__", None) or kind.__module__))
        if method is not None and kind.__module__ not in ("unittest.case", "doctest"):
            return [file, *kind.__qualname__.split("."), str(method)]
        return [file, str(test.id())]

    def place(self, test: Any) -> Place:
        """File, line, names and docstring."""
        path = self.path(test)
        method = getattr(test, str(getattr(test, "_testMethodName", "")), None)
        inner: Any = method
        while hasattr(inner, "__wrapped__"):
            inner = inner.__wrapped__
        code = getattr(getattr(inner, "__func__", inner), "__code__", None)
        doc = getattr(method, "__doc__", None)
        return path[0], code.co_firstlineno if code else 0, path, doc if isinstance(doc, str) else ""

    def file(self, module: str) -> str:
        told = self.files.get(module)
        if told is None:
            source = getattr(sys.modules.get(module), "__file__", None)
            told = module.replace(".", "/") + ".py"
            if source:
                told = os.path.relpath(os.path.abspath(source), self.base).replace(os.sep, "/")
            self.files[module] = told
        return told

    def holder(self, description: str) -> Tuple[str, str]:
        """The id and label of a class or module fixture that failed: `setUpClass (module.Class)`."""
        what, _, where = description.partition(" (")
        names = where.rstrip(")")
        parts = names.split(".")
        for cut in range(len(parts), 0, -1):
            module = ".".join(parts[:cut])
            if module in sys.modules:
                return self.prefix + "::".join([self.file(module), *parts[cut:], what]), what
        return f"{self.prefix}{names}::{what}", what
