"""Readable names, the raw ones kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.model.journals import PROPERTY
from tracekit.model.naming import Name, readable, readable_class


@pytest.mark.parametrize(
    ("raw", "text", "parts"),
    [
        (
            "tracer_with_backend__full_lifecycle__then_succeeds",
            "tracer with backend, full lifecycle, then succeeds",
            ("tracer with backend", "full lifecycle", "then succeeds"),
        ),
        (
            "workspace_features__consistent_versions",
            "workspace features, consistent versions",
            ("workspace features", "consistent versions", ""),
        ),
        ("fold__then_same_state", "fold, then same state", ("fold", "", "then same state")),
        ("test_a__b__c__then_d", "a, b, c, then d", ("a", "b, c", "then d")),
        ("test_login_expired_rejected", "login expired rejected", ("login", "expired", "rejected")),
        (
            "test_parse_empty_input_returns_none",
            "parse empty input returns none",
            ("parse", "empty input", "returns none"),
        ),
        ("test_handshake", "handshake", ("", "", "")),
        (
            "test_reconnect_keeps_history_of_all[chat-7]",
            "reconnect keeps history of all [chat-7]",
            ("reconnect", "", "keeps history of all"),
        ),
        ("test_x[a_b__c]", "x [a_b__c]", ("", "", "")),
        ("test_x[]", "x []", ("", "", "")),
    ],
)
def test_readable__names_of_the_house__then_words_and_parts(
    raw: str, text: str, parts: tuple[str, str, str]
) -> None:
    name = readable(raw)
    assert (name.raw, name.text) == (raw, text)
    assert (name.unit, name.condition, name.expected) == parts


@pytest.mark.parametrize(
    "raw",
    ["", "test", "handshake, bad key", "_private_", "ends_", "[x]", "test_", "testCamel", "a b_c", "x[1"],
)
def test_readable__names_without_a_form__then_as_they_are(raw: str) -> None:
    assert readable(raw).text == raw


@PROPERTY
@given(st.text(st.sampled_from("test_then[]ab "), max_size=24))
def test_readable__any_name__then_the_raw_name_is_kept_and_something_is_shown(raw: str) -> None:
    name = readable(raw)
    assert isinstance(name, Name)
    assert name.raw == raw
    assert bool(name.text) == bool(raw)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("TestChatServer", "chat server"),
        ("TestHTTPErrors", "HTTP errors"),
        ("Test", "test"),
        ("Odd name", "Odd name"),
    ],
)
def test_readable_class__camel_case__then_words(raw: str, text: str) -> None:
    assert readable_class(raw) == text
