"""The grammar of selectors: text into a tree, or a problem with offset, caret and the nearest known field.

Implicit AND, `or`, `not` or a leading `-`, parentheses, quotes. Nothing here knows what a field means for a
scenario.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Literal, NamedTuple

from tracekit.wire.problems import Problem, ProblemError

FIELDS: tuple[str, ...] = (
    "kind",
    "tag",
    "runner",
    "component",
    "status",
    "flag",
    "suite",
    "file",
    "name",
    "id",
)
MAX_TEXT = 4096
MAX_DEPTH = 64
_FIELD = re.compile(r"([A-Za-z][A-Za-z_-]*):(?!:)")
_KEYWORDS = frozenset({"and", "or", "not"})


class Term(NamedTuple):
    """One condition; `field` is empty for a bare word, `exact` is true for a quoted value."""

    field: str
    value: str
    offset: int
    exact: bool = False


class Not(NamedTuple):
    inner: Node


class Junction(NamedTuple):
    how: Literal["and", "or"]
    parts: tuple[Node, ...]


Node = Term | Not | Junction


class _Token(NamedTuple):
    kind: Literal["(", ")", "and", "or", "not", "term", "end"]
    offset: int
    term: Term | None = None


def parse(text: str) -> Node:
    """The tree of a selector; raises ProblemError with the place of the fault. An empty text selects
    everything.
    """
    if len(text) > MAX_TEXT:
        raise _fault(
            text[:60], 0, f"a selector has at most {MAX_TEXT} characters, not {len(text)}", "use ids instead"
        )
    return _Parser(text, _Scanner(text).tokens()).whole()


def _fault(text: str, offset: int, what: str, action: str, code: str = "selector.syntax") -> ProblemError:
    # Long texts are shown around the place, so that the caret stands on one line with it.
    start = max(0, offset - 40)
    shown = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[start : start + 80]
    )
    caret = " " * (offset - start) + "^"
    return ProblemError(Problem(code, what, f"selector, offset {offset}\n  {shown}\n  {caret}", action))


class _Scanner:
    """Cuts a selector into tokens. Brackets and parentheses inside a word belong to it: ids hold them."""

    def __init__(self, text: str) -> None:
        self._text = text

    def tokens(self) -> list[_Token]:
        """All tokens, with an `end` behind them."""
        text, at, found = self._text, 0, list[_Token]()
        while at < len(text):
            letter = text[at]
            if letter.isspace():
                at += 1
            elif letter in "()":
                found.append(_Token("(" if letter == "(" else ")", at))
                at += 1
            elif letter == "-" and at + 1 < len(text) and not text[at + 1].isspace():
                found.append(_Token("not", at))
                at += 1
            else:
                token, at = self._word(at)
                found.append(token)
        found.append(_Token("end", len(text)))
        return found

    def _word(self, start: int) -> tuple[_Token, int]:
        match = _FIELD.match(self._text, start)
        if match is not None:
            field = match[1].lower()
            value, end, exact = self._value(match.end(), start)
            if field in FIELDS:
                if not value and not exact:
                    raise _fault(
                        self._text, match.end(), f"nothing stands behind '{field}:'", f"write {field}:VALUE"
                    )
                return _Token("term", start, Term(field, value, start, exact)), end
            if not ("::" in value or "/" in value or "." in value):
                raise self._unknown(field, start)
            # `pytest:tests/test_a.py::test_b` is an id: what stands before the colon is its runner.
        value, end, exact = self._value(start, start)
        if not exact and value.lower() in _KEYWORDS:
            return _Token(_keyword(value), start), end
        return _Token("term", start, Term("", value, start, exact)), end

    def _unknown(self, field: str, offset: int) -> ProblemError:
        near = get_close_matches(field, FIELDS, 1, 0.5)
        action = f"did you mean '{near[0]}:'?" if near else f"known fields: {', '.join(FIELDS)}"
        return _fault(self._text, offset, f"unknown field '{field}'", action, "selector.unknown_field")

    def _value(self, start: int, word: int) -> tuple[str, int, bool]:
        if self._text[start : start + 1] in {'"', "'"}:
            return self._quoted(start)
        at, depth = start, 0
        while at < len(self._text):
            letter = self._text[at]
            if letter.isspace() or (letter == ")" and not depth):
                break
            depth += (letter in "([") - (letter in ")]" and depth > 0)
            at += 1
        return self._text[start:at], at, False

    def _quoted(self, start: int) -> tuple[str, int, bool]:
        quote, letters, at = self._text[start], list[str](), start + 1
        while at < len(self._text):
            letter = self._text[at]
            if letter == quote:
                return "".join(letters), at + 1, True
            if letter == "\\" and self._text[at + 1 : at + 2] in {quote, "\\"}:
                at += 1
                letter = self._text[at]
            letters.append(letter)
            at += 1
        raise _fault(self._text, start, "this quote has no end", f"close it with {quote}")


def _keyword(value: str) -> Literal["and", "or", "not"]:
    word = value.lower()
    return "and" if word == "and" else "or" if word == "or" else "not"


class _Parser:
    """Recursive descent over tokens, held to a depth."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._at = 0

    def whole(self) -> Node:
        """The tree of all tokens."""
        if self._tokens[0].kind == "end":
            return Junction("and", ())
        node = self._either(0)
        token = self._tokens[self._at]
        if token.kind != "end":
            raise _fault(
                self._text, token.offset, "this parenthesis was never opened", "remove it or quote the word"
            )
        return node

    def _either(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            offset = self._tokens[self._at].offset
            raise _fault(self._text, offset, f"nested deeper than {MAX_DEPTH}", "use fewer parentheses")
        parts = [self._all(depth)]
        while self._tokens[self._at].kind == "or":
            self._at += 1
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Junction("or", tuple(parts))

    def _all(self, depth: int) -> Node:
        parts = [self._one(depth)]
        while True:
            kind = self._tokens[self._at].kind
            if kind == "and":
                self._at += 1
            elif kind in {")", "or", "end"}:
                return parts[0] if len(parts) == 1 else Junction("and", tuple(parts))
            parts.append(self._one(depth))

    def _one(self, depth: int) -> Node:
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "term" and token.term is not None:
            return token.term
        if token.kind == "not":
            if depth >= MAX_DEPTH:
                raise _fault(
                    self._text, token.offset, f"nested deeper than {MAX_DEPTH}", "use fewer negations"
                )
            return Not(self._one(depth + 1))
        if token.kind == "(":
            node = self._either(depth + 1)
            if self._tokens[self._at].kind != ")":
                raise _fault(self._text, token.offset, "this parenthesis is never closed", "add ')'")
            self._at += 1
            return node
        before = "at the end" if token.kind == "end" else f"before '{token.kind}'"
        action = "add one, or quote the word if it is meant as text"
        raise _fault(self._text, token.offset, f"a condition is missing {before}", action)
