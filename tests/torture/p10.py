"""P10: hostile names cannot crash, click or escape.

Every payload, and names that are paths, options, markup and formats, as suite, scenario, file, host, profile and run
names: the console goes through every pane with them. No crash, no link or click action in any cell, no file made.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.security.payloads import PAYLOADS, hostile_journal
from tests.support.consoles import Console, FakeView, showing
from tests.support.hostile import PANES
from tests.torture.registry import Outcome
from tracekit.ui.ports import quote

NAMES: tuple[tuple[str, bytes], ...] = (
    ("path-up", b"../../../../etc/passwd"),
    ("path-absolute", b"/etc/passwd"),
    ("path-nul", b"a\x00b/../c"),
    ("option", b"-oProxyCommand=touch pwned"),
    ("shell", b"$(touch pwned); `touch pwned` | touch pwned && touch pwned\ntouch pwned"),
    ("quotes", b"'; touch pwned; '\"\\"),
    ("markup-click", b"[@click=app.quit]x[/] [@click=screen.dismiss()]"),
    ("markup-broken", b"[/] [/nope] [[ ]] [bold [red] \\[x]"),
    ("link", b"[link=https://x.invalid]x[/link] https://x.invalid file:///etc/passwd"),
    ("format", b"{self.app} {0[__class__]} %(message)s %n$x"),
    ("selector", b"status:failed and (tag:x or not kind:'y')"),
    ("empty", b""),
    ("spaces", b"   "),
    ("separators", b"::::[[]]::/::\\"),
    ("deep", b"::".join([b"x"] * 3000)),
)


def main(scale: float) -> Outcome:
    """All names, or a spread of them."""
    outcome = Outcome()
    known = (*PAYLOADS, *NAMES)
    step = max(1, round(1 / max(scale, 0.01)))
    chosen = [pair for number, pair in enumerate(known) if number % step == 0]
    counts = {"crashes": 0, "links": 0, "files": 0}
    with tempfile.TemporaryDirectory() as folder:
        here = Path.cwd()
        os.chdir(folder)
        try:
            for name, payload in chosen:
                _one(name, payload, counts, outcome)
            counts["files"] = len(list(Path(folder).rglob("*")))
        finally:
            os.chdir(here)
    if counts["files"]:
        outcome.fault(f"{counts['files']} files were made")
    outcome.figures = {"payloads": len(chosen), "panes": len(PANES), **counts}
    return outcome


def run(scale: float) -> str:
    """The promise as one line."""
    return main(scale).line("P10")


def _one(name: str, payload: bytes, counts: dict[str, int], outcome: Outcome) -> None:
    text = payload.decode("utf-8", "surrogateescape")
    try:
        shown = asyncio.run(_visit(payload, text, counts, outcome, name))
    except Exception as fault:  # noqa: BLE001 - a crash is what is counted here
        counts["crashes"] += 1
        outcome.fault(f"{name}: {type(fault).__name__}: {ascii(str(fault))[:300]}")
        return
    if any(not command.isprintable() for command in shown.clipboard.copied):
        outcome.fault(f"{name}: a copied command holds what a terminal obeys")
    if not quote(text).isprintable():
        outcome.fault(f"{name}: a quoted word holds what a terminal obeys")


async def _visit(payload: bytes, text: str, counts: dict[str, int], outcome: Outcome, name: str) -> Console:
    shown = showing(FakeView(hostile_journal(payload)))
    async with shown.app.run_test(size=(100, 30)) as pilot:
        for pane, step in PANES:
            await step(pilot, shown, text)
            for strip in shown.strips():
                for segment in strip:
                    if segment.style is not None and (segment.style.link or "@click" in segment.style.meta):
                        counts["links"] += 1
                        outcome.fault(f"{name}/{pane}: {segment.text!a} can be clicked")
        await pilot.press("escape", "escape", "y")
    return shown


if __name__ == "__main__":
    sys.stdout.write(run(float(sys.argv[1]) if sys.argv[1:] else 1.0) + "\n")
