"""The trace of a run in Perfetto's own format: track events, field by field as its published schema numbers them."""

from __future__ import annotations

from collections.abc import Iterator

from tracekit.engine.view import RunView
from tracekit.report.timeline import Mark, Track, marks

# Numbers of fields: of a trace, a packet, a descriptor of a track, a track event, an annotation.
_PACKET = 1
_TIMESTAMP, _SEQUENCE, _EVENT, _FLAGS, _DESCRIPTOR = 8, 10, 11, 13, 60
_UUID, _NAME, _PROCESS, _THREAD, _PARENT = 1, 2, 3, 4, 5
_PROCESS_PID, _PROCESS_NAME = 1, 6
_THREAD_PID, _THREAD_TID, _THREAD_NAME = 1, 2, 5
_ANNOTATION, _TYPE, _TRACK, _CATEGORY, _EVENT_NAME = 4, 9, 11, 22, 23
_ANNOTATION_TEXT, _ANNOTATION_NAME = 6, 10
_TYPES = {"begin": 1, "end": 2, "moment": 3}
_CLEARED = 1
_SEQUENCE_ID = 1


def perfetto(view: RunView) -> Iterator[bytes]:
    """The packets."""
    tracks: dict[Track, int] = {}
    processes: dict[int, int] = {}
    told = marks(view)
    yield _packet(_varint(_FLAGS, _CLEARED))
    for mark in told:
        track = mark.track
        if track not in tracks:
            if track.pid not in processes:
                processes[track.pid] = len(tracks) + len(processes) + 1
                yield _process(processes[track.pid], track.pid)
            tracks[track] = len(tracks) + len(processes) + 1
            yield _described(tracks[track], processes[track.pid], track)
        yield _event(mark, tracks[track])


def _event(mark: Mark, track: int) -> bytes:
    body = _varint(_TYPE, _TYPES[mark.what]) + _varint(_TRACK, track)
    if mark.what != "end":
        body += _text(_CATEGORY, mark.category) + _text(_EVENT_NAME, mark.name)
        for name, text in mark.facts.items():
            body += _bytes(_ANNOTATION, _text(_ANNOTATION_NAME, name) + _text(_ANNOTATION_TEXT, text))
    return _packet(_varint(_TIMESTAMP, mark.time) + _bytes(_EVENT, body))


def _process(uuid: int, pid: int) -> bytes:
    process = _varint(_PROCESS_PID, pid) + _text(_PROCESS_NAME, f"process {pid}")
    return _packet(_bytes(_DESCRIPTOR, _varint(_UUID, uuid) + _bytes(_PROCESS, process)))


def _described(uuid: int, parent: int, track: Track) -> bytes:
    body = _varint(_UUID, uuid) + _varint(_PARENT, parent)
    if track.marks:
        body += _text(_NAME, "tests")
    else:
        thread = _varint(_THREAD_PID, track.pid) + _varint(_THREAD_TID, track.tid)
        body += _bytes(_THREAD, thread + (_text(_THREAD_NAME, track.name) if track.name else b""))
    return _packet(_bytes(_DESCRIPTOR, body))


def _packet(body: bytes) -> bytes:
    return _bytes(_PACKET, _varint(_SEQUENCE, _SEQUENCE_ID) + body)


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _varint(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _number(field << 3 | 2) + _number(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode("utf-8", "replace"))
