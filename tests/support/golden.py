"""Golden runs: a recorded run of every format that was released, and what must be read out of it for ever.

`tests/fixtures/golden_runs/FORMAT/` holds a run directory and `expected.json`. What stands there must be found; what a
newer program reads beyond it is no difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tracekit.engine.view import RunView
from tracekit.model.results import results
from tracekit.model.state import Status

GOLDEN = Path(__file__).resolve().parents[1] / "fixtures" / "golden_runs"


def formats() -> list[str]:
    """The formats of which a run is kept."""
    return sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


def run_of(form: str) -> Path:
    """The run directory of a format."""
    (found,) = (path for path in (GOLDEN / form).iterdir() if path.is_dir())
    return found


def expected(form: str) -> Any:
    """What must be read out of it."""
    return json.loads((GOLDEN / form / "expected.json").read_text(encoding="utf-8"))


def folded(view: RunView) -> Any:
    """Everything that a reader can see of a run, as plain data."""
    with view.lock:
        state = view.state
        told = {
            "run": asdict(state.run),
            "counts": state.counts,
            "damaged": [state.damaged, state.missing_total],
            "causes": [asdict(group) for group in state.causes()],
            "notices": [asdict(notice) for notice in state.notices],
            "scenarios": {
                facts.id: {
                    "facts": asdict(facts),
                    "verdict": Status(state.status[index]).word,
                    "duration": state.duration[index],
                    "attempts": [asdict(attempt) for attempt in state.attempts(index)],
                }
                for index, facts in enumerate(state.facts)
            },
            "results": [row._asdict() for row in results(state)],
        }
        spans = {
            scenario: [attempt.outputs for attempt in state.attempts(index)]
            for scenario, index in state.index.items()
        }
    told["output"] = {
        scenario: [view.output(each).decode("utf-8", "backslashreplace") for each in attempts]
        for scenario, attempts in spans.items()
    }
    return json.loads(json.dumps(told))


def differences(wanted: Any, got: Any, place: str = "") -> Iterator[str]:
    """Where what is read is not what must be; an added field is none."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, value in wanted.items():
            if key not in got:
                yield f"{place}/{key} is missing"
            else:
                yield from differences(value, got[key], f"{place}/{key}")
    elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        for number, (one, other) in enumerate(zip(wanted, got, strict=True)):
            yield from differences(one, other, f"{place}/{number}")
    elif wanted != got:
        yield f"{place} is {str(got)[:200]!r}, not {str(wanted)[:200]!r}"
