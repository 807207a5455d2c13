"""What the adapter asks of a test process, read from the files it names: chosen scenarios, attempts had before."""

from __future__ import annotations

import json
from typing import Dict, List, Optional


def read_wanted(path: Optional[str]) -> Optional[List[str]]:
    """The scenario ids this process is asked for, or None for everything."""
    if not path:
        return None
    with open(path, "rb") as file:
        wanted = json.loads(file.read().decode("ascii"))
    return [str(scenario) for scenario in wanted]


def read_attempts(path: str) -> Dict[str, int]:
    """How many attempts each scenario has had before this process; nothing where nobody counts."""
    if not path:
        return {}
    with open(path, "rb") as file:
        counts = json.loads(file.read().decode("ascii"))
    return {str(scenario): int(count) for scenario, count in counts.items()}
