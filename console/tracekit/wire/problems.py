"""Problems as data: what happened, to what, and what to do next.

Rooms raise ProblemError with one or many of them; only the edge (a screen, a command) turns them into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Union


class Problem(NamedTuple):
    """One fault. `code` is stable (`config.unknown_key`), the rest is for people.

    A named tuple, since every command loads it: the module that makes dataclasses costs more than all of this room.
    """

    code: str
    what: str
    where: str = ""
    action: str = ""

    def to_json(self) -> dict[str, str]:
        """The problem as it travels in messages and `--json`."""
        return {"code": self.code, "what": self.what, "where": self.where, "action": self.action}

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> Problem:
        """Read a problem from a peer, whatever it sent."""
        return cls(*(str(obj.get(key, "")) for key in ("code", "what", "where", "action")))

    def __str__(self) -> str:
        """One line for a log or a plain terminal."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}" + (f" ({self.action})" if self.action else "")


class ProblemError(Exception):
    """Carries one or many problems up to the edge."""

    def __init__(self, problems: Union[Problem, Sequence[Problem]]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    @property
    def first(self) -> Problem:
        """The first problem, which decides the exit code."""
        return self.problems[0]
