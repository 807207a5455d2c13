from __future__ import annotations

import os
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.config.helpers import places_of
from tracekit.config import roots
from tracekit.config.loader import check, load
from tracekit.config.roots import find_root
from tracekit.config.settings import explain, variable_of
from tracekit.config.tables import SETTINGS
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ("flag", "variable", "project", "user")
# The strongest source gives the first value.
SEEDS = {"flag": 1, "variable": 2, "project": 3, "user": 4}


@pytest.mark.parametrize("pyproject", [False, True])
@pytest.mark.parametrize(
    "given",
    [set(some) for size in range(5) for some in combinations(SOURCES, size)],
    ids=lambda some: "+".join(sorted(some)),
)
def test_settings__every_combination_of_sources__then_the_strongest_wins_and_is_named(
    tmp_path: Path, given: set[str], pyproject: bool
) -> None:
    environ, config = places_of(tmp_path)
    flags: dict[str, Any] = {"seed": None}
    file, table = ("pyproject.toml", "tool.tracekit.settings") if pyproject else ("tracekit.toml", "settings")
    if "flag" in given:
        flags["seed"] = SEEDS["flag"]
    if "variable" in given:
        environ["TRACEKIT_SEED"] = str(SEEDS["variable"])
    if "project" in given:
        (tmp_path / file).write_text(f"[{table}]\n\nseed = {SEEDS['project']}\n")
    if "user" in given:
        (config / "config.toml").write_text(f"[settings]\nseed = {SEEDS['user']}\n")

    settings = load(str(tmp_path), flags=flags, environ=environ, implicit=False).settings

    origins = {
        "flag": "--seed",
        "variable": "TRACEKIT_SEED",
        "project": f"{file}:3",
        "user": f"{config}/config.toml:2",
    }
    strongest = next((source for source in SOURCES if source in given), None)
    assert settings.seed == (SEEDS[strongest] if strongest else None)
    assert settings.origin("seed") == (origins[strongest] if strongest else "default")


def test_settings__nothing_given__then_the_tables_defaults(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    settings = load(str(tmp_path), environ=environ, implicit=False).settings
    assert {name: getattr(settings, name) for name in SETTINGS.keys} == {
        name: key.default for name, key in SETTINGS.keys.items()
    }


def test_settings__every_key_as_a_variable__then_read_with_its_type(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    texts = {
        "environment": "local",
        "trace": "calls",
        "seed": "7",
        "locals": "0",
        "run_lease": "5s",
        "service_lease": "1500ms",
        "glyphs": "ascii",
        "mouse": "false",
    }
    environ.update({variable_of(name): text for name, text in texts.items()})
    settings = load(str(tmp_path), environ=environ, implicit=False).settings
    assert (settings.trace, settings.seed, settings.locals, settings.run_lease) == ("calls", 7, False, 5.0)
    assert (settings.service_lease, settings.glyphs, settings.mouse) == (1.5, "ascii", False)
    assert {settings.origin(name) for name in texts} == {variable_of(name) for name in texts}


def test_settings__several_environments_by_flag__then_each_must_exist(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "tracekit.toml").write_text("[env.box7]\nhost = 'box7'\n")
    settings = load(
        str(tmp_path), flags={"environment": "local,box7"}, environ=environ, implicit=False
    ).settings
    assert settings.environment == "local,box7"
    with pytest.raises(ProblemError) as raised:
        load(str(tmp_path), flags={"environment": "local,box8"}, environ=environ)
    assert (raised.value.first.where, raised.value.first.code) == ("--env", "config.unknown_name")
    assert "did you mean box7?" in raised.value.first.action


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("TRACEKIT_SEED", "-1"),
        ("TRACEKIT_SEED", "9" * 5000),
        ("TRACEKIT_TRACE", "x\x1b[2J"),
        ("TRACEKIT_MOUSE", "perhaps"),
        ("TRACEKIT_RUN_LEASE", "12"),
        ("TRACEKIT_RUN_LEASE", "9" * 100_000 + "h"),
        ("TRACEKIT_ENVIRONMENT", "../x"),
        ("TRACEKIT_PROFILE", "nonesuch"),
        ("TRACEKIT_PROFILE", "nonesuch/profile.toml"),
    ],
)
def test_settings__unusable_variable__then_a_problem_that_names_it(
    tmp_path: Path, variable: str, text: str
) -> None:
    environ, _ = places_of(tmp_path)
    problems = check(str(tmp_path), environ={**environ, variable: text})
    assert problems
    assert {problem.where for problem in problems} <= {variable, text}
    assert "\x1b" not in "".join(str(problem) for problem in problems)


