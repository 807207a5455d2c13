from __future__ import annotations

import unicodedata

import wcwidth
from rich.cells import cell_len

from tracekit._native import safe

# The planes where characters differ from each other, and the tags and selectors.
CODES = (*range(0x20000), *range(0xE0000, 0xE1000))
# Spacing marks take a cell of their own here and in Unicode's own words; rich and wcwidth give them none.
SPACING_MARK = "Mc"
# Rare letters and signs of which the tables say different things.
DISPUTED = {
    *(0xD4E, 0x17A4, 0x2D7F, 0xA8FA, 0x111C2, 0x111C3, 0x1171E, 0x1193F, 0x11941),
    *range(0x11A84, 0x11A8A),
    *(0x11D46, 0x11F02),
}


def test_columns__of_every_character__then_what_rich_and_terminal_tables_say() -> None:
    wrong = []
    for code in CODES:
        character = chr(code)
        if unicodedata.category(character) in {"Cn", "Cs", SPACING_MARK} or code in DISPUTED:
            continue  # not yet a character for this Python, never one, or known not to be agreed on
        line = safe("x" + character)
        terminal = sum(wcwidth.wcwidth(c) for c in line.text)
        if not line.columns == cell_len(line.text) == terminal:
            wrong.append(f"U+{code:04X}: {line.columns} {cell_len(line.text)} {terminal}")
    assert not wrong
