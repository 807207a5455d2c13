"""How each JavaScript runner is called: all of it, some files of it, some tests of those, or only to say what there is.

Words in, command lines out. A choice goes to the tool as a pattern over the names it joins, or to our reporter by the
ids themselves; never through a shell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Optional

NEVER = "(?!)"
# An argument that is longer the system does not take.
_LONGEST = 96 * 1024
#: So many processes for as many files; what is chosen from more is asked for in one, by all names at once.
_MOST_FILES = 24
_SPECIAL = re.compile(r"[\\^$.*+?()\[\]{}|/-]")
_NUMBER = re.compile(r"\[\d+\]$")
_NODE_NAMES = re.compile(r"(?:.*[.\-_])?test\.[cm]?[jt]s|test-.*\.[cm]?[jt]s")
_NODE_KINDS = (".js", ".cjs", ".mjs")
_SKIPPED = frozenset({"node_modules"})


class Call(NamedTuple):
    """One process: its words behind node's own, the ids that it is to run (None: all), the file it is for."""

    words: tuple[str, ...]
    only: Optional[tuple[str, ...]] = None
    file: str = ""


class Tool:
    """What the host knows of one runner."""

    def __init__(self, more: dict[str, Any], cwd: str, home: str) -> None:
        self.node = str(more.get("node") or "node")
        self.program = str(more.get("program") or "")
        self.version = str(more.get("version") or "")
        self.cwd = cwd
        self.home = home
        self.args: tuple[str, ...] = ()
        self.paths: tuple[str, ...] = ()
        self.ignore: tuple[str, ...] = ()

    @property
    def major(self) -> int:
        """The first number of its version."""
        found = re.match(r"\d+", self.version)
        return int(found.group()) if found else 0

    def all(self, *, discovers: bool) -> list[Call]:
        """Everything."""
        raise NotImplementedError

    def some(self, chosen: Sequence[tuple[str, str]]) -> list[Call]:
        """These (id, and what stands behind its prefix)."""
        raise NotImplementedError

    def reporter(self, name: str) -> str:
        """The path of a reporter of ours."""
        return os.path.join(self.home, name)

    def by_file(self, chosen: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
        """Ids and the names behind their file, by file."""
        found: dict[str, list[tuple[str, str]]] = {}
        for scenario, rest in chosen:
            file, _, names = rest.partition("::")
            found.setdefault(file, []).append((scenario, names))
        return found

    def by_pattern(self, chosen: Sequence[tuple[str, str]]) -> list[tuple[list[str], str, tuple[str, ...]]]:
        """Files, the pattern for the names in them, and the ids: no name is asked of a file that nobody named."""
        files = self.by_file(chosen)
        if len(files) > _MOST_FILES:
            calls: list[tuple[list[str], str, tuple[str, ...]]] = []
            for some in _chunks(list(dict.fromkeys(names for of in files.values() for _, names in of))):
                ids = tuple(one for of in files.values() for one, names in of if names in set(some))
                calls.append((list(files), _pattern(some), ids))
            return calls
        same: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}
        for file, of in files.items():
            mine = same.setdefault(tuple(sorted({names for _, names in of})), ([], []))
            mine[0].append(file)
            mine[1].extend(one for one, _ in of)
        return [
            (held, _pattern(some), tuple(ids))
            for names, (held, ids) in same.items()
            for some in _chunks(names)
        ]


class Vitest(Tool):
    """`vitest run`."""

    def _base(self) -> tuple[str, ...]:
        place = ("--includeTaskLocation",) if self.major >= 2 else ()
        ignored = tuple(f"--exclude={path}" for one in self.ignore for path in (one, f"{one}/**"))
        return (
            self.program,
            "run",
            *self.args,
            f"--reporter={self.reporter('vitest.mjs')}",
            *place,
            *ignored,
        )

    def all(self, *, discovers: bool) -> list[Call]:
        """Everything; to list is to choose nothing."""
        more = (f"--testNamePattern={NEVER}", "--passWithNoTests") if discovers else ()
        return [Call((*self._base(), *more, *self.paths))]

    def some(self, chosen: Sequence[tuple[str, str]]) -> list[Call]:
        """Files by their names, tests by a pattern."""
        calls = []
        for files, pattern, ids in self.by_pattern(chosen):
            places, projects = [], set()
            for file in files:
                project = re.fullmatch(r"(.*)\[([^\]]*)\]", file)
                if project and not os.path.exists(os.path.join(self.cwd, file)):
                    projects.add(project.group(2))
                    file = project.group(1)
                places.append(file)
            of = tuple(f"--project={name}" for name in sorted(projects))
            calls.append(Call((*self._base(), *of, f"--testNamePattern={pattern}", *places), ids))
        return calls