def test_load__bundled_profile_by_name__then_its_directory_is_the_root(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    # The project's own file does not matter, mistakes and all.
    (tmp_path / "tracekit.toml").write_text("nonsense = 1\n")
    config = load(str(tmp_path), flags={"profile": "demo"}, environ=environ)
    assert config.profile.name == "demo"
    assert config.profile.root.endswith("/profiles/demo")
    assert config.profile.suites
    assert config.settings.origin("profile") == "--profile"


def test_load__profile_named_by_the_project__then_remembered_with_its_line(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "tracekit.toml").write_text("[settings]\nprofile = 'demo'\n")
    config = load(str(tmp_path), environ=environ)
    assert config.profile.name == "demo"
    assert (config.settings.profile, config.settings.origin("profile")) == ("demo", "tracekit.toml:2")


def test_load__profile_by_its_file__then_relative_to_the_root(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "ci").mkdir()
    (tmp_path / "ci" / "nightly.toml").write_text("[suite.a]\n")
    config = load(str(tmp_path), flags={"profile": "ci/nightly.toml"}, environ=environ)
    assert (config.profile.name, config.profile.root) == (None, str(tmp_path / "ci"))
    assert config.profile.source == "ci/nightly.toml"


def test_explain__settings_and_profile__then_every_key_with_its_origin(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "tracekit.toml").write_text(
        "[suite.api]\nslow = '2m'\n[suite.api.env]\nLOG = 'x'\nDB = { secret = true, from = 'env:DB' }\n"
        "[env.box]\nhost = 'b'\n"
    )
    config = load(str(tmp_path), flags={"trace": "calls"}, environ=environ)
    rows = {key: (value, origin) for key, value, origin in explain(config.settings, config.profile)}
    assert rows["trace"] == ("calls", "--trace")
    assert rows["run_lease"] == ("12h", "default")
    assert rows["suite.api.slow"] == ("2m", "tracekit.toml:2")
    assert rows["suite.api.stall"] == ("30s", "default")
    assert rows["suite.api.env.LOG"] == ("x", "tracekit.toml:4")
    assert rows["suite.api.env.DB"] == ("«redacted:DB» from env:DB", "tracekit.toml:5")
    assert rows["env.box.host"] == ("b", "tracekit.toml:7")


def test_find_root__profile_above__then_that_directory(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / "pytest.ini").write_text("[pytest]\n")
    assert find_root(str(below)) == str(tmp_path / "a")
    (tmp_path / "tracekit.toml").write_text("")
    assert find_root(str(below)) == str(tmp_path)
    (below / "test_x.py").write_text("")
    assert find_root(str(below / "test_x.py")) == str(tmp_path)


def test_find_root__repository_between__then_the_search_ends_there(tmp_path: Path) -> None:
    (tmp_path / "tracekit.toml").write_text("")
    below = tmp_path / "repo" / "tests"
    below.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    assert find_root(str(below)) == str(below)


def test_find_root__profile_where_everybody_may_write__then_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tracekit.toml").write_text("[suite.theirs]\n")
    below = tmp_path / "mine" / "tests"
    below.mkdir(parents=True)
    assert find_root(str(below)) == str(tmp_path)
    tmp_path.chmod(0o1777)
    assert find_root(str(below)) == str(below)
    # A mount that cannot say it otherwise, all of it one's own, is no such place; another's is, without the bit too.
    tmp_path.chmod(0o777)
    assert find_root(str(below)) == str(tmp_path)
    with monkeypatch.context() as other:
        me = os.getuid()
        other.setattr(os, "getuid", lambda: me + 1)
        assert find_root(str(below)) == str(below)
    tmp_path.chmod(0o1777)
    # Whoever stands in it has chosen it.
    assert find_root(str(tmp_path)) == str(tmp_path)


def test_find_root__folder_of_somebody_else_above__then_the_search_ends_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tracekit.toml").write_text("[suite.theirs]\n")
    theirs, below = tmp_path / "theirs", tmp_path / "theirs" / "mine" / "tests"
    below.mkdir(parents=True)
    (theirs / "pytest.ini").write_text("[pytest]\n")
    owners = {str(theirs): os.getuid() + 1}
    monkeypatch.setattr(roots, "_standing", lambda path: (owners.get(path, os.getuid()), False))
    assert find_root(str(below)) == str(below)
    assert find_root(str(theirs)) == str(tmp_path)
    # Of another, who owns the place where a person stands, too.
    owners |= {str(below): os.getuid() + 1, str(theirs / "mine"): 0}
    assert find_root(str(below)) == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("tracekit.toml", "[suite.api]\n"), ("pyproject.toml", "[tool]\ntracekit.suite.api = {}\n")],
)
def test_profile__file_of_somebody_who_has_no_say_here__then_refused_until_it_is_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    environ, _ = places_of(tmp_path)
    file = tmp_path / name
    file.write_text(text)
    theirs, another = os.getuid() + 4001, os.getuid() + 4002
    owners = {str(file): theirs, str(tmp_path): theirs}
    monkeypatch.setattr(roots, "_standing", lambda path: (owners.get(path, os.getuid()), False))
    # In a folder of theirs one stands by choice.
    assert load(str(tmp_path), environ=environ).profile.suite("api")
    for whose in (os.getuid(), another):
        owners[str(tmp_path)] = whose
        with pytest.raises(ProblemError) as refused:
            load(str(tmp_path), environ=environ)
        (problem,) = refused.value.problems
        assert (problem.code, problem.where) == ("config.strangers_file", name)
        assert problem.what.startswith(f"belongs to user {theirs}: ")
        assert problem.action.startswith("read it; ")
    if name == "tracekit.toml":
        asked = load(str(tmp_path), flags={"profile": f"./{name}"}, environ=environ)
        assert asked.profile.suite("api")


