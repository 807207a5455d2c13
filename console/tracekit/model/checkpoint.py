"""A fold as bytes and back, so that a long run opens without folding it again.

JSON under a header with a version and a hash: a file may come from anywhere, so reading one must never run
anything. A damaged or newer checkpoint is refused as a problem; losing one costs only time.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from array import array
from typing import TYPE_CHECKING, Any

from tracekit.model.facts import ScenarioFacts
from tracekit.model.reading import read_json
from tracekit.model.rows import Frozen, encode, freeze, span_from, span_row
from tracekit.model.sources import Source
from tracekit.model.state import ATTEMPT_BITS, MAX_ATTEMPT, RunState
from tracekit.model.status import WORDS, Status
from tracekit.wire.ids import SUBTEST_MARK
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.model.fold import Fold
    from tracekit.model.records import Key

NAME = "tracekit.checkpoint"
VERSION = 5
# Far above any run that fits on a screen, far below what would exhaust a machine.
MAX_SIZE = 2 << 30
_MAX_HEADER = 4096
_LEVEL = 1
_SEPARATOR = "\x1f"

_UNREADABLE = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


def write(fold: Fold) -> bytes:
    """The whole fold as bytes."""
    rows = dict(freeze(fold.state.records, fold.state.frozen, _numbers(fold)))
    # The rows of attempts stand as lines of their own, so that restoring need not read them.
    body = "\n".join((encode(_payload(fold, list(rows))), *rows.values())).encode("ascii")
    packed = zlib.compress(body, _LEVEL)
    header = {
        "schema": f"{NAME}/{VERSION}",
        "size": len(body),
        "packed": len(packed),
        "blake2b": hashlib.blake2b(packed, digest_size=16).hexdigest(),
    }
    return encode(header).encode("ascii") + b"\n" + packed


def read(data: bytes) -> Fold:
    """Go on from a checkpoint; raises ProblemError when it is damaged or of another version."""
    header, packed = _split(data)
    try:
        unpack = zlib.decompressobj()
        body = unpack.decompress(packed, header["size"] + 1)
        if len(body) != header["size"] or not unpack.eof:
            raise _damaged("its length is not the one it names")
        head, *rows = body.decode("ascii").split("\n")
        return _fold(read_json(head), rows)
    except (zlib.error, *_UNREADABLE) as fault:
        raise _damaged(f"its contents cannot be read ({type(fault).__name__})") from fault


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    end = data.find(b"\n", 0, _MAX_HEADER)
    try:
        header = json.loads(data[: max(end, 0)])
        name, _, version = header["schema"].partition("/")
        number = int(version)
    except _UNREADABLE as fault:
        raise _damaged("it has no header") from fault
    if name != NAME:
        raise _damaged(f"it is a {name[:40]!r}, not a {NAME}")
    if number != VERSION:
        raise ProblemError(
            Problem(
                "model.checkpoint_version",
                f"the checkpoint has version {number}, this program reads version {VERSION}",
                "checkpoint",
                "delete the run's checkpoints: they are made again from the journal",
            )
        )
    packed = data[end + 1 :]
    size = header.get("size")
    if type(size) is not int or not 0 <= size <= MAX_SIZE or header.get("packed") != len(packed):
        raise _damaged("it was cut short")
    if hashlib.blake2b(packed, digest_size=16).hexdigest() != header.get("blake2b"):
        raise _damaged("its checksum does not match")
    return header, packed


def _damaged(why: str) -> ProblemError:
    return ProblemError(
        Problem(
            "model.checkpoint_damaged",
            f"the checkpoint cannot be used: {why}",
            "checkpoint",
            "delete the run's checkpoints: they are made again from the journal",
        )
    )


# -- out


def _numbers(fold: Fold) -> dict[str, int]:
    return {src: at for at, src in enumerate(fold.sources)}


def _payload(fold: Fold, attempts: list[int]) -> dict[str, Any]:
    state = fold.state
    numbers = _numbers(fold)
    lines = fold.run_lines
    damaged = state.damaged + (state.frozen.damaged if state.frozen is not None else 0)
    return {
        "marks": fold.marks,
        "sources": [[src, *source.to_json()] for src, source in fold.sources.items()],
        "run": [[[name, key, line] for name, (key, line) in kept.items()] for kept in lines.kept],
        "counters": [state.generation, damaged, state.unknown, state.untraced, state.wordless],
        "told": state.told.hex(),
        "durations": state.duration.tolist(),
        "facts": _facts_out(state),
        "found": [
            [0 if key is None else key[0] for key in state.found],
            [-1 if key is None else numbers[key[1]] for key in state.found],
            [0 if key is None else key[2] for key in state.found],
        ],
        "attempts": attempts,
        "notices": [[key, line] for key, line in fold.notice_lines],
        "runner": [span_row(span, numbers) for span in state.runner_spans],
    }


def _facts_out(state: RunState) -> dict[str, Any]:
    # Thousands of rows share a few files, suites and tag lists: those stand once in `words`.
    words: dict[tuple[Any, ...], int] = {}
    shared = [(one.suite, one.runner, one.file, one.tags, one.components) for one in state.facts]
    for word in shared:
        words.setdefault(word, len(words))
    return {
        "ids": state.ids,
        "words": list(words),
        "word": [words[word] for word in shared],
        "paths": [_SEPARATOR.join(one.path) for one in state.facts],
        # A name may hold the separator: such a path stands as a list.
        "odd": [[i, one.path] for i, one in enumerate(state.facts) if _SEPARATOR in "".join(one.path)],
        "lines": [one.line for one in state.facts],
        "parents": [one.parent for one in state.facts],
        "docs": [[i, one.doc, one.story] for i, one in enumerate(state.facts) if one.doc or one.story],
    }


# -- in


def _fold(payload: dict[str, Any], rows: list[str]) -> Fold:
    from tracekit.model.fold import Fold

    fold = Fold()
    state = fold.state
    fold.marks = {str(name): int(at) for name, at in payload["marks"].items()}
    for src, *row in payload["sources"]:
        source = fold.sources[str(src)] = Source.from_json(row)
        if source.missing:
            state.missing[str(src)] = source.missing
    sources = list(fold.sources)
    _facts_in(state, payload["facts"])
    state.told = bytearray.fromhex(payload["told"])
    state.status = bytearray(state.told)
    state.duration = array("q", payload["durations"])
    state.found = [
        None if src < 0 else (t, sources[src], n) for t, src, n in zip(*payload["found"], strict=True)
    ]
    _attempts_in(state, payload["attempts"])
    state.frozen = Frozen(dict(zip(payload["attempts"], rows, strict=True)), sources)
    _check(state)
    lines = fold.run_lines
    for kept, told in zip(lines.kept, payload["run"], strict=True):
        kept.update({str(name): (_key(key), dict(line)) for name, key, line in told})
    for key, line in payload["notices"]:
        fold.take_notice(_key(key), dict(line))
    for row in payload["runner"]:
        state.add_runner_output(span_from(row, sources))
    state.run = lines.facts()
    state.show_again()
    counters = (int(count) for count in payload["counters"])
    state.generation, state.damaged, state.unknown, state.untraced, state.wordless = counters
    state.all_changed()
    return fold


def _key(row: Any) -> Key:
    t, src, n = row
    return int(t), str(src), int(n)


def _facts_in(state: RunState, columns: dict[str, Any]) -> None:
    words = [
        (str(suite), str(runner), str(file), tuple(map(str, tags)), tuple(map(str, components)))
        for suite, runner, file, tags, components in columns["words"]
    ]
    ids, facts = state.ids, state.facts
    ids.extend(columns["ids"])
    rows = zip(ids, columns["word"], columns["paths"], columns["lines"], columns["parents"], strict=True)
    for scenario, word, path, line, parent in rows:
        suite, runner, file, tags, components = words[word]
        facts.append(
            ScenarioFacts(
                scenario,
                suite,
                runner,
                tuple(path.split(_SEPARATOR)),
                file,
                line,
                tags,
                "",
                parent,
                components,
            )
        )
        if parent >= 0:
            state.children.setdefault(parent, []).append(len(facts) - 1)
    for i, path in columns["odd"]:
        facts[i].path = tuple(map(str, path))
    for i, doc, story in columns["docs"]:
        facts[i].doc, facts[i].story = str(doc), str(story)
    state.index = {scenario: i for i, scenario in enumerate(ids)}


def _attempts_in(state: RunState, keys: list[int]) -> None:
    size = len(state.ids)
    state.latest = array("i", bytes(4 * size))
    state.attempts_count = array("i", bytes(4 * size))
    for key in keys:
        i, number = key >> ATTEMPT_BITS, key & MAX_ATTEMPT
        latest = state.latest[i]
        if latest or number != 1:
            state.numbers[i] = sorted({number, *state.attempt_numbers(i)})
        state.latest[i] = max(latest, number)
        state.attempts_count[i] += 1


def _check(state: RunState) -> None:
    """Refuse what a fold could not have written; whatever passes can be read without a fault."""
    size = len(state.ids)
    whole = len(state.index) == len(state.told) == len(state.duration) == len(state.found) == size
    known = all(status < len(WORDS) for status in set(state.told))
    lines = array("q", [facts.line for facts in state.facts])
    if not (whole and known and len("".join(state.ids)) and len(lines) == size) and size:
        raise _damaged("its columns do not fit together")
    if any(
        (told == Status.PENDING) != (latest == 0)
        for told, latest in zip(state.told, state.latest, strict=True)
    ):
        raise _damaged("its statuses do not fit its attempts")
    for parent, children in state.children.items():
        if any(not state.ids[child].startswith(state.ids[parent] + SUBTEST_MARK) for child in children):
            raise _damaged("its sub-tests do not fit their parents")
