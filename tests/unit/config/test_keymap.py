from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.config.helpers import places_of
from tracekit.config.keymap import parse_key, parse_keys
from tracekit.config.loader import load
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from pathlib import Path

ACTIONS = {"rerun.failed": "f", "rerun.selected": ("r",), "quit": "q,ctrl+q", "top": "g"}


def faults(base: Path, keys: str) -> list[Problem]:
    environ, config = places_of(base)
    (config / "config.toml").write_text(f"[keys]\n{keys}")
    with pytest.raises(ProblemError) as raised:
        load(str(base), environ=environ, actions=ACTIONS, implicit=False)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("f", "f"),
        ("F", "F"),
        ("?", "?"),
        ("f5", "f5"),
        ("F24", "f24"),
        ("Esc", "escape"),
        ("ctrl+p", "ctrl+p"),
        ("shift+ctrl+P", "ctrl+shift+p"),
        ("shift+a", "A"),
        ("+", "plus"),
        ("ctrl+x ctrl+s", None),
        ("é", "é"),
        ("", None),
        ("f25", None),
        ("ctrl", None),
        ("ctrl+", None),
        ("ctrl+ctrl+a", None),
        ("hyper+a", None),
        ("ab", None),
        ("a  b", None),
        ("\x1b", None),
        ("a b c d e", None),
    ],
)
def test_parse_key__text__then_its_one_spelling(text: str, key: str | None) -> None:
    assert parse_key(text) == key


@given(st.text(max_size=30))
def test_parse_key__any_text__then_a_spelling_that_stays_itself(text: str) -> None:
    key = parse_key(text)
    assert key is None or parse_key(key) == key


def test_parse_keys__several__then_in_order_without_doubles() -> None:
    assert parse_keys("f, ctrl+f,f") == (("f", "ctrl+f"), [])
    assert parse_keys("") == ((), [])
    assert parse_keys("f,,hyper+x") == (("f",), ["", "hyper+x"])


def test_keymap__user_binds_some__then_theirs_over_the_defaults(tmp_path: Path) -> None:
    environ, config = places_of(tmp_path)
    (config / "config.toml").write_text('[keys]\n"rerun.failed" = "F,f6"\nquit = ""\n')
    keymap = load(str(tmp_path), environ=environ, actions=ACTIONS, implicit=False).keymap
    assert keymap.bindings == {
        "rerun.failed": ("F", "f6"),
        "rerun.selected": ("r",),
        "quit": (),
        "top": ("g",),
    }
    assert keymap.origins == {
        "rerun.failed": f"{config}/config.toml:2",
        "quit": f"{config}/config.toml:3",
    }


def test_keymap__key_of_another_action__then_a_clash_with_file_and_line(tmp_path: Path) -> None:
    (problem,) = faults(tmp_path, '\n"rerun.failed" = "r"\n')
    assert problem.code == "config.key_clash"
    assert problem.where.endswith('/config.toml:3:keys."rerun.failed"')
    assert "rerun.selected (its default key)" in problem.what


def test_keymap__two_of_the_users_own_on_one_key__then_the_later_line_names_the_first(tmp_path: Path) -> None:
    (problem,) = faults(tmp_path, 'quit = "shift+ctrl+x"\n"rerun.failed" = "ctrl+shift+X"\n')
    assert problem.code == "config.key_clash"
    assert problem.where.endswith(':3:keys."rerun.failed"')
    assert "config.toml:2" in problem.what


def test_keymap__unknown_action_and_unusable_keys__then_both_with_suggestions(tmp_path: Path) -> None:
    unknown, wrong = faults(tmp_path, 'qiut = "x"\n"rerun.failed" = "ctrl+entr"\n')
    assert (unknown.code, unknown.action) == ("config.unknown_name", "did you mean quit?")
    assert (wrong.code, wrong.action) == ("config.value", "did you mean enter?")


def test_keymap__defaults_that_share_a_key__then_the_registrys_own_matter(tmp_path: Path) -> None:
    environ, _ = places_of(tmp_path)
    actions = {"a": "x", "b": "x"}
    assert load(str(tmp_path), environ=environ, actions=actions, implicit=False).keymap.keys("b") == ("x",)


CONTEXTS = {"pause": ("console",), "mark": ("runs",), "zoom": ("console", "runs"), "closer": ("console",)}
PLACED = {"pause": ("space",), "mark": ("space",), "zoom": ("z",), "closer": ("+", "equals_sign")}


def placed(base: Path, keys: str) -> list[Problem]:
    environ, config = places_of(base)
    (config / "config.toml").write_text(f"[keys]\n{keys}")
    try:
        load(str(base), environ=environ, actions=PLACED, contexts=CONTEXTS, implicit=False)
    except ProblemError as raised:
        return list(raised.problems)
    return []


@pytest.mark.parametrize("keys", ['pause = "space"\n', 'mark = "+"\n', 'pause = "x"\nmark = "x"\n'])
def test_keymap__one_key_on_two_screens__then_each_does_its_own(tmp_path: Path, keys: str) -> None:
    assert placed(tmp_path, keys) == []


@pytest.mark.parametrize(
    ("keys", "line", "other"),
    [
        ('zoom = "space"\n', 2, "pause (its default key) and mark (its default key)"),
        ('pause = "x"\nmark = "x"\nzoom = "x"\n', 4, "pause"),
        ('pause = "="\n', 2, "closer (its default key)"),
        ('pause = "+"\n', 2, "closer (its default key)"),
        ('pause = "plus"\n', 2, "closer (its default key)"),
    ],
)
def test_keymap__one_key_twice_on_a_screen__then_the_line_of_the_users_own(
    tmp_path: Path, keys: str, line: int, other: str
) -> None:
    (problem,) = placed(tmp_path, keys)
    assert problem.where.rpartition("config.toml")[2].startswith(f":{line}:")
    assert other in problem.what
