"""The environment of a run on a box: that of the login by which its console came, and what was sent.

Its secrets are the box's own and are kept out of every replicated file like those of the console. It reads no file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tracekit.wire.secrets import secrets_in

# Of the connection, and of the agent itself.
_PASSING = ("SSH_", "TRACEKIT_")
_PLACES = frozenset({"PWD", "OLDPWD"})


def at_home(message: Mapping[str, Any], login: Mapping[str, str]) -> dict[str, Any]:
    """A START as it runs on this machine, which is not the console's own."""
    own = {
        name: value for name, value in login.items() if not name.startswith(_PASSING) and name not in _PLACES
    }
    sent = message.get("environ") or {}
    secrets = own_secrets(message.get("secrets") or {}, login)
    return {**message, "environ": {**own, **sent}, "secrets": secrets}


def environment(told: bytes) -> dict[str, str]:
    """The environment of a process as the kernel tells it."""
    pairs = (pair.partition("=") for pair in os.fsdecode(told).split("\0"))
    return {name: value for name, mark, value in pairs if name and mark}


def own_secrets(sent: Mapping[str, str], login: Mapping[str, str]) -> dict[str, str]:
    """The secrets of a console and those of this machine; where both have one of a name, both are kept."""
    found = dict(sent)
    for name, value in secrets_in(login).items():
        if found.setdefault(name, value) != value:
            found[f"{name} of the box"] = value
    return found
