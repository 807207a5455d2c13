"""Rows as text: what any reader of JSON takes, in ASCII alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tracekit.model.rows import encode

ODD = [
    "plain",
    "é",
    "\u2028",
    "日本",
    "😀 and é",
    'a"b\\c',
    "\x00\x1f\x7f",
    "half \ud83d",
    "\ud83d😀",
    "\uffff",
]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_encode__text_of_any_kind__then_ascii_that_reads_as_the_same(text: str) -> None:
    value: Any = {text: [text, 1, None, True, 1.5]}
    told = encode(value)
    assert told.isascii()
    assert json.loads(told) == value


def test_encode__number_of_more_than_64_bits__then_the_same_number() -> None:
    assert json.loads(encode([2**80, -(2**64)])) == [2**80, -(2**64)]
