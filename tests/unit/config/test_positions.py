from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.config.positions import MAX_DEPTH, MAX_ELEMENTS, MAX_KEYS, Index, RefusedError

if TYPE_CHECKING:
    import random

Path = tuple[str | int, ...]

NAMES = st.one_of(
    st.sampled_from(["a", "b", "c", "a-b", "1", "true"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6),
    st.sampled_from(["", "a.b", 'quo"te', "it's", "tab\tkey", "#", "= 1", "[x]", "ключ"]),
)
SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.sampled_from([1.5, -0.25, 1e9]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["[a]\nb = 1", '"""', "'''", "a # b", "{ x = 1 }", 'ends with quotes""', "\\"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=25,
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=5)


class Writer:
    """Writes a document in a random style and notes where it puts each key, with an idea of its own of positions."""

    def __init__(self, style: random.Random) -> None:
        self.style = style
        self.text = ""
        self.places: dict[Path, tuple[int, int]] = {}

    def put(self, *parts: str) -> None:
        self.text += "".join(parts)

    def note(self, path: Path) -> None:
        before = self.text.split("\n")
        self.places[path] = (len(before), len(before[-1]) + 1)

    def one_of(self, *choices: str) -> str:
        return self.style.choice(choices)

    def space(self) -> str:
        return self.one_of("", "", " ", "\t", "  ")

    def gap(self) -> str:
        return self.one_of("", "", " ", "\n", "# [no.table]\n", " # 'x' = {\n\t")

    def name(self, name: str) -> str:
        plain = name != "" and name.isascii() and all(char.isalnum() or char in "-_" for char in name)
        if plain and self.style.random() < 0.7:
            return name
        if "'" not in name and name.isprintable() and self.style.random() < 0.5:
            return f"'{name}'"
        return json.dumps(name, ensure_ascii=False)

    def line_end(self) -> None:
        self.put(
            self.space(),
            self.one_of("", "", "# note", '# """'),
            "\n",
            self.one_of("", "", "\n", "\n  \n# x\n"),
        )

    def keys(self, base: Path, names: list[str]) -> None:
        for number, name in enumerate(names):
            if number:
                self.put(self.space(), ".", self.space())
            path = (*base, *names[: number + 1])
            if number == len(names) - 1 or path not in self.places:
                self.note(path)
            self.put(self.name(name))

    def table(self, path: Path, table: dict[str, Any]) -> None:
        below: list[str] = []
        for name, value in table.items():
            tables = isinstance(value, dict) or (
                isinstance(value, list) and value != [] and all(isinstance(item, dict) for item in value)
            )
            if tables and self.style.random() < 0.6:
                below.append(name)
            else:
                self.pair(path, name, value)
                self.line_end()
        for name in below:
            value = table[name]
            if isinstance(value, dict):
                self.header((*path, name), "[", "]")
                self.table((*path, name), value)
                continue
            for number, item in enumerate(value):
                self.header((*path, name), "[[", "]]", number)
                self.table((*path, name, number), item)

    def header(self, path: Path, opened: str, closed: str, number: int | None = None) -> None:
        self.put(self.space(), opened, self.space())
        names = [part for part in path if isinstance(part, str)]
        for place, name in enumerate(names):
            if place:
                self.put(self.space(), ".", self.space())
            if place == len(names) - 1:
                if not number:
                    self.note(path)
                if number is not None:
                    self.note((*path, number))
            self.put(self.name(name))
        self.put(self.space(), closed)
        self.line_end()

    def pair(self, path: Path, name: str, value: Any) -> None:
        names = [name]
        while isinstance(value, dict) and len(value) == 1 and self.style.random() < 0.5:
            (name, value), *_ = value.items()
            names.append(name)
        self.put(self.space())
        self.keys(path, names)
        self.put(self.space(), "=", self.space())
        self.value((*path, *names), value, outermost=True)

    def value(self, path: Path, value: Any, *, outermost: bool) -> None:
        if isinstance(value, dict):
            self.put("{", self.gap())
            for number, (name, item) in enumerate(value.items()):
                if number:
                    self.put(",", self.gap())
                self.pair(path, name, item)
                self.put(self.gap())
            self.put("}")
        elif isinstance(value, list):
            self.put("[", self.gap())
            for number, item in enumerate(value):
                if outermost:
                    self.note((*path, number))
                self.value((*path, number), item, outermost=False)
                self.put(self.gap(), "," if number < len(value) - 1 else self.one_of("", ","), self.gap())
            self.put("]")
        elif isinstance(value, str):
            self.string(value)
        else:
            self.put(json.dumps(value))

    def string(self, value: str) -> None:
        escaped = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        way = self.style.random()
        if way < 0.3:
            lines = (
                json.dumps(line, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
                for line in value.split("\n")
            )
            self.put(
                '"""', "\n" if value.startswith("\n") else self.one_of("", "\n"), "\n".join(lines), '"""'
            )
        elif way < 0.5 and "'" not in value and value.isprintable():
            self.put(self.one_of("'", "'''").join(("", value, "")) if value else "''")
        else:
            self.put(escaped)


@settings(max_examples=150, deadline=None)
@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_index__any_document_in_any_style__then_every_key_stands_where_it_was_written(
    document: dict[str, Any], style: random.Random
) -> None:
    writer = Writer(style)
    writer.table((), document)
    assert tomli.loads(writer.text) == document  # the writer writes what it means

    index = Index(writer.text)

    assert index.stopped is None
    assert {path: index.at(path) for path in writer.places} == writer.places


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("[]{}=,.#\"'\\\nab1 -\t"), max_size=60))
def test_index__any_text_at_all__then_it_reaches_the_end_of_what_the_reader_accepts(text: str) -> None:
    index = Index(text)
    try:
        tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    assert index.stopped is None


def test_index__known_document__then_lines_and_columns_are_as_a_person_counts_them() -> None:
    text = (
        'a.b = 1 # [c]\n[x."y.z"]\n  deep.er = { one = 1, two = [ "p",\n   "q" ] }\n'
        's = """\n[no]\nk = 1\n"""\n[[list]]\nn = 1\n[[list]]\nn = 2\n[list.sub]\nm = 3\n[x]\nv = 1\n'
    )
    index = Index(text)
    expected = {
        ("a",): (1, 1),
        ("a", "b"): (1, 3),
        ("x", "y.z"): (2, 4),
        ("x", "y.z", "deep", "er"): (3, 8),
        ("x", "y.z", "deep", "er", "two"): (3, 24),
        ("x", "y.z", "deep", "er", "two", 0): (3, 32),
        ("x", "y.z", "deep", "er", "two", 1): (4, 4),
        ("x", "y.z", "s"): (5, 1),
        ("list", 1, "n"): (12, 1),
        ("list", 1, "sub", "m"): (14, 1),
        ("x",): (15, 2),
    }
    assert {path: index.at(path) for path in expected} == expected
    assert index.at(("no",)) is None


def test_index__key_without_a_place__then_the_nearest_around_it() -> None:
    index = Index("a = 1\n[b]\nc = [[1], [2, 3]]\n")
    assert index.of(("b", "c", 1, 1)) == (3, 11)
    assert index.of(("b", "missing", "deeper")) == (2, 2)
    assert index.of(("missing",)) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a = " + "[" * 100_000, "nested deeper"),
        ("a = " + "{ b = " * 100_000, "nested deeper"),
        (".".join(["a"] * 100_000) + " = 1", "nested deeper"),
        ("[" + ".".join(["a"] * 100_000) + "]", "nested deeper"),
        ("\n".join(f"k{number} = 1" for number in range(MAX_KEYS + 1)), "keys"),
        ("a = [" + "1," * (MAX_ELEMENTS + 1) + "]", "elements"),
    ],
)
def test_index__document_beyond_a_bound__then_it_is_refused_with_its_place(text: str, what: str) -> None:
    with pytest.raises(RefusedError, match=what) as refused:
        Index(text)
    assert refused.value.path
    assert refused.value.position[0] >= 1


def test_index__document_at_the_bounds__then_it_is_read() -> None:
    Index("\n".join(f"k{number} = 1" for number in range(MAX_KEYS)))
    Index("a = [" + "1," * MAX_ELEMENTS + "]")
    Index(".".join(["a"] * MAX_DEPTH) + " = 1")
