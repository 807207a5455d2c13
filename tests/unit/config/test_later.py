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
    found = not_acted_on(
        load(str(tmp_path), environ={"HOME": str(tmp_path)}, implicit=False).profile, ("api", "db")
    )
    assert [problem.where for problem in found] == [
        "tracekit.toml:3:env.api.protected",
        "tracekit.toml:8:env.db.protected",
    ]
    assert (
        not_acted_on(
            load(str(tmp_path / ".."), environ={"HOME": str(tmp_path)}, implicit=False).profile, ("api",)
        )
        == []
    )


def test_not_acted_on__services__then_it_is_said_what_is_done_with_them(tmp_path: Path) -> None:
    services = '[env.api]\nhost = "api.lab"\n[env.api.service.db]\nstart = ["db"]\n'
    (tmp_path / "tracekit.toml").write_text(services)
    config = load(str(tmp_path), environ={"HOME": str(tmp_path)}, implicit=False)
    (problem,) = not_acted_on(config.profile, ("api",))
    assert "started by no run" in problem.what
    assert "`tracekit box check`" in problem.what
    assert problem.where == "tracekit.toml:3:env.api.service"


def test_not_acted_on__of_an_environment_that_is_not_meant__then_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text(PROFILE)
    profile = load(str(tmp_path), environ={"HOME": str(tmp_path)}, implicit=False).profile
    assert not_acted_on(profile, ("local",)) == []
    assert [problem.where for problem in not_acted_on(profile, ("local", "db"))] == [
        "tracekit.toml:8:env.db.protected"
    ]
