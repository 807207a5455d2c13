"""`make torture`: hands over to tests/torture, after what it needs has been installed."""

from __future__ import annotations

import sys

from tests.torture.__main__ import main
from tools.tasks import needs

if __name__ == "__main__":
    needs.install()
    sys.exit(main(sys.argv[1:]))
