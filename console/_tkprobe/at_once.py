"""How many tests run at once, where somebody said so: pytest-xdist is told, whatever the project itself says of it.

Without xdist pytest runs one at a time: a larger number is refused in words, never quietly run as one.
"""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

#: What the end of such a launch is known by.
REFUSED = "needs pytest-xdist, which is not loaded here"


def bound(config: Any, args: List[str], environ: Dict[str, str]) -> None:
    """Say it to xdist as the last of all arguments; raises pytest.UsageError where there is none."""
    size = environ.get("TRACEKIT_AT_ONCE", "")
    if not size.isdigit() or environ.get("PYTEST_XDIST_WORKER"):
        return
    loaded = any(config.pluginmanager.hasplugin(name) for name in ("xdist", "xdist.plugin"))
    if loaded:
        at = args.index("--") if "--" in args else len(args)
        args[at:at] = ["-n", "0" if size == "1" else size]
    elif size != "1":
        raise pytest.UsageError(f"-j {size} {REFUSED}")
