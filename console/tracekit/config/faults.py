"""The collector of faults: every reader adds to one, so that all mistakes are told at once.

Bounded, so that a hostile file with ten thousand mistakes costs as little as one with two hundred.
"""

from __future__ import annotations

from tracekit.wire.problems import Problem, ProblemError

MAX_FAULTS = 200
MAX_SUGGESTIONS = 50


class Faults:
    """Problems in the order in which they were found."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._beyond = 0

    def add(self, code: str, what: str, where: str, action: str = "") -> None:
        """Add one; beyond the bound they are only counted."""
        if len(self._problems) < MAX_FAULTS:
            self._problems.append(Problem(f"config.{code}", what, where, action))
        else:
            self._beyond += 1

    def __len__(self) -> int:
        return len(self._problems) + self._beyond

    @property
    def full(self) -> bool:
        """Whether a further fault would only be counted, so that its words need not be made."""
        return len(self._problems) >= MAX_FAULTS

    @property
    def may_suggest(self) -> bool:
        """Whether comparing words is still worth its time."""
        return len(self._problems) < MAX_SUGGESTIONS

    def problems(self) -> list[Problem]:
        """All of them, file by file in the order of their lines, and how many were not kept."""
        files: dict[str, int] = {}
        for problem in self._problems:
            files.setdefault(problem.where.split(":")[0], len(files))
        ordered = sorted(self._problems, key=lambda problem: _order(problem.where, files))
        if not self._beyond:
            return ordered
        rest = Problem(
            "config.too_many_faults",
            f"{self._beyond} more faults are not shown",
            self._problems[0].where.split(":")[0],
            "mend the first ones and look again",
        )
        return [*ordered, rest]

    def raise_any(self) -> None:
        """Raise ProblemError with all of them if there is one."""
        if self._problems:
            raise ProblemError(self.problems())


def _order(where: str, files: dict[str, int]) -> tuple[int, int]:
    label, _, rest = where.partition(":")
    line = rest.partition(":")[0]
    return files[label], int(line) if line.isascii() and line.isdigit() else 0
