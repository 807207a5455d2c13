"""The editor schemas and the configuration reference, rendered from the tables that the parser reads.

Used by tools/generate; the product itself never needs it.
"""

from __future__ import annotations

import json
from typing import Any

from tracekit.config.check import MAX_ENTRIES, MAX_TABLES
from tracekit.config.durations import OFF, format_duration
from tracekit.config.key import Key, Table
from tracekit.config.quarantine import ENTRY, QUARANTINE
from tracekit.config.rules import RULES
from tracekit.config.settings import variable_of
from tracekit.config.tables import BOXES, PROFILE, SETTINGS, USER
from tracekit.config.words import listed

BEGIN = "<!-- generated from the parser's tables: begin -->"
END = "<!-- generated from the parser's tables: end -->"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_SCHEMAS = {
    "docs/schema/tracekit.schema.json": PROFILE,
    "docs/schema/config.schema.json": USER,
    "docs/schema/boxes.schema.json": BOXES,
    "docs/schema/quarantine.schema.json": QUARANTINE,
}


def render_files(configuration_page: str) -> dict[str, str]:
    """Every generated file by its path in the project. `configuration_page` is docs/configuration.md as it is."""
    files = {path: render_schema(table) for path, table in _SCHEMAS.items()}
    files["docs/configuration.md"] = render_page(configuration_page)
    return files


def render_page(page: str) -> str:
    """The page with its generated part made anew. Raises ValueError when the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        message = "docs/configuration.md lacks the marks of its generated part"
        raise ValueError(message)
    return f"{before}{BEGIN}\n\n{render_markdown()}\n{END}{after}"


def render_schema(table: Table = PROFILE) -> str:
    """A JSON schema of one file, for editors."""
    schema = {"$schema": _DIALECT, "title": table.doc, **_table_schema(table)}
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"


def _table_schema(table: Table) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: {"description": key.doc, **_key_schema(key)} for name, key in table.keys.items()
        },
        "additionalProperties": False,
    }
    required = [name for name, key in table.keys.items() if key.required]
    if required:
        schema["required"] = required
    if table.one_of:
        schema["oneOf"] = [{"required": [name]} for name in table.one_of]
    return schema


def _text_schema(rule: str) -> dict[str, Any]:
    return {"type": "string", "pattern": RULES[rule].schema_pattern, "maxLength": RULES[rule].longest}


def _key_schema(key: Key) -> dict[str, Any]:
    schema = _shape(key)
    default = _default(key)
    if default is not None:
        schema["default"] = default
    return schema


def _shape(key: Key) -> dict[str, Any]:
    entries: dict[str, Any] = {"type": "object", "maxProperties": MAX_ENTRIES}
    if key.kind == "choice":
        return {"enum": [*key.choices, *key.also]}
    if key.kind == "boolean":
        return {"const": True} if key.name == "secret" else {"type": "boolean"}
    if key.kind == "integer":
        return {"type": "integer", "minimum": key.low, "maximum": key.high}
    if key.kind in {"strings", "lists"}:
        least = {"minItems": 1} if key.required else {}
        unique = {"uniqueItems": True} if key.rule == "name" else {}
        one = {"type": "array", "items": _text_schema(key.rule), "maxItems": MAX_ENTRIES, **least, **unique}
        several = {"type": "array", "items": one, "maxItems": MAX_TABLES, "uniqueItems": True}
        return one if key.kind == "strings" else several
    if key.kind == "map":
        return {
            **entries,
            "propertyNames": _text_schema("absolute"),
            "additionalProperties": _text_schema(key.rule),
        }
    if key.kind == "variables":
        literal = _text_schema("text")
        value = {"anyOf": [literal, _table_schema(key.table)]} if key.table else literal
        return {**entries, "propertyNames": _text_schema("variable"), "additionalProperties": value}
    if key.kind == "tables" and key.table:
        return {
            **entries,
            "maxProperties": MAX_TABLES,
            "propertyNames": _text_schema("name"),
            "additionalProperties": {"description": key.table.doc, **_table_schema(key.table)},
        }
    if key.kind == "list" and key.table:
        return {"type": "array", "maxItems": MAX_ENTRIES, "items": _table_schema(key.table)}
    if key.kind in {"date", "keys"}:
        day = {"type": "string", "format": "date"}
        return day if key.kind == "date" else {**entries, "additionalProperties": {"type": "string"}}
    return _table_schema(key.table) if key.table else _text_schema(key.rule)


def _default(key: Key) -> object:
    """The default as it would be written in TOML; None for an empty one."""
    if key.kind == "duration":
        if isinstance(key.default, (int, float)):
            return format_duration(key.default)
        return OFF if key.rule == "duration_or_off" else None
    return key.default if isinstance(key.default, (str, bool, int)) and key.default != "" else None


def render_markdown() -> str:
    """The reference of every key, as the generated part of docs/configuration.md."""
    parts = [_section("Settings", SETTINGS, settings=True)]
    for key in ("suite", "env"):
        parts += _sections(PROFILE.keys[key])
    keys = USER.keys["keys"]
    parts.append(_section(f"`[{ENTRY.title}]`", ENTRY))
    parts.append(f"## `[keys]`\n\n{keys.doc} Only in `config.toml`.\n")
    return "\n".join(parts)


def _sections(key: Key) -> list[str]:
    if key.table is None:
        return []
    parts = [_section(f"`[{key.table.title}]`", key.table)]
    for inner in key.table.keys.values():
        if inner.kind in {"table", "tables"}:
            parts += _sections(inner)
    return parts


def _section(title: str, table: Table, *, settings: bool = False) -> str:
    head = "| key | holds | default | meaning |\n|---|---|---|---|\n"
    if settings:
        head = "| key | holds | default | flag | variable | meaning |\n|---|---|---|---|---|---|\n"
    rows = ""
    for name, key in table.keys.items():
        if key.kind == "tables":
            continue
        ways = f"{f'`{key.flag}`' if key.flag else ''} | `{variable_of(name)}` | " if settings else ""
        example = f" Example: `{name} = {key.example}`" if key.example else ""
        need = " Required." if key.required else ""
        later = " *Checked, and not acted on in this version.*" if key.later else ""
        rows += (
            f"| `{name}` | {_holds(key)} | {_shown_default(key)} | {ways}{key.doc}{need}{later}{example} |\n"
        )
    one_of = (
        f"\nExactly one of {listed(f'`{name}`' for name in table.one_of)} is written.\n"
        if table.one_of
        else ""
    )
    return f"## {title}\n\n{table.doc}\n\n{head}{rows}{one_of}"


def _shown_default(key: Key) -> str:
    default = _default(key)
    if default is None:
        return ""
    return f"`{json.dumps(default)}`"


def _holds(key: Key) -> str:
    if key.kind == "choice":
        return listed(f'`"{choice}"`' for choice in (*key.choices, *key.also))
    if key.kind == "integer":
        return f"whole number, {key.low} to {key.high}"
    if key.kind == "duration":
        off = ", or `off`" if key.rule == "duration_or_off" else ""
        return f"duration, {format_duration(key.low or 0)} to {format_duration(key.high or 0)}{off}"
    return _HOLDS.get(key.kind, "string")


_HOLDS = {
    "boolean": "`true` or `false`",
    "strings": "list of strings",
    "lists": "list of lists of strings",
    "map": "table of strings",
    "variables": "table of variables",
    "table": "table",
    "date": "day",
}
