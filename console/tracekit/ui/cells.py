"""How many cells a character takes: one answer for layout, text and painting.

Text that was made safe takes the cells that most terminals give it. The screen library gives none to vowel signs and
other marks that stand beside their letter, of which terminals think differently; and what it says depends on a variable
of the environment. Both would push whatever stands behind such a name.
"""

from __future__ import annotations

from functools import cache

import rich.cells
from rich._unicode_data import load
from rich.cells import CellTable

#: Marks that stand beside their letter, from code point to code point.
_BESIDE = """
903 93b 93e-940 949-94c 94e-94f 982-983 9be-9c0 9c7-9c8 9cb-9cc 9d7 a03 a3e-a40 a83 abe-ac0 ac9 acb-acc
b02-b03 b3e b40 b47-b48 b4b-b4c b57 bbe-bbf bc1-bc2 bc6-bc8 bca-bcc bd7 c01-c03 c41-c44 c82-c83 cbe cc0-cc4
cc7-cc8 cca-ccb cd5-cd6 cf3 d02-d03 d3e-d40 d46-d48 d4a-d4c d57 d82-d83 dcf-dd1 dd8-ddf df2-df3 f3e-f3f f7f
102b-102c 1031 1038 103b-103c 1056-1057 1062-1064 1067-106d 1083-1084 1087-108c 108f 109a-109c 1715 1734
17b6 17be-17c5 17c7-17c8 1923-1926 1929-192b 1930-1931 1933-1938 1a19-1a1a 1a55 1a57 1a61 1a63-1a64
1a6d-1a72 1b04 1b35 1b3b 1b3d-1b41 1b43-1b44 1b82 1ba1 1ba6-1ba7 1baa 1be7 1bea-1bec 1bee 1bf2-1bf3
1c24-1c2b 1c34-1c35 1ce1 1cf7 a823-a824 a827 a880-a881 a8b4-a8c3 a952-a953 a983 a9b4-a9b5 a9ba-a9bb
a9be-a9c0 aa2f-aa30 aa33-aa34 aa4d aa7b aa7d aaeb aaee-aaef aaf5 abe3-abe4 abe6-abe7 abe9-abea abec 11000
11002 11082 110b0-110b2 110b7-110b8 1112c 11145-11146 11182 111b3-111b5 111bf-111c0 111ce 1122c-1122e
11232-11233 11235 112e0-112e2 11302-11303 1133e-1133f 11341-11344 11347-11348 1134b-1134d 11357 11362-11363
113b8-113ba 113c2 113c5 113c7-113ca 113cc-113cd 113cf 11435-11437 11440-11441 11445 114b0-114b2 114b9
114bb-114be 114c1 115af-115b1 115b8-115bb 115be 11630-11632 1163b-1163c 1163e 116ac 116ae-116af 116b6
11720-11721 11726 1182c-1182e 11838 11930-11935 11937-11938 1193d 11940 11942 119d1-119d3 119dc-119df 119e4
11a39 11a57-11a58 11a97 11b61 11b65 11b67 11c2f 11c3e 11ca9 11cb1 11cb4 11d8a-11d8e 11d93-11d94 11d96
11ef5-11ef6 11f03 11f34-11f35 11f3e-11f3f 11f41 1612a-1612c 16f51-16f87 1d165-1d166 1d16d-1d172
"""
#: Signs that were narrow before Unicode 16, and numbers in circles that some draw wide.
_SIGNS = "2630-2637 268a-268f 3248-324f 4dc0-4dff 1d300-1d356 1d360-1d376"


def agree() -> None:
    """Let the library measure as safe text is measured; whatever was measured before is forgotten."""
    if vars(rich.cells)["load_cell_table"] is not _table:
        setattr(rich.cells, "load_cell_table", _table)  # noqa: B010 - the library exports it to nobody
        rich.cells.get_character_cell_size.cache_clear()
        rich.cells.cached_cell_len.cache_clear()


@cache
def disputed() -> frozenset[str]:
    """The characters to which terminals give different cells."""
    return _beside() | _letters(_SIGNS)


@cache
def _beside() -> frozenset[str]:
    return _letters(_BESIDE)


def _letters(words: str) -> frozenset[str]:
    spans = (span.partition("-") for span in words.split())
    return frozenset(
        chr(code) for first, _, last in spans for code in range(int(first, 16), int(last or first, 16) + 1)
    )


@cache
def _table(_version: str = "auto") -> CellTable:
    table = load("latest")
    ours = _beside()
    widths: list[tuple[int, int, int]] = []
    for start, end, width in table.widths:
        begin = start
        # What is in no entry takes one.
        for code in (code for code in range(start, end + 1) if not width and chr(code) in ours):
            widths.append((begin, code - 1, width))
            begin = code + 1
        widths.append((begin, end, width))
    return table._replace(widths=tuple(entry for entry in widths if entry[0] <= entry[1]))
