"""The one registry of what a key can do: keys, footer, help, palette and the keys page all come from it.

What there is stands in `action_list`; here it is looked up, given a person's own keys, and told. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from textual.binding import Binding, BindingType
from textual.keys import _character_to_key

from tracekit.ui.action_list import (
    ACTIONS,
    BOTH,
    COMPARISON,
    CONSOLE,
    ENVIRONMENTS,
    GROUPS,
    LIST,
    MOVE,
    PANES,
    RUNS,
    TRENDS,
    Action,
    shown_key,
)
from tracekit.wire.problems import Problem

__all__ = [
    "ACTIONS",
    "BOTH",
    "COMPARISON",
    "CONSOLE",
    "ENVIRONMENTS",
    "GROUPS",
    "LIST",
    "MOVE",
    "PANES",
    "RUNS",
    "TRENDS",
    "Action",
    "bindings",
    "by_group",
    "clashes",
    "footer_hints",
    "keymap",
    "keys_reference",
    "normal",
    "resolve",
    "shown_key",
]


def resolve(
    overrides: Mapping[str, str | Sequence[str]] | None = None,
) -> tuple[tuple[Action, ...], tuple[Problem, ...]]:
    """The registry with a person's own keys; faults in them are told, and the defaults stand there."""
    problems: list[Problem] = []
    known = {action.id: action for action in ACTIONS}
    wanted = dict(known)
    for action_id, keys in (overrides or {}).items():
        if action_id not in known:
            near = min(known, key=lambda name: _distance(name, action_id))
            problems.append(
                Problem("keymap.unknown_action", "no such action", action_id, f"did you mean {near}?")
            )
            continue
        listed = keys.split(",") if isinstance(keys, str) else keys
        chosen = tuple(key.strip() for key in listed if key.strip())
        rows = [key for key in chosen if " " in key]
        if rows:
            problems.append(
                Problem(
                    "keymap.sequence",
                    f"{rows[0]!r} is several keys in a row, and an action has one key",
                    action_id,
                    "use a single key, as f5 or ctrl+g",
                )
            )
            continue
        wanted[action_id] = replace(known[action_id], keys=chosen)
    problems += clashes(wanted.values())
    if any(problem.code == "keymap.clash" for problem in problems):
        return ACTIONS, tuple(problems)
    return tuple(wanted[action.id] for action in ACTIONS), tuple(problems)


def clashes(actions: Iterable[Action]) -> list[Problem]:
    """One problem for each key that would do two things in the same place."""
    owner: dict[tuple[str, str], str] = {}
    problems = []
    for action in actions:
        for key in action.keys:
            for context in action.context:
                first = owner.setdefault((context, normal(key)), action.id)
                if first != action.id:
                    problems.append(
                        Problem(
                            "keymap.clash",
                            f"{key} is already {first}",
                            action.id,
                            "choose another key for one of them",
                        )
                    )
    return problems


def normal(key: str) -> str:
    """The long name of a key, so that `?` and `question_mark` are the same."""
    return _character_to_key(key) if len(key) == 1 else key


def bindings(context: str) -> list[BindingType]:
    """What a screen of this context binds by default; the application's keymap replaces keys by id."""
    return [
        Binding(_typed(action), action.handler, action.label, show=False, id=action.id)
        for action in ACTIONS
        if context in action.context
    ]


def keymap(actions: Iterable[Action]) -> dict[str, str]:
    """A person's own keys as the screen library takes them: it goes through all of them with every key that is pressed,
    so those that stand as they were bound are not among them.
    """
    bound = {action.id: _typed(action) for action in ACTIONS}
    return {action.id: keys for action in actions if (keys := _typed(action)) != bound.get(action.id)}


def _typed(action: Action) -> str:
    """Its keys by their long names; the library ignores an empty text, so no keys is a key nobody has."""
    return ",".join(normal(key) for key in action.keys) or f"unbound.{action.id}"


def by_group(actions: Iterable[Action]) -> Iterator[tuple[str, list[Action]]]:
    """Actions as help shows them."""
    listed = list(actions)
    for group in GROUPS:
        yield group, [action for action in listed if action.group == group]


def footer_hints(actions: Iterable[Action], context: str = CONSOLE) -> list[Action]:
    """What the footer shows in a context, the most useful first."""
    told = (
        action
        for action in actions
        if action.hint
        and action.keys
        and context in action.context
        # Elsewhere it is understood: arrows move, and leaving leads back here.
        and (context == CONSOLE or (action.group != MOVE and action.handler != "quit"))
    )
    return sorted(told, key=lambda action: action.hint)


def keys_reference() -> str:
    """The page of keys, in Markdown; made from the registry and from nothing else."""
    lines = [
        "# Keys",
        "",
        "Made from the registry of actions. Any key can be changed by its id in the table `[keys]` of your",
        'configuration, as in `"run.failed" = "F5"`; two keys are written with a comma between them.',
    ]
    for group, actions in by_group(ACTIONS):
        lines += ["", f"## {group}", "", "| keys | does | id | on the command line |", "|---|---|---|---|"]
        for action in actions:
            keys = " ".join(f"`{shown_key(key)}`" for key in action.keys)
            command = f"`{action.command}`" if action.command else ""
            lines.append(f"| {keys} | {action.description} | `{action.id}` | {command} |")
    return "\n".join(lines) + "\n"


def _distance(one: str, other: str) -> int:
    """Edit distance, for suggestions only."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (left != right))
    return row[-1]