def test_pyproject__of_a_stranger_that_says_nothing_to_us__then_nothing_is_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        "[dependency-groups]\ndev = ['tracekit']\n[tool.pytest.ini_options]\n"
    )
    theirs = {str(tmp_path / "pyproject.toml"): os.getuid() + 4001}
    monkeypatch.setattr(roots, "_standing", lambda path: (theirs.get(path, os.getuid()), False))
    assert load(str(tmp_path), environ=environ, implicit=False).profile.suites == ()


def test_find_root__pyproject_that_only_depends_on_us__then_not_a_profile(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "pyproject.toml").write_text("[dependency-groups]\ndev = ['tracekit']\n")
    below = tmp_path / "x"
    below.mkdir()
    assert find_root(str(below)) == str(below)
    (tmp_path / "pyproject.toml").write_text("[tool.tracekit.suite.a]\n")
    assert find_root(str(below)) == str(tmp_path)


def test_profile__asked_by_name__then_the_suite_and_environment_or_none(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "tracekit.toml").write_text("[suite.api]\n[env.box]\nhost = 'b'\n")
    profile = load(str(tmp_path), environ=environ).profile
    suite, box, local = profile.suite("api"), profile.environment("box"), profile.environment("local")
    assert suite
    assert suite.name == "api"
    assert box
    assert box.remote
    assert local
    assert not local.remote
    assert (profile.suite("web"), profile.environment("web")) == (None, None)


def test_off__as_a_name_or_a_trace__then_it_is_what_was_written_and_only_a_clock_is_none(
    tmp_path: Path,
) -> None:
    environ, _ = places_of(tmp_path)
    (tmp_path / "tracekit.toml").write_text(
        '[suite.it]\ntrace = "off"\nstall = "off"\n[env.off]\nhost = "off"\nuser = "none"\n'
    )
    profile = load(str(tmp_path), environ=environ, implicit=False).profile
    (suite,) = profile.suites
    assert (suite.trace, suite.stall) == ("off", None)
    box = next(each for each in profile.environments if each.name == "off")
    assert (box.host, box.user, box.remote) == ("off", "none", True)
