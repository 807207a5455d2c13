"""The inventory: what discovery found in a project, kept with the marks of the files it was found in.

One file a project and profile in the cache, written whole and renamed: a head, then the lines by which discovery told
the scenarios, in its order. A line stands for neighbours of one file, so that one changed file replaces only its own.
"""

from __future__ import annotations

import json
import os
import re
from _json import encode_basestring_ascii as quote
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple

from tracekit.model.facts import ScenarioFacts
from tracekit.model.reading import read_json
from tracekit.model.scenarios import found_facts, group_facts
from tracekit.store.survey import SCRIPTS, Stale, Survey
from tracekit.wire import lines
from tracekit.wire.ids import id_prefix
from tracekit.wire.lines import LineError
from tracekit.wire.names import SCENARIO_SCHEMA, E

_SCHEMA = "tracekit.inventory/3"
# Beyond so many files one look at everything costs less than choosing.
MOST_FILES = 200
# Sources of other languages say nothing to a runner.
_NOT_OF = {
    "pytest": (".rs", ".go", *SCRIPTS),
    "unittest": (".rs", ".go", *SCRIPTS),
    "cargo": (".py", ".go", *SCRIPTS),
    "go": (".py", ".rs", *SCRIPTS),
    **dict.fromkeys(("vitest", "jest", "mocha", "node"), (".py", ".rs", ".go")),
}
_TELL = frozenset({E.SCENARIO_FOUND, E.SCENARIOS_FOUND})
_OF_A_JOURNAL = frozenset({"v", "n", "src", "t", "m", "run"})
_HEAD = re.compile(
    rb'\{"v":\d+,"src":"[^"\\]*","run":"[^"\\]*","n":\d+,"t":\d+,"m":\d+,(?="e":"scenarios?\.found",)'
)


class Run(NamedTuple):
    """Lines that follow each other and tell of one file: where it stands below the root, how many, of how much."""

    place: str
    lines: int
    scenarios: int


class Inventory(NamedTuple):
    """The lines that tell scenarios (without what is particular to one journal), and the problems discovery met."""

    root: str
    survey: Survey
    told: tuple[bytes, ...]
    runs: tuple[Run, ...]
    suites: tuple[dict[str, Any], ...] = ()
    problems: tuple[dict[str, Any], ...] = ()

    @property
    def size(self) -> int:
        """How many scenarios there are."""
        return sum(run.scenarios for run in self.runs)

    def scenarios(self) -> Iterator[ScenarioFacts]:
        """Every scenario, in the order of discovery."""
        for line in self.told:
            yield from facts_of(line)

    def holding(self) -> set[str]:
        """The files that hold scenarios or could not be collected, below the root."""
        return {run.place for run in self.runs} | set(self.broken())

    def broken(self) -> Iterator[str]:
        """Files that could not be collected."""
        for problem in self.problems:
            if problem.get("file"):
                yield place_of(self.root, self.suites, problem.get("suite") or "", problem["file"])

    def rows(self) -> Iterator[bytes]:
        """The lines that `list --json` prints."""
        for line in self.told:
            yield from rows_of(line)

    def with_files(self, newer: Inventory, files: Collection[str]) -> Inventory:
        """The same, but of `files` (places below the root) only what the newer one tells, in the place of the old."""
        fresh: dict[str, list[tuple[Run, tuple[bytes, ...]]]] = {}
        for run, told in newer.pieces():
            fresh.setdefault(run.place, []).append((run, told))
        kept: list[tuple[Run, tuple[bytes, ...]]] = []
        for run, told in self.pieces():
            if run.place not in files:
                kept.append((run, told))
            else:
                kept += fresh.pop(run.place, ())
        for place, more in sorted(fresh.items()):
            at = next(
                (at for at, (run, _) in enumerate(kept) if _parts(run.place) > _parts(place)), len(kept)
            )
            kept[at:at] = more
        told = tuple(line for _, lines in kept for line in lines)
        return newer._replace(told=told, runs=tuple(run for run, _ in kept))

    def pieces(self) -> Iterator[tuple[Run, tuple[bytes, ...]]]:
        """Each run of lines with its lines."""
        at = 0
        for run in self.runs:
            yield run, self.told[at : at + run.lines]
            at += run.lines


