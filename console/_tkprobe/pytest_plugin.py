"""The module that `-p _tkprobe.pytest_plugin` loads: two hooks, everything else is registered from there.

pytest reads a `-p` module through its own loader, which is why this file stays tiny and holds no assert statement
(PYTEST_DONT_REWRITE). It must never fail to load: without a spool it does nothing at all.
"""

from __future__ import annotations

from _tkprobe.activate import load_initial_conftests, start

__all__ = ["pytest_configure", "pytest_load_initial_conftests"]

pytest_configure = start
pytest_load_initial_conftests = load_initial_conftests
