"""A project of the size that hurts: classes, plain tests and parametrised names, spread over thousands of files.

The same text for the same numbers, always: what is measured on it today is comparable with tomorrow's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILES_A_FOLDER = 40
_PLAIN, _IN_CLASS, _SMALL, _WIDE, _WIDE_EVERY = 4, 4, 6, 1_000, 200


def large_project(project: Path, count: int) -> list[Path]:
    """Write exactly `count` tests; gives the test files in order."""
    project.mkdir(exist_ok=True)
    (project / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n", encoding="utf-8")
    files: list[Path] = []
    left = count
    while left > 0:
        number = len(files)
        folder = project / "tests" / f"area_{number // FILES_A_FOLDER:03}"
        if number % FILES_A_FOLDER == 0:
            folder.mkdir(parents=True)
            fixture = "import pytest\n\n\n@pytest.fixture\ndef area():\n    return 1\n"
            (folder / "conftest.py").write_text(fixture, encoding="utf-8")
        text, held = _file(number, left)
        left -= held
        path = folder / f"test_unit_{number:04}.py"
        path.write_text(text, encoding="utf-8")
        files.append(path)
    return files


def _file(number: int, left: int) -> tuple[str, int]:
    # One file in two hundred holds a thousand parameters; the others a dozen tests of each kind.
    plain, in_class = min(_PLAIN, left), min(_IN_CLASS, max(0, left - _PLAIN))
    wide = _WIDE if number % _WIDE_EVERY == _WIDE_EVERY // 2 else _SMALL
    cases = min(wide, left - plain - in_class)
    parts = ['"""Checks of one unit."""\n\nimport pytest\n']
    parts += [f"\n\ndef test_plain_{i}(area):\n    assert area == 1\n" for i in range(plain)]
    if in_class:
        parts.append("\n\nclass TestUnit:")
        parts += [f'\n    def test_method_{i}(self):\n        """Holds."""\n' for i in range(in_class)]
    if cases:
        parts.append(f'\n\n@pytest.mark.parametrize("case", [f"case-{{i}}-ü" for i in range({cases})])')
        parts.append("\ndef test_case(case):\n    assert case\n")
    return "".join(parts), plain + in_class + cases