def place_of(root: str, suites: Iterable[dict[str, Any]], suite: str, file: str) -> str:
    """Where a scenario's file stands below the root; what is outside keeps its way there."""
    folder = next((one["cwd"] for one in suites if one.get("name", "") == suite), root)
    return os.path.relpath(os.path.normpath(os.path.join(folder, file)), root)


def runs_of(root: str, suites: Iterable[dict[str, Any]], told: Iterable[bytes]) -> tuple[Run, ...]:
    """The runs of lines by their files."""
    suites = tuple(suites)
    known: dict[tuple[str, str], str] = {}
    runs: list[Run] = []
    for line in told:
        held = read_json(line)
        of = held.get("suite") or "", held.get("file") or ""
        place = known.get(of)
        if place is None:
            place = known[of] = place_of(root, suites, *of)
        names = held.get("names")
        size = len(names) if held["e"] == E.SCENARIOS_FOUND and isinstance(names, list) else 1
        if runs and runs[-1].place == place:
            runs[-1] = Run(place, runs[-1].lines + 1, runs[-1].scenarios + size)
        else:
            runs.append(Run(place, 1, size))
    return tuple(runs)


class InventoryStore:
    """Inventories below one cache directory."""

    def __init__(self, cache: str | os.PathLike[str]) -> None:
        self._folder = os.path.join(cache, "inventory")
        # The last one that was read or kept, with what tells its file from any other.
        self._held: tuple[object, Inventory] | None = None

    def load(self, root: str, key: str) -> Inventory | None:
        """The kept inventory, stale or not; the caller compares surveys."""
        try:
            with open(self.file(root, key), "rb") as file:
                mark = _mark(root, key, file)
                if self._held is not None and self._held[0] == mark:
                    return self._held[1]
                data = file.read()
        except OSError:
            return None
        found = _read(root, data)
        if found is not None:
            self._held = mark, found
        return found

    def save(self, inventory: Inventory, key: str) -> None:
        """Keep an inventory; a full disk only means that it is discovered again."""
        head = {
            "schema": _SCHEMA,
            "root": inventory.root,
            "ground": inventory.survey.ground,
            "size": sum(map(len, inventory.told)),
            "suites": list(inventory.suites),
            "problems": list(inventory.problems),
            "runs": inventory.runs,
            "sources": inventory.survey.sources,
        }
        place = self.file(inventory.root, key)
        part = f"{place}.{os.getpid()}.part"
        try:
            os.makedirs(self._folder, exist_ok=True, mode=0o700)
            with open(part, "wb") as file:
                file.write(json.dumps(head, separators=(",", ":")).encode("ascii") + b"\n")
                file.writelines(inventory.told)
                file.flush()
                mark = _mark(inventory.root, key, file)
            os.replace(part, place)
            self._held = mark, inventory
        except OSError:
            with suppress(OSError):
                os.unlink(part)

    def file(self, root: str, key: str) -> str:
        """Where the inventory of a project is kept."""
        name = blake2b(os.fsencode(f"{root}\0{key}"), digest_size=16).hexdigest()
        return os.path.join(self._folder, f"{name}.ndjson")


def _mark(root: str, key: str, file: BinaryIO) -> object:
    facts = os.fstat(file.fileno())
    return root, key, facts.st_ino, facts.st_size, facts.st_mtime_ns


