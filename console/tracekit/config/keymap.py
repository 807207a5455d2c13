"""The user's keys: `[keys]` of config.toml over the defaults of the action registry, clashes told by file and line.

Knows the grammar of keys, not what actions do: the registry hands in ids and default keys.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from tracekit.config.profile import NONE
from tracekit.config.words import listed, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tracekit.config.document import Document
    from tracekit.config.faults import Faults

MODIFIERS = ("ctrl", "alt", "shift", "super")
NAMED = (
    "enter", "escape", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown",
    "up", "down", "left", "right", "comma", "plus",
    *(f"f{number}" for number in range(1, 25)),
)  # fmt: skip
_SYNONYMS = {
    "esc": "escape",
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "equals_sign": "=",
}


#: Where an action works whose place nobody told.
_ANYWHERE = ("",)


class Keymap(NamedTuple):
    """Keys by action id, and where the user's own stand. An action without keys is unbound."""

    bindings: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    origins: Mapping[str, str] = NONE

    def keys(self, action: str) -> tuple[str, ...]:
        return self.bindings.get(action, ())


def parse_key(text: str) -> str | None:
    """The one spelling of a key (`shift+ctrl+P` and `ctrl+shift+p` are one), or None."""
    return _stroke(text)


def _stroke(text: str) -> str | None:
    *modifiers, key = text.split("+") if text != "+" else ["plus"]
    if any(modifiers.count(word) > 1 or word not in MODIFIERS for word in modifiers):
        return None
    key = _SYNONYMS.get(key.lower(), key)
    if len(key) == 1:
        if not key.isprintable() or key.isspace():
            return None
        if modifiers == ["shift"] and key.isalpha():
            return key.upper()
        key = key.lower() if modifiers else key
    elif key.lower() in NAMED:
        key = key.lower()
    else:
        return None
    return "+".join([*(word for word in MODIFIERS if word in modifiers), key])


def parse_keys(text: str) -> tuple[tuple[str, ...], list[str]]:
    """The keys of `key[,key]`, and the parts that are none. An empty text unbinds."""
    keys: list[str] = []
    wrong: list[str] = []
    for part in text.split(",") if text.strip() else ():
        key = parse_key(part.strip(" "))
        if key is None:
            wrong.append(part.strip())
        elif key not in keys:
            keys.append(key)
    return tuple(keys), wrong


def build_keymap(
    actions: Mapping[str, str | Sequence[str]],
    given: Mapping[str, str],
    document: Document | None,
    faults: Faults,
    contexts: Mapping[str, Collection[str]] | None = None,
) -> Keymap:
    """Defaults with the user's `[keys]` over them. `actions`: id -> default keys, as `"f,ctrl+f"` or a sequence.

    `contexts`: id -> the screens where it works; on different ones a key may do different things.
    """
    bindings = {action: _defaults(keys) for action, keys in actions.items()}
    origins: dict[str, str] = {}
    if document is None:
        return Keymap(bindings, origins)
    for action, text in given.items():
        where = document.where(("keys", action))
        if action not in actions:
            near = nearest(action, actions) if faults.may_suggest else None
            hint = f"did you mean {near}?" if near else "press ? in the console for the actions"
            faults.add("unknown_name", f"unknown action {shown(action)}", where, hint)
            continue
        keys, wrong = parse_keys(text)
        for part in wrong[:5]:
            faults.add("value", f"{shown(part)} is not a key", where, _hint(part))
        bindings[action] = keys
        origins[action] = document.origin(("keys", action))
    _check_clashes(bindings, origins, document, faults, contexts or {})
    return Keymap(bindings, origins)


def _defaults(keys: str | Sequence[str]) -> tuple[str, ...]:
    return parse_keys(keys)[0] if isinstance(keys, str) else tuple(parse_key(key) or key for key in keys)


def _hint(part: str) -> str:
    near = nearest(part.rpartition("+")[2], NAMED)
    if near:
        return f"did you mean {near}?"
    return f'write a character such as "f", "ctrl+f", "f5", or one of {listed(NAMED[:6])} …'


def _check_clashes(
    bindings: Mapping[str, tuple[str, ...]],
    origins: Mapping[str, str],
    document: Document,
    faults: Faults,
    contexts: Mapping[str, Collection[str]],
) -> None:
    """A key of the user's that does two things in one place. Defaults among themselves are the registry's matter."""
    holders: dict[str, list[str]] = {}
    for action, keys in bindings.items():
        for key in keys:
            holders.setdefault(key, []).append(action)
    for key, actions in holders.items():
        # The later of two lines is told, and of a default and a line the line.
        mine = sorted(
            (action for action in actions if action in origins),
            key=lambda action: document.line(("keys", action)),
            reverse=True,
        )
        told: set[str] = set()
        for last in mine:
            told.add(last)
            here = set(contexts.get(last, _ANYWHERE))
            met = [
                other
                for other in actions
                if other not in told and not here.isdisjoint(contexts.get(other, _ANYWHERE))
            ]
            if met:
                others = [f"{other} ({origins.get(other, 'its default key')})" for other in met]
                faults.add(
                    "key_clash",
                    f"{shown(key)} already does {listed(others[:5], 'and')}",
                    document.where(("keys", last)),
                    "choose another key, or give the other action one",
                )
