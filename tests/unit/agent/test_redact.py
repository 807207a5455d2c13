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


@pytest.mark.parametrize("value", [*SECRETS.values(), "it's-a-\tsecret", "sécret-with-a-'-in-it"])
def test_line__secret_as_pythons_literals_write_it__then_redacted(value: str) -> None:
    raw = value.encode()
    texts = [
        ascii(value),
        repr(raw),
        repr([value, raw]),
        value.encode("unicode_escape").decode(),
        f"b{raw!r}",
    ]
    for text in [*texts, *map(json.dumps, texts)]:
        line = Redactor({"S": value}).line(json.dumps({"e": "log", "text": text}).encode())
        left = json.loads(line)["text"].replace("«redacted:S»", "")
        assert set(left) <= set("'\\\"[], b")


LONG = "correct-horse-battery-staple"


@pytest.mark.parametrize("mark", ["…", "...", "… (12 more)", ".....", "…]"])
@pytest.mark.parametrize("size", [8, 15, len(LONG) - 1])
def test_line__secret_cut_before_it_came_here__then_the_part_beside_the_mark_goes(
    mark: str, size: int
) -> None:
    redactor = Redactor({"S": LONG})
    for text in (f"got {LONG[:size]}{mark}", f"{mark.rstrip(']')}{LONG[-size:]} seen"):
        if text.endswith("seen") and "more" in text:
            continue
        line = redactor.line(json.dumps({"e": "log", "text": text, "other": [text]}).encode())
        told = json.loads(line)
        assert "redacted:S" in told["text"]
        assert "corr" not in told["text"]
        assert "aple" not in told["text"]
        assert told["other"] == [told["text"]]


@pytest.mark.parametrize(
    "text", ["correct... and more", "correct-horse stays", "a…b", "....", "x" * 50 + "…"]
)
def test_line__text_that_only_resembles_a_cut_secret__then_it_stays(text: str) -> None:
    line = json.dumps({"e": "log", "text": text}).encode()
    assert json.loads(Redactor({"S": LONG}).line(line))["text"] == text


def test_line__both_sides_of_a_mark__then_both_parts_go() -> None:
    line = json.dumps({"e": "log", "text": f"'{LONG[:9]}...{LONG[-9:]}' and {LONG}"}).encode()
    told = json.loads(Redactor({"S": LONG}).line(line))["text"]
    assert told == "'«redacted:S»...«redacted:S»' and «redacted:S»"


@pytest.mark.parametrize("size", range(3 * len(LONG)))
def test_tail__border_at_every_byte__then_no_part_of_the_secret_is_in_it(size: int) -> None:
    redactor = Redactor({"S": LONG})
    data = b"before " * 40 + LONG.encode() + b" behind it"
    told = redactor.tail(data[-(size + redactor.longest) :], size)
    assert told in redactor.data(data) or told == b""
    assert all(part not in told for part in (b"aple", b"corr", b"-horse"))


def test_touches__no_secrets__then_marks_are_not_even_looked_for() -> None:
    line = b'{"text":"shortened ..."}'
    assert Redactor({}).line(line) is line