class Jest(Tool):
    """`jest`."""

    def _base(self) -> tuple[str, ...]:
        ignored = ("/node_modules/", *(f"^<rootDir>/{_literal(one)}(?:/|$)" for one in self.ignore))
        left = tuple(f"--testPathIgnorePatterns={one}" for one in ignored) if self.ignore else ()
        return (
            self.program,
            *self.args,
            f"--reporters={self.reporter('jest.cjs')}",
            "--testLocationInResults",
            *left,
        )

    def all(self, *, discovers: bool) -> list[Call]:
        """Everything; to list is to choose nothing."""
        more = (f"--testNamePattern={NEVER}", "--passWithNoTests", "--coverage=false") if discovers else ()
        places = tuple(_literal(one) for one in self.paths)
        return [Call((*self._base(), *more, *(("--", *places) if places else ())))]

    def some(self, chosen: Sequence[tuple[str, str]]) -> list[Call]:
        """Files by their paths, tests by a pattern."""
        return [
            Call((*self._base(), f"--testNamePattern={pattern}", "--runTestsByPath", *files), ids)
            for files, pattern, ids in self.by_pattern(chosen)
        ]


class Mocha(Tool):
    """`mocha`: our reporter stands in the process of the tests and takes out what is not chosen."""

    def _base(self) -> tuple[str, ...]:
        ignored = tuple(f"--ignore={path}" for one in self.ignore for path in (one, f"{one}/**"))
        return (self.program, *self.args, f"--reporter={self.reporter('mocha.cjs')}", *ignored)

    def all(self, *, discovers: bool) -> list[Call]:
        """Everything."""
        alone = ("--no-parallel",) if discovers else ()
        return [Call((*self._base(), *alone, *self.paths))]

    def some(self, chosen: Sequence[tuple[str, str]]) -> list[Call]:
        """The files that hold them, where they are named; else all are loaded as ever."""
        return [Call((*self._base(), "--no-parallel", *self.paths), tuple(one for one, _ in chosen))]


class Node(Tool):
    """node's own runner: a process a file, as `node --test` has it."""

    def all(self, *, discovers: bool) -> list[Call]:
        """Each file."""
        return [self._call(file, None, discovers=discovers) for file in self.files()]

    def some(self, chosen: Sequence[tuple[str, str]]) -> list[Call]:
        """Each file that holds some of them."""
        calls = []
        for file, of in self.by_file(chosen).items():
            # A file without any test is one test itself, and runs whole.
            only = tuple(one for one, _ in of) if any(names for _, names in of) else None
            calls.append(self._call(file, only, discovers=False))
        return calls

    def listing(self, file: str) -> Call:
        """What one file holds."""
        return self._call(file, None, discovers=True)

    def _call(self, file: str, only: Optional[tuple[str, ...]], *, discovers: bool) -> Call:
        chooses = ("--require", self.reporter("node_choose.cjs")) if discovers or only is not None else ()
        tells = (
            f"--test-reporter={self.reporter('node_reporter.mjs')}",
            "--test-reporter-destination=stdout",
        )
        return Call((*chooses, *(() if discovers else tells), *self.args, f"./{file}"), only, file)

    def files(self) -> list[str]:
        """What `node --test` would run, in the order of their names."""
        kinds = (*_NODE_KINDS, *((".ts", ".cts", ".mts") if self.major >= 24 else ()))
        found: list[str] = []
        for place in self.paths or (".",):
            full = os.path.join(self.cwd, place)
            if os.path.isfile(full):
                found.append(os.path.normpath(place))
                continue
            for folder, folders, names in os.walk(full):
                folders[:] = sorted(one for one in folders if one not in _SKIPPED and not one.startswith("."))
                where = os.path.relpath(folder, self.cwd)
                own = "test" in where.split(os.sep)
                found += [
                    os.path.normpath(os.path.join(where, name))
                    for name in sorted(names)
                    if name.endswith(kinds) and (own or _NODE_NAMES.fullmatch(name))
                ]
        kept = [file.replace(os.sep, "/") for file in dict.fromkeys(found)]
        return [file for file in kept if not any(_below(file, one) for one in self.ignore)]


TOOLS: dict[str, type[Tool]] = {"vitest": Vitest, "jest": Jest, "mocha": Mocha, "node": Node}


def _below(file: str, place: str) -> bool:
    place = place.rstrip("/").removeprefix("./")
    return file == place or file.startswith(place + "/")


def _literal(text: str) -> str:
    """A text as a pattern of JavaScript's that means it."""
    return _SPECIAL.sub(lambda found: "\\" + found.group() if found.group() != "-" else "\\x2d", text)


def _pattern(names: Iterable[str]) -> str:
    """Tools join names by a space, some by an angle; an id joins them by `::`, which may stand in a name as well."""
    found = []
    for one in names:
        number = _NUMBER.search(one)
        text = one[: number.start()] if number else one
        parts = "(?: |::| > )".join(_literal(part) for part in text.split("::"))
        found.append(parts + (f"(?:{_literal(number.group())})?" if number else ""))
    return f"^ ?(?:{'|'.join(found)})$"


def _chunks(names: Iterable[str]) -> list[list[str]]:
    """Names in as many parts as there are arguments of a size that the system takes."""
    found: list[list[str]] = [[]]
    size = 0
    for name in names:
        cost = 2 * len(name.encode("utf-8", "replace")) + 16
        if found[-1] and size + cost > _LONGEST:
            found.append([])
            size = 0
        found[-1].append(name)
        size += cost
    return found
