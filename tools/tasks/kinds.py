"""The kinds of trace records, from their one table to everything that names them: Rust, Python, the format's page.

Must never hold a fact about a kind itself; those stand in `native/tracer_backend/kinds.toml`.
"""

from __future__ import annotations

import tomllib
from typing import Any

from tools.tasks.common import NATIVE, ROOT

SOURCE = NATIVE / "tracer_backend" / "kinds.toml"
PAGE = ROOT / "docs" / "trace-format.md"
BEGIN = "<!-- kinds: made by `tools/generate` from native/tracer_backend/kinds.toml -->\n"
END = "<!-- end of kinds -->\n"
MEANINGS = {"none": "Nothing", "number": "Number", "string": "Text"}
HOMES = {"calls": "Calls", "durable": "Durable", "drain": "Drain"}

PYTHON_HEAD = '''\
"""The kinds of trace records: numbers, names, lanes, and what `id` and `arg` of each mean.

Made by `tools/generate` from the native side's table; change that. This module never computes anything.
"""

from __future__ import annotations

'''
RUST_HEAD = """\
//! The kinds of trace records. Made by `tools/generate` from `kinds.toml`; change that.

use crate::kind::Meaning::{Nothing, Number, Text};
use crate::kind::{Facts, Home, Kind};

"""


def table() -> dict[str, Any]:
    """The table as it is written, after a look at what a table must keep."""
    found = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    kinds = found["kind"]
    for key in ("number", "name"):
        values = [kind[key] for kind in kinds]
        if len(set(values)) != len(values):
            raise ValueError(f"{SOURCE.name}: a {key} stands there twice")
    if any(not 0 < kind["number"] < 64 for kind in kinds):
        raise ValueError(f"{SOURCE.name}: a number fits into a set of 64 bits and is never 0")
    return found


def constant(name: str) -> str:
    """`scenario.start` as a constant."""
    return name.replace(".", "_").upper()


def rust() -> str:
    """The table for the native side."""
    found = table()
    parts = [RUST_HEAD]
    for kind in found["kind"]:
        parts.append(f"/// {kind['tells']}\n")
        parts.append(f"pub const {constant(kind['name'])}: Kind = Kind({kind['number']});\n")
    parts.append("\n/// The levels of `flags`, lowest first.\n")
    levels = ", ".join(f'"{name}"' for name in found["levels"])
    parts.append(f"pub const LEVELS: [&str; {len(found['levels'])}] = [{levels}];\n\n")
    parts.append(f"pub(crate) static TABLE: [Facts; {len(found['kind'])}] = [\n")
    for kind in found["kind"]:
        home = f"Home::{HOMES[kind['lane']]}"
        means = f"id: {MEANINGS[kind['id'][0]]}, arg: {MEANINGS[kind['arg'][0]]}"
        parts.append(
            f'    Facts {{ kind: {constant(kind["name"])}, name: "{kind["name"]}", home: {home}, {means} }},\n'
        )
    parts.append("];\n")
    return "".join(parts)


def python() -> str:
    """The table for the wire vocabulary."""
    found = table()
    parts = [PYTHON_HEAD, "LEVELS: tuple[str, ...] = (\n"]
    parts.extend(f'    "{name}",\n' for name in found["levels"])
    parts.append(")\n\n# number, lane, meaning of id, meaning of arg\n")
    parts.append("KINDS: dict[str, tuple[int, str, str, str]] = {\n")
    for kind in found["kind"]:
        row = f'({kind["number"]}, "{kind["lane"]}", "{kind["id"][0]}", "{kind["arg"][0]}")'
        parts.append(f'    "{kind["name"]}": {row},\n')
    parts.append("}\n")
    return "".join(parts)


def meaning(pair: list[str]) -> str:
    """A cell of the page: what a field holds."""
    kind, words = pair
    return "–" if kind == "none" else f"{words} ({kind})"


def page() -> str:
    """The format's page, whose prose is its own, with the table put in."""
    found = table()
    rows = ["\n| n | kind | lane | `id` | `arg` | tells |\n|---|---|---|---|---|---|\n"]
    for kind in found["kind"]:
        cells = (
            str(kind["number"]),
            f"`{kind['name']}`",
            kind["lane"],
            meaning(kind["id"]),
            meaning(kind["arg"]),
            kind["tells"],
        )
        rows.append(f"| {' | '.join(cells)} |\n")
    levels = ", ".join(f"{number} {name}" for name, number in found["levels"].items())
    rows.append(f"\nLevels, the lowest three bits of `flags`: {levels}.\n\n")
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "".join(rows) + END + after
