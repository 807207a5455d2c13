"""What a key and a table of a profile are: what each holds, its bounds, and a sentence for people. Data only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Key:
    """One key: what it holds, its bounds, and a sentence for people."""

    __slots__ = (
        "also",
        "choices",
        "default",
        "doc",
        "example",
        "flag",
        "high",
        "kind",
        "later",
        "low",
        "meant",
        "name",
        "required",
        "rule",
        "table",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        doc: str,
        *,
        example: str,
        default: object = None,
        rule: str = "text",
        choices: tuple[str, ...] = (),
        low: float | None = None,
        high: float | None = None,
        required: bool = False,
        table: Table | None = None,
        flag: str = "",
        later: bool = False,
        also: Mapping[str, str] | None = None,
        meant: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.kind, self.doc, self.example, self.default = name, kind, doc, example, default
        self.rule, self.choices, self.low, self.high = rule, choices, low, high
        self.required, self.table, self.flag = required, table, flag
        # Checked already, and not acted on by this version: whoever sets it is told so.
        self.later = later
        # Other names of a choice: those that are taken, and those that only say which one was meant.
        self.also: Mapping[str, str] = also or {}
        self.meant: Mapping[str, str] = meant or {}


class Table:
    """A table of known keys. `one_of`: exactly one of these must be there; `title` is how it is written in TOML."""

    __slots__ = ("doc", "keys", "one_of", "title")

    def __init__(self, title: str, doc: str, keys: tuple[Key, ...], *, one_of: tuple[str, ...] = ()) -> None:
        self.title, self.doc, self.one_of = title, doc, one_of
        self.keys: dict[str, Key] = {key.name: key for key in keys}
