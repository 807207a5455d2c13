from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from tracekit import _native
from tracekit._native import DEFAULT_COLUMNS, MAX_COLUMNS, Safe, safe, safe_lines

PAYLOADS = {
    "clipboard": ("\x1b]52;c;cm0gLXJmIH4=\x07", "␛]52;c;cm0gLXJmIH4=␇"),
    "title": ("\x1b]0;owned\x1b\\", "␛]0;owned␛\\"),
    "link": ("\x1b]8;;file:///etc/passwd\x1b\\x\x1b]8;;\x1b\\", "␛]8;;file:///etc/passwd␛\\x␛]8;;␛\\"),
    "device control": ("\x1bP+q544e\x1b\\", "␛P+q544e␛\\"),
    "application command": ("\x1b_Gi=1\x1b\\", "␛_Gi=1␛\\"),
    "privacy message": ("\x1b^x\x1b\\", "␛^x␛\\"),
    "start of string": ("\x1bXx\x1b\\", "␛Xx␛\\"),
    "clear screen": ("\x1b[2J\x1b[H", "␛[2J␛[H"),
    "reset": ("\x1bc", "␛c"),
    "answer back": ("\x05\x1b[6n\x1b[21t", "␅␛[6n␛[21t"),
    "mouse": ("\x1b[?1000h\x1b[?1049h", "␛[?1000h␛[?1049h"),
    "C1 sequence": ("\x9b31m\x9d0;t\x9c\x90q\x9c", "␦31m␦0;t␦␦q␦"),
    "next line": ("a\x85b", "a␤b"),
    "shift out": ("\x0e\x0f\x1b(0", "␎␏␛(0"),
    "bell, backspace, delete": ("\x07\b\x7f", "␇␈␡"),
    "nul": ("a\0b", "a␀b"),
    "line feed, carriage return": ("a\nb\rc", "a␊b␍c"),
    "unfinished": ("\x1b[31", "␛[31"),
    "unfinished string": ("\x1b]52;c;x", "␛]52;c;x"),
    "right to left": ("\u202egnp.exe\u2069\u200f", "⇄gnp.exe⇄⇄"),
    "zero width": ("a\u200b\u200d\ufeff\u00ad\u2060b", "a␢␢␢␢␢b"),
    "fillers": ("\u3164\u115f\u1160\uffa0\u034f", "␢␢␢␢␢"),
    "separators": ("a\u2028b\u2029", "a␤b␤"),
    "tags": ("\U000e0041\U000e007f", "␢␢"),
    "noncharacters": ("\ufdd0\uffff\U0010ffff", "\ufffd\ufffd\ufffd"),
    "surrogate": ("a\udc80\ud800b", "a\ufffd\ufffdb"),
    "selector out of place": ("a\ufe0f\ufe0f", "a␢␢"),
    "marks alone": ("\u0301a \u0301", "◌a ◌"),
    "markup": ("[bold]x[/nope] foo[a-1]", "[bold]x[/nope] foo[a-1]"),
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_safe__payload__then_pictures_and_nothing_swallowed(name: str) -> None:
    payload, expected = PAYLOADS[name]
    line = safe(payload)
    assert line.text == expected
    assert line.columns == len(expected)
    assert line.cut == 0
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in line.text)


def test_safe__controls__then_counted() -> None:
    assert safe("plain").pictured == 0
    assert safe("\x1b[2J\x07\u202e").pictured == 3
    assert safe("\x1b[1mbold\x1b[0m").pictured == 0
    assert safe("❤\ufe0f").removed == 1


def test_safe__bytes_that_are_no_utf8__then_visible() -> None:
    assert safe(b"\xff\x9b31m\xc3").text == "\ufffd\ufffd31m\ufffd"


