"""Which projects a person has trusted with running their code for discovery. One small file, written by us alone."""

from __future__ import annotations

import json
from pathlib import Path


class TrustStore:
    """Trusted roots below one state directory."""

    def __init__(self, state: Path) -> None:
        self._file = state / "trusted.json"

    def known(self, root: str) -> bool:
        """Whether the question was answered with yes before."""
        return root in self._roots()

    def remember(self, root: str) -> None:
        """Keep a yes; where the disk does not take it, the question comes again."""
        roots = sorted({*self._roots(), root})
        part = self._file.with_suffix(".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_text(json.dumps(roots, indent=1))
            part.replace(self._file)
        except OSError:
            return

    def _roots(self) -> list[str]:
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return []
        return [root for root in found if isinstance(root, str)] if isinstance(found, list) else []
