"""Redaction: every form, at every place where a stream may be cut, and JSON that stays JSON."""

from __future__ import annotations

import base64
import json

import pytest

from tests.unit.agent.samples import SECRETS
from tracekit.agent.redact import Redactor, StreamRedactor
from tracekit.wire.secrets import forms

MARKS = {name: f"«redacted:{name}»".encode() for name in SECRETS}


def through(redactor: Redactor, pieces: list[bytes]) -> bytes:
    stream: StreamRedactor[int] = StreamRedactor(redactor)
    found = [piece for number, data in enumerate(pieces) for _, piece in stream.feed(number, data)]
    return b"".join(found + [piece for _, piece in stream.flush()])


@pytest.mark.parametrize("name", SECRETS)
def test_stream__every_form_cut_at_every_byte__then_the_mark_stands_in_its_place(name: str) -> None:
    redactor = Redactor(SECRETS)
    for form in forms(SECRETS[name]):
        text = b"before " + form + b" after"
        whole = through(redactor, [text])
        assert form not in whole
        assert MARKS[name] in whole
        for cut in range(len(text) + 1):
            assert through(redactor, [text[:cut], text[cut:]]) == whole


def test_stream__one_byte_at_a_time__then_as_whole() -> None:
    redactor = Redactor(SECRETS)
    text = b"a" + b"".join(form + b"|" for value in SECRETS.values() for form in forms(value))
    assert through(redactor, [bytes([byte]) for byte in text]) == through(redactor, [text])


def test_stream__base64_of_a_text_around_the_secret__then_no_letter_that_tells_of_it() -> None:
    redactor = Redactor(SECRETS)
    for before in range(3):
        encoded = base64.b64encode(b"u" * before + SECRETS["PLAIN"].encode() + b":tail")
        assert encoded not in through(redactor, [encoded])
        assert b"redacted:PLAIN" in through(redactor, [encoded])


def test_stream__tail_that_begins_no_form__then_nothing_is_kept_back() -> None:
    stream: StreamRedactor[int] = StreamRedactor(Redactor(SECRETS))
    assert stream.feed(1, b"a line\n") == [(1, b"a line\n")]
    assert stream.held == []


def test_stream__tail_that_may_begin_a_form__then_only_that_is_kept_and_belongs_to_whom_it_came_from() -> (
    None
):
    secret = SECRETS["PLAIN"].encode()
    stream: StreamRedactor[str] = StreamRedactor(Redactor(SECRETS))
    assert stream.feed("first", b"x" + secret[:5]) == [("first", b"x")]
    assert stream.feed("second", b"no\n") == [("first", secret[:5]), ("second", b"no\n")]


def test_stream__end__then_what_was_kept_back_is_given() -> None:
    secret = SECRETS["PLAIN"].encode()
    stream: StreamRedactor[int] = StreamRedactor(Redactor({"PLAIN": SECRETS["PLAIN"]}))
    stream.feed(1, secret[:-1])
    assert stream.flush() == [(1, secret[:-1])]


def test_stream__no_secrets__then_the_very_same_object_passes() -> None:
    data = b"anything"
    stream: StreamRedactor[int] = StreamRedactor(Redactor({}))
    assert stream.feed(1, data)[0][1] is data


def test_line__secret_in_text_key_and_nested__then_redacted_and_still_json() -> None:
    redactor = Redactor(SECRETS)
    for value in SECRETS.values():
        obj = {
            "e": "failure",
            "n": 1,
            "message": f"got {value}!",
            "chain": [{"locals": {value: repr(value)}}],
        }
        line = redactor.line(json.dumps(obj).encode() + b"\n")
        back = json.loads(line)
        assert value not in json.dumps(back, ensure_ascii=False)
        assert line.isascii()
        assert (back["e"], back["n"]) == ("failure", 1)


def test_line__json_inside_json__then_the_secret_escaped_twice_is_found_too() -> None:
    value = SECRETS["QUOTED"]
    inner = json.dumps({"password": value})
    line = Redactor(SECRETS).line(json.dumps({"e": "log", "text": inner}).encode())
    assert json.dumps(value)[1:-1] not in json.loads(line)["text"]


def test_line__word_of_the_schema_is_a_secret__then_structure_stays_and_text_goes() -> None:
    redactor = Redactor({"A": "passed", "B": "attempt"})
    line = redactor.line(b'{"e":"attempt.ended","verdict":"passed","reason":"it passed"}\n')
    assert json.loads(line) == {"e": "attempt.ended", "verdict": "passed", "reason": "it «redacted:A»"}


def test_line__number_like_a_secret__then_it_stays_a_number() -> None:
    line = Redactor({"PIN": "12345"}).line(b'{"e":"x","m":12345,"text":"12345"}\n')
    assert json.loads(line) == {"e": "x", "m": 12345, "text": "«redacted:PIN»"}


def test_line__secret_in_what_is_not_json__then_nothing_of_it_is_kept() -> None:
    line = Redactor(SECRETS).line(b"{broken " + SECRETS["PLAIN"].encode() + b"}\n")
    assert SECRETS["PLAIN"].encode() not in line
    assert json.loads(line)["e"] == "gap"
