"""A suite's arguments as `go test` reads them: which tests they choose by `-run` and `-skip`, and what else they say.

Pure: words in, words and patterns out. Go's patterns are asked of go itself where it can be; only what to skip is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BEHIND = ("-args", "--args")
_FLAG = re.compile(r"--?(?:test\.)?(?P<name>run|skip|list)(?:=(?P<value>.*))?", re.DOTALL)


@dataclass(frozen=True)
class GoWords:
    """The arguments without those that choose, and what those choose; "" is all, or nothing to skip."""

    rest: tuple[str, ...] = ()
    run: str = ""
    skip: str = ""
    #: All of them, as far as they are go's own.
    own: tuple[str, ...] = ()
    #: `-args` and what stands behind it, which is for the tests: go takes nothing of that for a package or a flag.
    behind: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: Sequence[str]) -> GoWords:
        """Read them; of several the last counts, as for go."""
        rest: list[str] = []
        said = {"run": "", "skip": "", "list": ""}
        at = next((place for place, word in enumerate(args) if word in _BEHIND), len(args))
        own, left = tuple(args[:at]), list(args[:at])
        while left:
            word = left.pop(0)
            flag = _FLAG.fullmatch(word)
            if flag is None:
                rest.append(word)
                continue
            value = flag.group("value")
            said[flag.group("name")] = (left.pop(0) if left else "") if value is None else value
        return cls(tuple(rest), said["run"], said["skip"], own, tuple(args[at:]))

    @property
    def listed(self) -> str:
        """The pattern of the tests that there are: of each alternative what stands in front of its parts."""
        return "|".join(parts[0] for parts in _cut(self.run)) or "."

    @property
    def chosen(self) -> tuple[str, ...]:
        """The arguments beside those by which tests are chosen by name: what is to be left out of tests stays so."""
        parts = "|".join("/".join(parts) for parts in _cut(self.skip) if len(parts) > 1)
        return (*self.rest, f"-skip={parts}") if parts else self.rest

    def pattern(self, names: Sequence[str]) -> str:
        """The pattern for these tests alone, each with those of its parts that the arguments choose."""
        parts = {name: self._parts(name) for name in names}
        whole = [name for name in names if not parts[name]]
        found = [f"^({'|'.join(whole)})$"] if whole else []
        return "|".join(found + [f"^({name})$/{part}" for name in names for part in parts[name]])

    def _parts(self, name: str) -> list[str]:
        """What is chosen of one test's parts; nothing where it is chosen whole, or not at all."""
        try:
            fits = [parts for parts in _cut(self.run) if self.run and re.search(parts[0], name)]
        except re.error:
            return []
        return [] if any(len(parts) == 1 for parts in fits) else ["/".join(parts[1:]) for parts in fits]

    def skips(self, name: str) -> bool:
        """Whether a whole test is left out; a pattern for parts leaves none out."""
        try:
            return any(
                len(parts) == 1 and re.search(parts[0], name) for parts in _cut(self.skip) if self.skip
            )
        except re.error:
            return False


def _cut(pattern: str) -> list[list[str]]:
    """The alternatives of a pattern, each cut at its slashes, where those stand in no brackets."""
    found: list[list[str]] = [[""]]
    inside, deep, escaped = False, 0, False
    for sign in pattern:
        plain = not (inside or deep or escaped)
        if plain and sign in "|/":
            if sign == "|":
                found.append([""])
            else:
                found[-1].append("")
            continue
        found[-1][-1] += sign
        if escaped:
            escaped = False
            continue
        escaped = sign == "\\"
        if sign in "[]":
            inside = sign == "["
        elif not inside and sign in "()":
            deep += 1 if sign == "(" else -1
    return found
