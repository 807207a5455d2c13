"""How programs of tests are called in ids, and what is told of those that are not there: a line each for what keeps
them from being built, as far as anybody asked for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tracekit.agent.hosts.cargo_build import Built
from tracekit.agent.hosts.cargo_partly import Missing
from tracekit.agent.hosts.doctests import DOC, UnlistedError
from tracekit.agent.hosts.request import Request

CODE = "cargo.build_failed"

Name = Callable[[str], tuple[str, bool]]


class Paths:
    """The first part of each program's ids: its source, and what it is where several have one source."""

    def __init__(self, built: Built, name: Name) -> None:
        self._name = name
        lost = [source for one in built.missing for source, _, _ in one.sources]
        # One that does not compile today must not change what its neighbour is called.
        every = [*(target.source for target in built.targets), *lost]
        self._shared = {source for source in every if every.count(source) > 1}

    def of(self, source: str, kind: str, name: str) -> str:
        """What a program is called."""
        file = self._name(source)[0]
        return f"{file}[{kind} {name}]" if source in self._shared else file


class Unbuilt:
    """The parts of a workspace that were not built."""

    def __init__(self, request: Request, built: Built, paths: Paths, name: Name) -> None:
        self._request = request
        self._paths = paths
        self._name = name
        self._missing = built.missing
        only = request.only
        self._heads = None if only is None else {one.partition("::")[0] for one in only}
        documented = [one.partition("::")[0] for one in only or () if f"::{DOC}::" in one]
        #: How the ids of those documentation tests begin that were chosen.
        self.documents = list(dict.fromkeys(documented))

    def lines(self) -> list[dict[str, Any]]:
        """The fields of a line for each that somebody asked for."""
        return [self._line(one) for one in self._missing if self._asked(one)]

    def reasons(self) -> dict[str, str]:
        """Why scenarios that were chosen are not there, by how their ids begin."""
        found: dict[str, str] = {}
        for one in self._missing if self._heads is not None else ():
            for head in (*self._programs(one), *self._lost_documents(one)):
                if head in (self._heads or ()):
                    found.setdefault(head, one.message)
        return found

    def unlisted(self, fault: UnlistedError, command: Sequence[str]) -> dict[str, Any]:
        """The fields of a line for documentation tests of which there is no list."""
        facts = {"suite": self._request.suite, "file": "", "line": 0, "code": "cargo.doc_tests_unlisted"}
        alone = " ".join(["cargo", *command[1:], "--", "--list"])
        more = {"failure": None, "detail": fault.text, "remedy": f"`{alone}` shows it alone"}
        return {**facts, "message": f"the documentation tests could not be listed: {fault.why}", **more}

    def _line(self, one: Missing) -> dict[str, Any]:
        facts = {
            "suite": self._request.suite,
            "file": self._name(one.file)[0],
            "line": one.line,
            "code": CODE,
        }
        return {**facts, "message": one.message, "failure": None, "detail": one.text, "remedy": one.remedy}

    def _asked(self, one: Missing) -> bool:
        if self._heads is None:
            files = [self._name(source)[0] for source, _, _ in one.sources] or [self._name(one.file)[0]]
            return any(map(self._request.under, files))
        return any(head in self._heads for head in self._programs(one)) or bool(self._lost_documents(one))

    def _programs(self, one: Missing) -> list[str]:
        return [self._request.prefix + self._paths.of(*source) for source in one.sources]

    def _lost_documents(self, one: Missing) -> Sequence[str]:
        """The files, as ids begin, whose documentation tests were chosen and are not there."""
        if not one.documentation:
            return ()
        folder = self._name(one.documentation)[0].rstrip("/")
        start = self._request.prefix + ("" if folder == "." else f"{folder}/")
        return [head for head in self.documents if head.startswith(start)]
