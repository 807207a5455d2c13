"""`make screenshots`: writes screenshots/ anew from the frames that the UI tests compare.

Must never draw anything itself: the tests' own drawing is run, told to keep what it draws.
"""

from __future__ import annotations

import sys

from tools.tasks.common import run, tool

if __name__ == "__main__":
    sys.exit(run([tool("pytest"), "-q", "tests/ui", "--golden-update"]))
