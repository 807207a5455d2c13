"""What several end-to-end modules stand on: a box behind a real sshd, one a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sshd


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sshd.Box, str, Path]]:
    """A box, a Python that its user may run, and a folder there that holds pytest."""
    with sshd.box(tmp_path_factory.mktemp("box")) as box:
        yield (box, *sshd.lend_pytest(box))
