"""Keys without an effect are told, each with its place."""

from __future__ import annotations

from pathlib import Path

from tracekit.config.later import not_acted_on
from tracekit.config.loader import load

PROFILE = """\
[suite.api]
runner = "pytest"
idempotent = true
timeout = "5s"

[suite.db]
runner = "pytest"
idempotent = false
"""


def test_not_acted_on__two_such_keys__then_both_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text(PROFILE)
    found = not_acted_on(load(str(tmp_path), environ={"HOME": str(tmp_path)}, implicit=False).profile)
    assert [problem.where for problem in found] == [
        "tracekit.toml:3:suite.api.idempotent",
        "tracekit.toml:8:suite.db.idempotent",
    ]
    assert (
        not_acted_on(load(str(tmp_path / ".."), environ={"HOME": str(tmp_path)}, implicit=False).profile)
        == []
    )
