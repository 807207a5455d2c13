"""The evidence of a failure as Markdown: what failed, frames, locals, what it printed, and how to run it again.

Made of the lines that the console shows, so whatever a test put there is as harmless here as on the screen.
"""

from __future__ import annotations

import re

from tracekit.model.facts import Attempt, OutputSpan, ScenarioFacts
from tracekit.model.words import seconds
from tracekit.ui.panes.failure import failure_lines
from tracekit.ui.ports import ViewFace
from tracekit.ui.safe import clean, safe_lines
from tracekit.ui.theme import palette

TAIL_BYTES, TAIL_LINES, COLUMNS = 16_384, 60, 400


def evidence(view: ViewFace, facts: ScenarioFacts, attempt: Attempt, command: str) -> str:
    """The whole of it; under the view's lock."""
    run = view.state.run
    place = f"{facts.file}:{facts.line}" if facts.line else facts.file
    took = f", {seconds(attempt.duration_ns)}" if attempt.duration_ns else ""
    parts = [
        f"### {_text(facts.name)}: {_text(attempt.verdict or 'running')}",
        "",
        f"- scenario: {_code(facts.id)}",
        f"- place: {_code(place)}",
        f"- run: {_code(view.run_id)}, attempt {attempt.number}{took}",
        f"- environment: {_code(run.environment or 'local')}",
        "",
        "Run it again:",
        "",
        *_block([command], "sh"),
    ]
    failed = [line.text.rstrip() for line in failure_lines(attempt, palette(), run.root or view.root)]
    parts += ["", "What failed:", "", *_block(failed, "text")]
    printed, left_out = _tail(view, attempt.outputs)
    if printed:
        head = "What it printed last:" if left_out else "What it printed:"
        parts += ["", head, "", *_block(printed, "text")]
    return "\n".join(parts) + "\n"


def _tail(view: ViewFace, spans: list[OutputSpan]) -> tuple[list[str], bool]:
    chosen: list[OutputSpan] = []
    size = 0
    for span in reversed(spans):
        if size >= TAIL_BYTES:
            break
        chosen.insert(0, span)
        size += span.length
    data = view.output(chosen)
    lines = [line.text.rstrip()[:COLUMNS] for line in safe_lines(data[-TAIL_BYTES:])]
    while lines and not lines[-1]:
        lines.pop()
    return lines[-TAIL_LINES:], len(lines) > TAIL_LINES or len(chosen) < len(spans) or len(data) > TAIL_BYTES


def _text(words: str) -> str:
    """Outside words as Markdown that says no more than they do."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", clean(words).text)


def _code(words: str) -> str:
    """Outside words as code; backticks of theirs cannot end it."""
    shown = clean(words).text
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _block(lines: list[str], kind: str) -> list[str]:
    """Lines as a block; a fence of theirs cannot end it."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{kind}", *lines, fence]