def test_safe__sgr__then_spans_that_rich_understands() -> None:
    line = safe("\x1b[1;3;31mé\x1b[0m \x1b[38;5;208;48;2;1;2;3mx\x1b[9;7;2;4;94my")
    assert line.text == "é xy"
    assert line.spans == [
        (0, 1, "bold italic red"),
        (2, 3, "color(208) on #010203"),
        (3, 4, "dim underline reverse strike bright_blue on #010203"),
    ]
    for _, _, words in line.spans:
        assert str(Style.parse(words))


def test_safe__long__then_cut_and_counted() -> None:
    line = safe("x" * 5000)
    assert (line.columns, line.cut) == (DEFAULT_COLUMNS, 5000 - DEFAULT_COLUMNS)
    assert safe("漢漢", max_columns=3).columns == 3
    assert safe("abc", -5).columns == 1
    assert safe("x" * 20_000, 10**9).columns == MAX_COLUMNS


def test_safe__neither_text_nor_bytes__then_type_error() -> None:
    with pytest.raises(TypeError, match="str or bytes"):
        safe(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        safe_lines("text")  # type: ignore[arg-type]


def test_safe_lines__style_open__then_goes_on() -> None:
    lines = safe_lines(b"\x1b[32mone\r\ntwo\x1b[m\n\nthree")
    assert [line.text for line in lines] == ["one", "two", "", "three"]
    assert [line.spans for line in lines] == [[(0, 3, "green")], [(0, 3, "green")], [], []]
    assert safe_lines(b"") == []


def test_safe_lines__progress_bar__then_last_state_and_what_it_wrote_over() -> None:
    (line,) = safe_lines(b" 10%\r 20%\r100%\n")
    assert (line.text, line.overwritten, line.pictured) == ("100%", 8, 0)


def test_safe__attributes__then_cannot_be_changed() -> None:
    line = safe("x")
    for name in ("text", "spans", "columns", "pictured", "removed", "overwritten", "cut", "other"):
        with pytest.raises(AttributeError):
            setattr(line, name, 1)
    line.spans.append((0, 1, "red"))
    assert line.spans == []


def test_safe__by_hand__then_type_error() -> None:
    with pytest.raises(TypeError):
        Safe()
    with pytest.raises(TypeError):
        type("Fake", (Safe,), {})  # not even a subclass
    assert isinstance(safe(""), Safe)
    with pytest.raises(TypeError):
        object.__new__(Safe)


def test_safe__same_input__then_equal_and_same_hash() -> None:
    assert safe("a\x1b[1mb") == safe(b"a\x1b[1mb")
    assert hash(safe("a")) == hash(safe(b"a"))
    assert safe("a") != safe("b")
    assert safe("ab") != safe("a\x1b[1mb")
    assert str(safe("a\x07")) == "a␇"
    assert repr(safe("a")) == '<Safe "a">'


@given(st.text(st.characters(codec=None)), st.integers(-1, 200))
def test_safe__any_text__then_never_raises_and_safe_again_changes_nothing(text: str, columns: int) -> None:
    line = safe(text, columns)
    assert line.columns <= max(1, columns)
    again = safe(line.text)
    assert (again.text, again.pictured, again.removed) == (line.text, 0, 0)


@given(st.binary(), st.integers(1, 200))
def test_safe_lines__any_bytes__then_as_many_lines_as_there_are(data: bytes, columns: int) -> None:
    lines = safe_lines(data, columns)
    assert len(lines) == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    for line in lines:
        assert line.columns <= columns
        for start, end, words in line.spans:
            assert 0 <= start < end <= len(line.text)
            assert words


def test_module__names__then_as_declared() -> None:
    assert set(_native.__all__) == {
        "DEFAULT_COLUMNS",
        "MAX_COLUMNS",
        "PACKED_HEAD",
        "VERSION",
        "Event",
        "Packer",
        "Safe",
        "TraceView",
        "Unpacker",
        "box_library",
        "box_target",
        "crc32",
        "packed_size",
        "recover_trace",
        "safe",
        "safe_lines",
        "verify_trace",
    }
