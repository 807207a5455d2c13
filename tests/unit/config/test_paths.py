from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest

from tracekit.config import paths
from tracekit.wire.problems import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@pytest.mark.parametrize(
    ("place", "variable", "below"),
    [
        (paths.state_dir, "XDG_STATE_HOME", ".local/state"),
        (paths.cache_dir, "XDG_CACHE_HOME", ".cache"),
        (paths.config_dir, "XDG_CONFIG_HOME", ".config"),
    ],
)
def test_paths__by_variable_or_home__then_as_xdg_says(
    place: Callable[[Mapping[str, str]], str], variable: str, below: str
) -> None:
    assert place({"HOME": "/home/u"}) == f"/home/u/{below}/tracekit"
    assert place({"HOME": "/home/u", variable: "/data"}) == "/data/tracekit"
    # A relative one is invalid by the standard.
    assert place({"HOME": "/home/u", variable: "data"}) == f"/home/u/{below}/tracekit"
    assert place({"HOME": "/home/u", variable: ""}) == f"/home/u/{below}/tracekit"


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}, {"HOME": "~"}])
def test_paths__home_is_not_named_or_relative__then_below_the_users_own(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever the process's own says: a relative one would scatter runs over working directories.
    monkeypatch.setenv("HOME", "elsewhere")
    own = pwd.getpwuid(os.getuid()).pw_dir
    assert paths.state_dir(environ) == f"{own}/.local/state/tracekit"


def test_usable_state_dir__not_there_yet__then_made_for_the_user_alone(tmp_path: Path) -> None:
    path = paths.usable_state_dir({"XDG_STATE_HOME": str(tmp_path / "deep" / "state")})
    assert path == str(tmp_path / "deep" / "state" / "tracekit")
    assert (tmp_path / "deep" / "state" / "tracekit").stat().st_mode & 0o777 == 0o700
    assert paths.usable_state_dir({"XDG_STATE_HOME": str(tmp_path / "deep" / "state")}) == path


@pytest.mark.parametrize(
    ("usable", "variable"),
    [
        (paths.usable_state_dir, "XDG_STATE_HOME"),
        (paths.usable_cache_dir, "XDG_CACHE_HOME"),
        (paths.usable_config_dir, "XDG_CONFIG_HOME"),
    ],
)
def test_usable_dir__below_a_file__then_a_problem_that_names_it_and_the_variable(
    tmp_path: Path, usable: Callable[[Mapping[str, str]], str], variable: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProblemError) as raised:
        usable({variable: str(tmp_path / "file")})
    assert raised.value.first.code == "config.unwritable"
    assert raised.value.first.where == str(tmp_path / "file" / "tracekit")
    assert variable in raised.value.first.action


def test_usable_state_dir__a_file_in_its_place__then_a_problem(tmp_path: Path) -> None:
    (tmp_path / "tracekit").write_text("")
    with pytest.raises(ProblemError, match="cannot be created"):
        paths.usable_state_dir({"XDG_STATE_HOME": str(tmp_path)})


def test_usable_state_dir__no_permission_to_write__then_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ProblemError, match="cannot be written to"):
        paths.usable_state_dir({"XDG_STATE_HOME": str(tmp_path)})


def test_usable_state_dir__unusable_name__then_a_problem() -> None:
    with pytest.raises(ProblemError, match="not a usable path"):
        paths.usable_state_dir({"XDG_STATE_HOME": "/tmp/a\0b"})
