"""`make bench`: hands over to tests/bench, after what it needs has been installed."""

from __future__ import annotations

import sys

from tests.bench.__main__ import main
from tools.tasks import needs

# Counts instructions where the machine's own counters are out of reach.
PROGRAMS = {"valgrind": "valgrind"}

if __name__ == "__main__":
    needs.programs(PROGRAMS)
    sys.exit(main(sys.argv[1:]))
