"""Keys without an effect are told, each with its place."""

from __future__ import annotations

from pathlib import Path

from tracekit.config.later import not_acted_on
from tracekit.config.loader import load

PROFILE = """\
[env.api]
host = "api.lab"
protected = true
how = "sync"

[env.db]
host = "db.lab"
protected = false
"""


def test_not_acted_on__two_such_keys__then_both_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text(PROFILE)
    found = not_acted_on(load(str(tmp_path), environ={"HOME": str(tmp_path)}, implicit=False).profile)
    assert [problem.where for problem in found] == [
        "tracekit.toml:3:env.api.protected",
        "tracekit.toml:8:env.db.protected",
    ]
    assert (
        not_acted_on(load(str(tmp_path / ".."), environ={"HOME": str(tmp_path)}, implicit=False).profile)
        == []
    )
