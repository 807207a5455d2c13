"""Paths of a box and what they are here."""

from __future__ import annotations

import pytest

from tracekit.config.profile import Environment
from tracekit.engine.relocate import here, place_between_runs
from tracekit.engine.spots import paths_of

MAP = (("/srv/app", "."), ("/srv/app/made", "build/made"), ("/opt/shared", "../shared"))


@pytest.mark.parametrize(
    ("there", "local"),
    [
        ("/srv/app/tests/test_a.py", "/home/p/tests/test_a.py"),
        ("/srv/app/made/x.py", "/home/p/build/made/x.py"),
        ("/opt/shared/y.py", "/home/shared/y.py"),
        ("/home/ci/tree/z.py", "/home/p/z.py"),
        ("/home/ci/tree", "/home/p"),
        ("/home/ci/treehouse/z.py", "/home/ci/treehouse/z.py"),
        ("/usr/lib/python3/os.py", "/usr/lib/python3/os.py"),
    ],
)
def test_here__path_of_a_box__then_where_it_is_on_this_machine(there: str, local: str) -> None:
    assert here(there, "/home/p", MAP, "/home/ci/tree") == local


@pytest.mark.parametrize("odd", [None, 7, {}, {"path_map": "x"}, {"path_map": [["/a"], 7, "ab", []]}])
def test_paths_of__what_a_run_says_is_odd__then_it_says_nothing(odd: object) -> None:
    assert paths_of({"box": odd}) == ()


@pytest.mark.parametrize(
    ("how", "paths", "place"),
    [
        ("connect", MAP, "/srv/app"),
        ("connect", (("/srv/all", ".."),), "/srv/all/p"),
        ("connect", (("/opt/shared", "../shared"),), ""),
        ("sync", MAP, ""),
        ("git", (), ""),
    ],
)
def test_place_between_runs__project_is_there_already__then_where_else_nowhere(
    how: str, paths: tuple[tuple[str, str], ...], place: str
) -> None:
    environment = Environment("box7", "h", how=how, path_map=paths)
    assert place_between_runs("/home/p", environment) == place
