"""In what boxes differ that ran the same suite: system, hardware, Python, what is not to be had there, in words.

Pure: folded runs in, words out. What is every machine's own, such as its name or its free space, is no difference.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracekit.engine.view import RunView
from tracekit.model.state import RunState


def facts_of(view: RunView) -> dict[str, str]:
    """What one run says of where it ran."""
    with view.lock:
        return _facts(view.state)


def _facts(state: RunState) -> dict[str, str]:
    told: dict[str, str] = {}
    for box in state.run.boxes.values():
        told |= {"system": box.system, "arch": box.arch, "libc": box.libc, "agent's python": box.python}
        told |= {"cpus": str(box.cpus), "memory": f"{box.memory / (1 << 30):.1f} GiB"}
        told |= {f"no {what}": why or "yes" for what, why in box.unavailable}
    for suite in state.run.suites:
        of = f" of {suite.name}" if suite.name else ""
        told |= {f"python{of}": suite.python_version, f"framework{of}": suite.framework}
    return {name: value for name, value in told.items() if value}


def differing(seen: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """By fact, what it is on each box, where it is not the same on all; what a box does not say is empty."""
    names = dict.fromkeys(name for facts in seen.values() for name in facts)
    rows = {name: {box: facts.get(name, "") for box, facts in seen.items()} for name in names}
    return {name: row for name, row in rows.items() if len(set(row.values())) > 1}
