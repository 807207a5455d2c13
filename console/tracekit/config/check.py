"""Walks a document by the tables: keeps what is right in a clean form and makes a fault of everything else.

What is wrong is left out of the result, so that later checks do not complain about it a second time. Values of
variables never reach a message.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, Protocol, cast

from tracekit.config.durations import OFF, format_duration, parse_duration
from tracekit.config.key import Key, Table
from tracekit.config.profile import Variable
from tracekit.config.rules import RULES
from tracekit.config.tables import SECRET
from tracekit.config.words import kind_of, listed, nearest, shown

if TYPE_CHECKING:
    from datetime import date

    from tracekit.config.document import Document
    from tracekit.config.faults import Faults
    from tracekit.config.positions import Path

MAX_ENTRIES = 1000  # elements of one list or entries of one table
MAX_TABLES = 200  # suites, environments, services of one environment


class _Handler(Protocol):
    def __call__(self, key: Key, value: object, path: Path) -> Any: ...


class Checker:
    """Checks one document. Every method gives the clean value, or None after adding a fault."""

    def __init__(self, document: Document, faults: Faults) -> None:
        self._document = document
        self._faults = faults
        self._handlers: dict[str, _Handler] = {
            "string": self._string,
            "choice": self._choice,
            "boolean": self._boolean,
            "integer": self._integer,
            "duration": self._duration,
            "strings": self._strings,
            "lists": self._lists,
            "map": self._map,
            "variables": self._variables,
            "table": self._table,
            "tables": self._tables,
            "list": self._list,
            "date": self._date,
            "keys": self._keys,
        }

    def document(self, table: Table) -> dict[str, Any]:
        """Check the whole document."""
        return self.table(table, self._document.data, ())

    def table(self, table: Table, data: dict[str, Any], path: Path) -> dict[str, Any]:
        """Check a table: its keys known, each value right, none missing."""
        clean: dict[str, Any] = {}
        for name, value in data.items():
            key = table.keys.get(name)
            if key is None:
                self._unknown(table, name, (*path, name))
                continue
            checked = self._handlers[key.kind](key, value, (*path, name))
            if checked is not None:
                clean[name] = checked
        for name, key in table.keys.items():
            if key.required and name not in data:
                self._add("missing", f"{name} is missing", path, f"write {name} = {key.example}")
        if table.one_of:
            self._exactly_one(table, data, path)
        return clean

    def _add(self, code: str, what: str, path: Path, action: str) -> None:
        self._faults.add(code, what, "" if self._faults.full else self._document.where(path), action)

    def _unknown(self, table: Table, name: str, path: Path) -> None:
        if not table.title and name in _MISPLACED:
            what, action = _MISPLACED[name]
            self._add("misplaced", what, path, action)
            return
        near = nearest(name, table.keys) if self._faults.may_suggest else None
        known = listed(table.keys, "and")
        action = f"did you mean {near}?" if near else f"known here: {known}"
        self._add("unknown_key", f"unknown key {shown(name)}", path, action)

    def _exactly_one(self, table: Table, data: dict[str, Any], path: Path) -> None:
        there = [name for name in table.one_of if name in data]
        if len(there) == 1:
            return
        found = f"{listed(there, 'and')} stand together" if there else "nothing says how"
        self._add("one_of", found, path, f"write exactly one of {listed(table.one_of)}")

    def _wrong_type(self, key: Key, wanted: str, value: object, path: Path) -> None:
        example = f"write {key.name} = {key.example}" if key.example else "see the reference"
        self._add("type", f"must be {wanted}, not {kind_of(value)}", path, example)

    def _by_rule(self, rule: str, text: str, path: Path, *, show: bool = True) -> str | None:
        fault = RULES[rule].fault(text)
        if fault is None:
            return text
        what, action = fault
        self._add("value", f"{shown(text) if show else 'this'} {what}", path, action)
        return None

    def _string(self, key: Key, value: object, path: Path) -> str | None:
        if not isinstance(value, str):
            self._wrong_type(key, "a string", value, path)
            return None
        if key.rule == "regex" and not self._compiles(value, path):
            return None
        return self._by_rule(key.rule, value, path, show=key.rule != "source")

    def _compiles(self, pattern: str, path: Path) -> bool:
        try:
            with warnings.catch_warnings(action="ignore"):
                re.compile(pattern[:1000])
        except (re.error, RecursionError, OverflowError) as error:
            self._add("value", f"is not a regular expression: {shown(str(error))}", path, "mend the pattern")
            return False
        return True

    def _choice(self, key: Key, value: object, path: Path) -> str | None:
        if not isinstance(value, str):
            self._wrong_type(key, "a string", value, path)
            return None
        if value in key.choices or value in key.also:
            return key.also.get(value, value)
        near = key.meant.get(value.casefold()) or (
            nearest(value, key.choices) if self._faults.may_suggest else None
        )
        known = listed(f'"{choice}"' for choice in key.choices)
        action = f'did you mean "{near}"? allowed: {known}' if near else f"allowed: {known}"
        self._add("choice", f"unknown {key.name} {shown(value)}", path, action)
        return None

    def _boolean(self, key: Key, value: object, path: Path) -> bool | None:
        if not isinstance(value, bool):
            self._wrong_type(key, "true or false", value, path)
            return None
        if key.name == "secret" and not value:
            self._add(
                "value", "a secret is marked by secret = true", path, "write a plain string if it is none"
            )
            return None
        return value

    def _integer(self, key: Key, value: object, path: Path) -> int | None:
        if not isinstance(value, int) or isinstance(value, bool):
            self._wrong_type(key, "a whole number", value, path)
            return None
        if (key.low is not None and value < key.low) or (key.high is not None and value > key.high):
            self._add("range", "is out of range", path, f"allowed: {key.low} to {key.high}")
            return None
        return value

    def _duration(self, key: Key, value: object, path: Path) -> float | str | None:
        if not isinstance(value, str):
            self._wrong_type(key, 'a duration such as "5s"', value, path)
            return None
        if self._by_rule(key.rule, value, path) is None:
            return None
        if value == OFF:
            return OFF
        seconds = parse_duration(value)
        if seconds is None or key.low is None or key.high is None or not key.low <= seconds <= key.high:
            bounds = f"{format_duration(key.low or 0)} to {format_duration(key.high or 0)}"
            self._add("range", f"{shown(value)} is out of range", path, f"allowed: {bounds}")
            return None
        return seconds

    def _strings(self, key: Key, value: object, path: Path) -> tuple[str, ...] | None:
        if not isinstance(value, list):
            self._wrong_type(key, "a list of strings", value, path)
            return None
        if len(value) > MAX_ENTRIES:
            self._add("range", f"has {len(value)} elements", path, f"allowed: at most {MAX_ENTRIES}")
            return None
        if key.required and not value:
            self._add("value", "is empty", path, f"write {key.name} = {key.example}")
            return None
        clean: list[str] = []
        for number, element in enumerate(value):
            place = (*path, number)
            if not isinstance(element, str):
                self._wrong_type(key, "a string", element, place)
            elif self._by_rule(key.rule, element, place) is not None:
                if key.rule == "name" and element in clean:
                    self._add("duplicate", f"{shown(element)} stands twice", place, "remove one")
                else:
                    clean.append(element)
        return tuple(clean)

    def _lists(self, key: Key, value: object, path: Path) -> tuple[tuple[str, ...], ...] | None:
        if not isinstance(value, list):
            self._wrong_type(key, "a list of lists of strings", value, path)
            return None
        if len(value) > MAX_TABLES:
            self._add("range", f"has {len(value)} elements", path, f"allowed: at most {MAX_TABLES}")
            return None
        clean: list[tuple[str, ...]] = []
        for number, element in enumerate(value):
            checked = self._strings(key, element, (*path, number))
            if checked is not None and checked in clean:
                self._add("duplicate", "the same list stands twice", (*path, number), "remove one")
            elif checked is not None:
                clean.append(checked)
        return tuple(clean)

    def _map(self, key: Key, value: object, path: Path) -> tuple[tuple[str, str], ...] | None:
        entries = self._entries(key, value, path)
        if entries is None:
            return None
        clean: list[tuple[str, str]] = []
        for name, element in entries:
            place = (*path, name)
            if not isinstance(element, str):
                self._wrong_type(key, "a string", element, place)
                continue
            left = self._by_rule("absolute", name, place)
            right = self._by_rule(key.rule, element, place)
            if left is not None and right is not None:
                clean.append((left, right))
        return tuple(clean)

    def _entries(self, key: Key, value: object, path: Path) -> list[tuple[str, Any]] | None:
        if not isinstance(value, dict):
            self._wrong_type(key, "a table", value, path)
            return None
        most = MAX_TABLES if key.kind == "tables" else MAX_ENTRIES
        if len(value) > most:
            self._add("range", f"has {len(value)} entries", path, f"allowed: at most {most}")
            return None
        return list(value.items())

    def _variables(self, key: Key, value: object, path: Path) -> tuple[Variable, ...] | None:
        entries = self._entries(key, value, path)
        if entries is None:
            return None
        found = (self._variable(key, name, element, (*path, name)) for name, element in entries)
        return tuple(variable for variable in found if variable is not None)

    def _variable(self, key: Key, name: str, value: object, path: Path) -> Variable | None:
        fits = self._by_rule("variable", name, path) is not None
        where = self._document.where(path)
        if isinstance(value, dict) and key.table is SECRET:
            clean = self.table(SECRET, value, path)
            if not fits or len(clean) != len(SECRET.keys):
                return None
            return Variable(name, source=clean["from"], where=where)
        if not isinstance(value, str):
            secret = ', or { secret = true, from = "env:NAME" }' if key.table is SECRET else ""
            self._add(
                "type",
                f"must be a string, not {kind_of(value)}",
                path,
                f'write {shown(name)[1:-1]} = "…"{secret}',
            )
            return None
        fault = RULES["text"].fault(value)
        if fault is not None:
            self._add("value", f"the value {fault[0]}", path, fault[1])
            return None
        return Variable(name, value, where=where) if fits else None

    def _table(self, key: Key, value: object, path: Path) -> dict[str, Any] | None:
        if not isinstance(value, dict) or key.table is None:
            self._wrong_type(key, "a table", value, path)
            return None
        return self.table(key.table, value, path)

    def _tables(self, key: Key, value: object, path: Path) -> dict[str, dict[str, Any]] | None:
        entries = self._entries(key, value, path)
        if entries is None or key.table is None:
            return None
        clean: dict[str, dict[str, Any]] = {}
        for name, element in entries:
            place = (*path, name)
            fits = self._by_rule("name", name, place) is not None
            if not isinstance(element, dict):
                what = f"must be a table, not {kind_of(element)}"
                self._add("type", what, place, f"write [{key.table.title}] and its keys below")
                continue
            checked = self.table(key.table, element, place)
            if fits:
                clean[name] = checked
        return clean

    def _list(self, key: Key, value: object, path: Path) -> tuple[dict[str, Any], ...] | None:
        if not isinstance(value, list) or key.table is None:
            self._wrong_type(key, f"written as [[{key.name}]]", value, path)
            return None
        if len(value) > MAX_ENTRIES:
            self._add("range", f"has {len(value)} entries", path, f"allowed: at most {MAX_ENTRIES}")
            return None
        clean: list[dict[str, Any]] = []
        for number, element in enumerate(value):
            place = (*path, number)
            if isinstance(element, dict):
                clean.append(self.table(key.table, element, place))
            else:
                what = f"must be a table, not {kind_of(element)}"
                self._add("type", what, place, f"write [[{key.name}]] and its keys below")
        return tuple(clean)

    def _date(self, key: Key, value: object, path: Path) -> date | None:
        # A date with a time is a date as well, to the language.
        if type(value).__name__ != "date":
            quoted = ", without quotes" if isinstance(value, str) else ""
            wanted = f"write {key.name} = {key.example}{quoted}"
            self._add("type", f"must be a day, not {kind_of(value)}", path, wanted)
            return None
        return cast("date", value)

    def _keys(self, key: Key, value: object, path: Path) -> dict[str, str] | None:
        entries = self._entries(key, value, path)
        if entries is None:
            return None
        clean: dict[str, str] = {}
        for name, element in entries:
            if isinstance(element, str):
                clean[name] = element
            else:
                what = f"must be a string, not {kind_of(element)}"
                self._add("type", what, (*path, name), 'write the keys as one string, such as "f,ctrl+f"')
        return clean


_MISPLACED: dict[str, tuple[str, str]] = {
    "keys": ("keys are the user's own", "write [keys] in config.toml of your configuration directory"),
    "suite": ("suites belong to a project", "write them in its tracekit.toml"),
    "env": (
        "environments do not stand here",
        "write them in a project's tracekit.toml, or in boxes.toml",
    ),
    "suites": ("unknown key suites", "write [suite.NAME] for each"),
    "envs": ("unknown key envs", "write [env.NAME] for each"),
    "environment": ("unknown key environment", "write [env.NAME], or environment in [settings]"),
}
