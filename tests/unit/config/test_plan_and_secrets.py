from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.config.helpers import places_of
from tracekit.config.loader import Config, check, load
from tracekit.config.plan import secret_names, secrets, to_plan
from tracekit.config.settings import explain
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-5c1f"
PROFILE = """\
[suite.api]
paths = ["tests/api"]
args = ["-x"]
timeout = "120s"
stall = "off"
env_file = "api.env"
[suite.api.env]
LOG = "debug"
API_TOKEN = "canary-5c1f-literal"
DB_PASSWORD = { secret = true, from = "env:CI_DB" }
KEY = { secret = true, from = "file:key.txt" }

[suite.web]
cwd = "web"
needs = ["api"]
locks = ["db"]
"""


def project(base: Path) -> Config:
    environ, _ = places_of(base)
    (base / "tracekit.toml").write_text(PROFILE)
    (base / "web").mkdir()
    (base / "key.txt").write_text(f"{CANARY}-file\n")
    (base / "api.env").write_text(
        f"# x\nexport MODE=fast # why\nSERVICE_SECRET='{CANARY}-envfile'\nLOG=info\n"
    )
    return load(str(base), environ=environ)


def test_to_plan__profile__then_the_plan_of_both_suites_without_any_secret(tmp_path: Path) -> None:
    config = project(tmp_path)
    plan = to_plan(config.profile, config.settings, run="01K", seed=7, args=["-k", "x"])
    assert CANARY not in json.dumps(plan)
    assert {
        key: plan[key] for key in ("schema", "run", "mode", "seed", "trace", "parent", "environment")
    } == {
        "schema": "tracekit.plan/1",
        "run": "01K",
        "mode": "run",
        "seed": 7,
        "trace": "default",
        "parent": None,
        "environment": "local",
    }
    assert (plan["run_lease"], plan["service_lease"], plan["locals"]) == (43200.0, 60.0, True)
    names = ["API_TOKEN", "DB_PASSWORD", "KEY", "SERVICE_SECRET"]
    assert plan["secret_names"] == secret_names(config.profile) == names
    api, web = plan["suites"]
    assert api == {
        "name": "api",
        "runner": "pytest",
        "cwd": str(tmp_path),
        "paths": ["tests/api"],
        "ignore": [],
        "args": ["-x", "-k", "x"],
        "env": {"MODE": "fast", "LOG": "debug"},
        "secret_env": names,
        "python": None,
        "only": None,
        "timeout": 120.0,
        "soft_timeout": None,
        "stall": None,
        "slow": 5.0,
        "idempotent": False,
        "isolate": [],
        "needs": [],
        "locks": [],
        "trace": None,
        "trace_include": [],
        "trace_exclude": [],
        "trace_ring": 1 << 20,
    }
    assert (web["cwd"], web["needs"], web["locks"], web["stall"]) == (
        str(tmp_path / "web"),
        ["api"],
        ["db"],
        30.0,
    )


def test_to_plan__some_scenarios__then_only_their_suites(tmp_path: Path) -> None:
    config = project(tmp_path)
    plan = to_plan(config.profile, config.settings, run="01K", seed=1, only={"web": ["pytest@web:a.py::t"]})
    assert [(suite["name"], suite["only"]) for suite in plan["suites"]] == [("web", ["pytest@web:a.py::t"])]


def test_to_plan__missing_directory_and_file__then_both_with_their_place(tmp_path: Path) -> None:
    config = project(tmp_path)
    (tmp_path / "web").rmdir()
    (tmp_path / "api.env").unlink()
    with pytest.raises(ProblemError) as raised:
        to_plan(config.profile, config.settings, run="01K", seed=1)
    assert [(problem.where, problem.code) for problem in raised.value.problems] == [
        ("tracekit.toml:6:suite.api.env_file", "config.missing_file"),
        ("tracekit.toml:14:suite.web.cwd", "config.missing_directory"),
    ]


def test_to_plan__broken_env_file__then_every_line_and_no_content(tmp_path: Path) -> None:
    config = project(tmp_path)
    (tmp_path / "api.env").write_bytes(
        f"A=1\n{CANARY}\nB='{CANARY}\nTRACEKIT_X=1\n9={CANARY}\n\xff".encode("latin-1")
    )
    with pytest.raises(ProblemError) as raised:
        to_plan(config.profile, config.settings, run="01K", seed=1)
    assert [problem.where for problem in raised.value.problems] == [
        f"api.env:{line}" for line in (2, 3, 4, 5, 6)
    ]
    assert CANARY not in str(raised.value)


def test_secrets__all_there__then_resolved_from_each_source(tmp_path: Path) -> None:
    config = project(tmp_path)
    assert secrets(config.profile, {"CI_DB": f"{CANARY}-env"}) == {
        "API_TOKEN": f"{CANARY}-literal",
        "DB_PASSWORD": f"{CANARY}-env",
        "KEY": f"{CANARY}-file",
        "SERVICE_SECRET": f"{CANARY}-envfile",
    }


def test_secrets__some_missing__then_each_is_named_with_its_place_and_what_to_do(tmp_path: Path) -> None:
    config = project(tmp_path)
    (tmp_path / "key.txt").unlink()
    with pytest.raises(ProblemError) as raised:
        secrets(config.profile, {})
    assert [(problem.where, problem.code) for problem in raised.value.problems] == [
        ("tracekit.toml:10:suite.api.env.DB_PASSWORD", "config.secret_missing"),
        ("tracekit.toml:11:suite.api.env.KEY", "config.secret_missing"),
    ]
    assert "export CI_DB" in raised.value.problems[0].action


def test_secrets__too_short_to_be_kept_out__then_refused_without_showing_it(tmp_path: Path) -> None:
    config = project(tmp_path)
    with pytest.raises(ProblemError) as raised:
        secrets(config.profile, {"CI_DB": "qzj"})
    assert raised.value.first.code == "config.secret_short"
    assert "qzj" not in str(raised.value)


def test_secrets__one_name_from_two_places__then_refused_at_load(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text(
        "[suite.a.env]\nP = { secret = true, from = 'env:A' }\n[suite.b.env]\nP = { secret = true, from = 'env:B' }\n"
    )
    assert [(problem.where, problem.code) for problem in check(str(tmp_path))] == [
        ("tracekit.toml:4:suite.b.env.P", "config.duplicate")
    ]


def test_profile__with_secrets__then_no_value_in_repr_text_plan_or_explanation(tmp_path: Path) -> None:
    config = project(tmp_path)
    told = [
        repr(config),
        str(config),
        repr(config.profile.suites[0].env),
        json.dumps(to_plan(config.profile, config.settings, run="01K", seed=1)),
        repr(explain(config.settings, config.profile)),
    ]
    assert [text for text in told if CANARY in text] == []


@pytest.mark.parametrize(
    "line",
    [
        f"P = {{ secret = true, value = '{CANARY}' }}",
        f"P = {{ secret = true, from = '{CANARY}' }}",
        f"P = {{ secret = '{CANARY}', from = 'env:X' }}",
        f"P = ['{CANARY}']",
        f"P = '{CANARY}\x7f'",
        f"P = '{CANARY}",
        f"P = {CANARY}",
        f"'P-Q' = '{CANARY}'",
    ],
)
def test_check__mistake_in_a_variable__then_its_value_is_never_shown(tmp_path: Path, line: str) -> None:
    (tmp_path / "tracekit.toml").write_text(f"[suite.a.env]\n{line}\n")
    problems = check(str(tmp_path))
    assert problems
    assert CANARY not in repr(problems)