def _read(root: str, data: bytes) -> Inventory | None:
    """An inventory of this project as it was kept; None for anything else."""
    first, _, body = data.partition(b"\n")
    try:
        head = read_json(first)
        if head["schema"] != _SCHEMA or head["root"] != root or head["size"] != len(body):
            return None
        sources = {str(name): (int(size), int(time)) for name, (size, time) in head["sources"].items()}
        told = tuple(body.splitlines(keepends=True))
        runs = tuple(Run(str(place), int(count), int(size)) for place, count, size in head["runs"])
        if sum(run.lines for run in runs) != len(told):
            return None
        return Inventory(
            root,
            Survey(str(head["ground"]), sources),
            told,
            runs,
            tuple(head["suites"]),
            tuple(head["problems"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def asked_again(kept: Inventory, again: Stale) -> list[str] | None:
    """The ids of the files to ask for; None where only everything will do."""
    files = {*again.files, *kept.broken()} - again.gone
    if again.whole or len(files) > MOST_FILES:
        return None
    asked: list[str] = []
    for suite in kept.suites:
        for file in sorted(files):
            path = os.path.join(kept.root, file)
            if not _covers(suite, path) or file.endswith(_NOT_OF.get(suite["runner"], ())):
                continue
            if suite["runner"] != "pytest":
                return None  # its runner takes names of tests, not of files
            relative = os.path.relpath(path, suite["cwd"]).replace(os.sep, "/")
            asked.append(id_prefix(suite["runner"], suite.get("name", "")) + relative)
    return asked


def _covers(suite: dict[str, Any], path: str) -> bool:
    places = [os.path.normpath(os.path.join(suite["cwd"], place)) for place in suite.get("paths") or ["."]]
    return any(path == place or path.startswith(place + os.sep) for place in places)


def telling(journal: Iterable[bytes]) -> Iterator[bytes]:
    """Of a journal's lines those that tell scenarios, without what is particular to that journal."""
    for raw in journal:
        if b'"e":"scenario' not in raw:
            continue
        head = _HEAD.match(raw)
        if head is not None and lines.flat(raw) and raw.endswith(b"\n"):
            # As our own agents write it: what tells the scenarios is the rest of the line.
            rest = b"{" + raw[head.end() :]
            with suppress(ValueError):
                told = read_json(rest)
                if told["e"] in _TELL and _OF_A_JOURNAL.isdisjoint(told):
                    yield rest
                    continue
        try:
            line = lines.decode(raw)
        except LineError:
            continue
        if line.get("e") in _TELL:
            yield lines.encode({name: value for name, value in line.items() if name not in _OF_A_JOURNAL})


def facts_of(line: bytes) -> Iterator[ScenarioFacts]:
    """The scenarios of one kept line."""
    told = read_json(line)
    if told.get("e") == E.SCENARIOS_FOUND:
        return iter(group_facts(told))
    return iter((found_facts(told["scenario"], told, -1),))


def rows_of(line: bytes) -> Iterator[bytes]:
    """The lines that `list --json` prints for the scenarios of one kept line."""
    # Written by hand, and what neighbours share only once: tens of thousands are printed by a command that must
    # answer at once.
    shared: tuple[object, ...] = ()
    head = above = middle = tail = ""
    for facts in facts_of(line):
        of = (facts.tags, facts.suite, facts.runner, facts.file, facts.components, facts.path[:-1])
        if of != shared:
            shared = of
            head = f',"suite":{quote(facts.suite)},"runner":{quote(facts.runner)},"name":'
            above = "".join(quote(name) + "," for name in facts.path[:-1])
            middle = f'],"file":{quote(facts.file)},"line":'
            tail = f',"tags":{_array(facts.tags)},"components":{_array(facts.components)},"doc":'
        name = quote(facts.name)
        yield (
            f'{{"schema":"{SCENARIO_SCHEMA}","id":{quote(facts.id)}{head}{name},"path":[{above}{name}'
            f"{middle}{facts.line}{tail}{quote(facts.doc)}}}\n"
        ).encode("ascii")


def row(facts: ScenarioFacts) -> bytes:
    """The line that `list --json` prints for a scenario."""
    path = facts.path or (facts.id,)
    told = {
        "schema": SCENARIO_SCHEMA,
        "id": facts.id,
        "suite": facts.suite,
        "runner": facts.runner,
        "name": path[-1],
    }
    more = {
        "path": path,
        "file": facts.file,
        "line": facts.line,
        "tags": facts.tags,
        "components": facts.components,
    }
    return lines.encode({**told, **more, "doc": facts.doc})


def _array(words: Iterable[str]) -> str:
    return f"[{','.join(map(quote, words))}]"


def _parts(place: str) -> list[str]:
    return place.split(os.sep)
