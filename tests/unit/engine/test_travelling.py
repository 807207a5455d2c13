"""What of this machine's secrets goes to another one: what the profile gives it, and nothing that stands beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tracekit.config.profile import Environment
from tracekit.engine.places import Places
from tracekit.engine.plan import Planned, plan_for

TABLE = """
[suite.it]
runner = "pytest"
paths = ["test_a.py"]
[suite.it.env]
GIVEN = { secret = true, from = "env:GIVEN" }

[env.box]
host = "box.lab"
how = "connect"
path_map = { "/there" = "." }
"""
SECRETS = {
    "GIVEN": "given-to-the-box",
    "GITHUB_TOKEN": "ghp-stays-here",
    "AWS_SECRET_ACCESS_KEY": "aws-typed-out",
}


def planned(tmp_path: Path, *args: str) -> Planned:
    root = tmp_path / "project"
    root.mkdir()
    (root / "tracekit.toml").write_text(TABLE)
    (root / "test_a.py").write_text("def test_a(): ...\n")
    environ = {**SECRETS, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    places = Places(tmp_path / "state", tmp_path / "cache", environ=environ)
    return plan_for(str(root), None, places, environment="box", args=args)


@pytest.mark.parametrize(
    ("args", "names"),
    [((), {"GIVEN"}), (("--key=aws-typed-out",), {"GIVEN", "AWS_SECRET_ACCESS_KEY"})],
)
def test_message__for_another_machine__then_only_the_profile_s_secrets_and_what_stands_in_the_plan(
    tmp_path: Path, args: tuple[str, ...], names: set[str]
) -> None:
    plan = planned(tmp_path, *args)
    message = plan.message(tmp_path, "console")
    assert set(message["secrets"]) == names
    assert message["environ"] == {}
    assert "ghp-stays-here" not in str(message)


def test_message__for_this_machine__then_everything_that_has_to_stay_out_of_recordings(
    tmp_path: Path,
) -> None:
    plan = replace(planned(tmp_path), environment=Environment("local"))
    assert set(plan.message(tmp_path, "console")["secrets"]) == set(SECRETS)
