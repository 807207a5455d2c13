"""`tools/generate`: the references that are made from code, so that they cannot say anything else.

With --check nothing is written: each file is compared, and the first lines that differ are shown.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tools.tasks import kinds
from tools.tasks.common import ROOT, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOTE = "<!-- Made by `tools/generate`; change what it is made from. -->\n\n"
SHOWN = 40
REBIND = """\
Any of these can be given other keys in `$XDG_CONFIG_HOME/tracekit/config.toml`, by the name in the last
column: `[keys]`, then `"run.failed" = "ctrl+f"`.
"""


def cell(text: str) -> str:
    """A text as a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def cli() -> str:
    """Every command's help, as the command prints it."""
    # The width and the colours of argparse come from the environment it is asked in.
    os.environ.update(COLUMNS="100", NO_COLOR="1")
    registry: Any = importlib.import_module("tracekit.cli.registry")
    parts = [
        "# Commands\n\n",
        NOTE,
        "`tracekit-tui [PATH]` opens the console; `tracekit` is the same program without it.\n\n",
        f"```text\n{registry.overview().rstrip()}\n```\n",
    ]
    tail = registry.EXIT_CODES.strip()
    for name in (*registry.SUMMARIES, "tui"):
        title = "tracekit-tui" if name == "tui" else f"tracekit {name}"
        made = registry.parser(name)
        text = made.format_help().replace(tail, "").rstrip()
        below = "".join(f"\n\n{verb.format_help().rstrip()}" for verb in verbs(made))
        parts.append(f"\n## {title}\n\n```text\n{text}{below}\n```\n")
    return "".join(parts)


def verbs(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """The parsers of a command's own commands, such as `add` and `list`."""
    actions = parser._actions  # noqa: SLF001 - argparse tells its own commands in no other way
    choices = [action.choices for action in actions if isinstance(action.choices, dict)]
    return [verb for each in choices for verb in each.values()]


def keys() -> str:
    """Every action with its keys, and the same on the command line."""
    actions: Any = importlib.import_module("tracekit.ui.actions")
    parts = [
        "# Keys\n\n",
        NOTE,
        REBIND,
    ]
    for group, members in actions.by_group(actions.ACTIONS):
        parts.append(f"\n## {group}\n\n| key | does | on the command line | name |\n|---|---|---|---|\n")
        for action in members:
            shown = " ".join(f"`{actions.shown_key(key)}`" for key in action.keys)
            command = f"`{action.command}`" if action.command else ""
            parts.append(
                f"| {cell(shown)} | {cell(action.description)} | {cell(command)} | `{action.id}` |\n"
            )
    return "".join(parts)


def names() -> str:
    """The vocabulary that travels, for the native side and for readers of a journal in other languages."""
    wire: Any = importlib.import_module("tracekit.wire.names")
    listed = {
        "schema": wire.SCHEMA,
        "events": sorted(wire.EVENTS),
        "verdicts": list(wire.VERDICTS),
        "red": sorted(wire.RED),
        "causes": list(wire.CAUSES),
        "steps": list(wire.STEP_KINDS),
        "streams": list(wire.STREAMS),
    }
    return json.dumps(listed, indent=2) + "\n"


def configuration() -> dict[str, str]:
    """The configuration page, whose prose is its own, and the schemas for editors."""
    reference: Any = importlib.import_module("tracekit.config.reference")
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    files: dict[str, str] = reference.render_files(page)
    return files


FILES: dict[str, Callable[[], str]] = {
    "docs/cli.md": cli,
    "docs/keys.md": keys,
    "docs/schema/names.json": names,
    "docs/trace-format.md": kinds.page,
    "native/tracer_backend/src/kinds.rs": kinds.rust,
    "console/tracekit/wire/kinds.py": kinds.python,
}


def everything() -> Iterator[tuple[str, str]]:
    """Each generated file with what it must hold."""
    for name, make in FILES.items():
        yield name, make()
    yield from configuration().items()


def main(arguments: list[str]) -> int:
    """Write what differs, or with --check say what differs; exit 1 when a check finds something."""
    check = arguments == ["--check"]
    if arguments and not check:
        say("usage: tools/generate [--check]")
        return 2
    stale = []
    for name, wanted in everything():
        path = ROOT / name
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        if found == wanted:
            continue
        stale.append(name)
        if check:
            lines = difflib.unified_diff(
                found.splitlines(), wanted.splitlines(), name, f"{name} (made anew)", lineterm=""
            )
            for line in list(lines)[:SHOWN]:
                say(line)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
            say(f"written: {name}")
    if check and stale:
        say(f"out of date: {', '.join(stale)}; run tools/generate")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
