"""Host keys that a person has accepted for as long as a console lives, handed to a command that it starts.

They are public: which key a machine has shown. The command takes them out of its environment before it starts anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_NAME = "TRACEKIT_ACCEPTED_ONCE"


def handing(accepted: Iterable[str]) -> dict[str, str]:
    """The environment of a command that is to know them."""
    return {**os.environ, _NAME: "\n".join(sorted(accepted))}


def handed() -> set[str]:
    """What the console that started this command has accepted, once."""
    return {line for line in os.environ.pop(_NAME, "").splitlines() if line}
