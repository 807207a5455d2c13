"""Checkpoints: safe to read whatever they hold, and small."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any

import pytest

from tests.unit.model.journals import PARENTS, SUB, A, B, Journal, exception, fold, view
from tracekit.model.fold import Fold
from tracekit.wire.problems import ProblemError


def journal() -> Journal:
    told = Journal().found(B, doc="story", path=["tests/a\x1fb.py", "x"]).red(A, exception("ValueError", "x"))
    told.ran("passed", SUB, parent=PARENTS[SUB]).start(B).add("output", stream="stdout", offset=3, length=4)
    return told.add("warning", message="old").add("run.started", mode="run", environment="local")


def forged(data: bytes, change: dict[str, Any]) -> bytes:
    """The same checkpoint with other contents and a right checksum."""
    header, _, packed = data.partition(b"\n")
    head, *rows = zlib.decompress(packed).split(b"\n")
    body = b"\n".join([json.dumps(json.loads(head) | change).encode(), *rows])
    packed = zlib.compress(body)
    facts = {
        "size": len(body),
        "packed": len(packed),
        "blake2b": hashlib.blake2b(packed, digest_size=16).hexdigest(),
    }
    return json.dumps(json.loads(header) | facts).encode() + b"\n" + packed


def refused(data: bytes) -> str:
    with pytest.raises(ProblemError) as caught:
        Fold.restore(data)
    assert caught.value.first.action
    return caught.value.first.code


def test_checkpoint__restored__then_the_same_answers_and_every_row_is_new_to_its_reader() -> None:
    first = fold(journal().lines)
    first.marks["local/journal.ndjson"] = 4711
    second = Fold.restore(first.checkpoint())
    assert view(second.state) == view(first.state)
    assert second.marks == {"local/journal.ndjson": 4711}
    assert second.state.take_changed() == set(range(len(first.state.ids)))
    assert second.state.generation == first.state.generation


def test_checkpoint__of_an_empty_fold__then_restored_empty() -> None:
    assert Fold.restore(Fold().checkpoint()).state.ids == []


def outcome(data: bytes) -> object:
    """What restoring gives: a view of the state, or the code of the refusal."""
    try:
        return view(Fold.restore(data).state)
    except ProblemError as fault:
        return fault.first.code


def test_checkpoint__with_any_byte_turned__then_refused_or_the_same() -> None:
    data = fold(journal().lines).checkpoint()
    allowed = [outcome(data), "model.checkpoint_damaged", "model.checkpoint_version"]
    for at in range(0, len(data), 3):
        assert outcome(data[:at] + bytes([data[at] ^ 0x21]) + data[at + 1 :]) in allowed


@pytest.mark.parametrize("keep", [0, 1, 40, 150, -1])
def test_checkpoint__cut_short__then_refused(keep: int) -> None:
    assert refused(fold(journal().lines).checkpoint()[:keep]) == "model.checkpoint_damaged"


def test_checkpoint__of_a_newer_version__then_refused_naming_both() -> None:
    data = fold(journal().lines).checkpoint().replace(b"checkpoint/5", b"checkpoint/6")
    with pytest.raises(ProblemError, match=r"version 6.*version 5"):
        Fold.restore(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"x" * 10_000,
        b"[]\n",
        b'{"schema":7}\n',
        b'{"schema":"other/1"}\n',
        b'{"schema":"tracekit.checkpoint/x"}\n',
    ],
)
def test_checkpoint__that_is_none__then_refused(data: bytes) -> None:
    assert refused(data) == "model.checkpoint_damaged"


def test_checkpoint__that_unpacks_to_more_than_it_names__then_refused_without_unpacking_it() -> None:
    packed = zlib.compress(bytes(50_000_000))
    header = {"schema": "tracekit.checkpoint/5", "size": 10, "packed": len(packed)}
    header["blake2b"] = hashlib.blake2b(packed, digest_size=16).hexdigest()
    assert refused(json.dumps(header).encode() + b"\n" + packed) == "model.checkpoint_damaged"


@pytest.mark.parametrize(
    "change",
    [
        {"told": "00"},
        {"told": "ff" * 3},
        {"told": "000000"},
        {"durations": [1]},
        {"durations": [1, 2, 1 << 70]},
        {"attempts": []},
        {"attempts": [1, 2, 3]},
        {"attempts": [(7 << 20) + 1, 1, 2]},
        {"facts": {}},
        {"facts": None},
        {"found": [[0], [0], [0]]},
        {"sources": [["a", 1]]},
        {"notices": [[1, 2]]},
        {"run": []},
        {"counters": []},
        {"marks": 3},
    ],
)
def test_checkpoint__forged_contents_with_a_right_checksum__then_refused(change: dict[str, Any]) -> None:
    assert refused(forged(fold(journal().lines).checkpoint(), change)) == "model.checkpoint_damaged"


def test_checkpoint__with_a_row_that_makes_no_sense__then_an_empty_attempt_and_counted() -> None:
    data = fold(Journal().ran("passed").lines).checkpoint()
    header, _, packed = data.partition(b"\n")
    head, _ = zlib.decompress(packed).split(b"\n")
    body = head + b"\n[7]"
    packed = zlib.compress(body)
    facts = {
        "size": len(body),
        "packed": len(packed),
        "blake2b": hashlib.blake2b(packed, digest_size=16).hexdigest(),
    }
    state = Fold.restore(json.dumps(json.loads(header) | facts).encode() + b"\n" + packed).state
    assert state.attempts(0)[0].verdict is None
    assert state.frozen is not None
    assert state.frozen.damaged == 1
