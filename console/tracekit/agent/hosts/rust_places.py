"""Where Rust tests stand: a test's name to its file and line, by looking at the text of the sources.

libtest knows names alone. What is not found is told as its target's file without a line; nothing is ever guessed from
another file.
"""

from __future__ import annotations

import os
import re

_FUNCTION = re.compile(
    r"^[ \t]*(?:#\[[^\n]*\][ \t]*)*(?:pub(?:\([^)\n]*\))?[ \t]+)?(?:async[ \t]+)?(?:unsafe[ \t]+)?fn[ \t]+(?:r#)?(\w+)"
)
_MODULE = re.compile(r"^[ \t]*(?:pub(?:\([^)\n]*\))?[ \t]+)?mod[ \t]+(?:r#)?(\w+)")
_MOST = 4 << 20


class RustPlaces:
    """Files of one target's crate, each read once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._known: dict[str, tuple[dict[str, list[int]], dict[str, list[int]]]] = {}

    def find(self, path: list[str]) -> tuple[str, int]:
        """The absolute file and the line of a test, by its modules and its name; line 0 where it is not seen."""
        *modules, name = path
        # A parametrised test is a module of cases: its function bears the module's name.
        for wanted, inside in ((name, modules), (modules[-1] if modules else "", modules[:-1])):
            for depth in range(len(inside), -1, -1):
                for file in self._files(inside[:depth]):
                    line = self._line(file, wanted, inside[depth:])
                    if line:
                        return file, line
        return self._source, 0

    def _files(self, modules: list[str]) -> list[str]:
        if not modules:
            return [self._source]
        base = os.path.dirname(self._source)
        stem = os.path.splitext(os.path.basename(self._source))[0]
        bases = [base] if stem in {"lib", "main", "mod"} else [base, os.path.join(base, stem)]
        found = [os.path.join(place, *modules) for place in bases]
        files = [path + ending for path in found for ending in (".rs", os.sep + "mod.rs")]
        return [path for path in files if os.path.isfile(path)]

    def _line(self, file: str, name: str, inline: list[str]) -> int:
        functions, modules = self._read(file)
        lines = functions.get(name)
        if not lines:
            return 0
        # The first one behind the beginning of its innermost module in this file.
        began = modules.get(inline[-1], [0]) if inline else [0]
        return next((line for line in lines if line > began[0]), lines[0])

    def _read(self, file: str) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        known = self._known.get(file)
        if known is not None:
            return known
        functions: dict[str, list[int]] = {}
        modules: dict[str, list[int]] = {}
        try:
            with open(file, encoding="utf-8", errors="replace") as opened:
                text = opened.read(_MOST)
        except OSError:
            text = ""
        for number, line in enumerate(text.splitlines(), 1):
            if "fn " in line and (found := _FUNCTION.match(line)):
                functions.setdefault(found.group(1), []).append(number)
            elif "mod " in line and (found := _MODULE.match(line)):
                modules.setdefault(found.group(1), []).append(number)
        self._known[file] = functions, modules
        return functions, modules
