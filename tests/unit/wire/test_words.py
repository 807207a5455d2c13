"""Lines, ids, problems and the forms of secrets."""

from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracekit.wire import lines, names
from tracekit.wire.ids import RUN_ID_LENGTH, is_run_id, new_ulid, scenario_id, split_scenario_id, subtest_id
from tracekit.wire.problems import Problem, ProblemError
from tracekit.wire.secrets import forms, is_secret_name, secrets_in

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(st.text(max_size=8), json_values, max_size=6)


@given(objects)
def test_line__any_object__then_round_trip_in_one_ascii_line(obj: dict[str, object]) -> None:
    line = lines.encode(obj)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert lines.decode(line) == obj


@given(st.binary(max_size=300))
def test_line__any_bytes__then_object_or_line_error(data: bytes) -> None:
    try:
        obj = lines.decode(data)
    except lines.LineError:
        obj = {}
    assert isinstance(obj, dict)


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}", "nested"),
        (b"[" * 100_000, "nested"),
        (b'{"a":"' + b"x" * lines.MAX_LINE + b'"}', "over"),
        (b"[1]", "object"),
        (b'{"a":NaN', "JSON"),
    ],
)
def test_line__hostile__then_refused_with_reason(hostile: bytes, why: str) -> None:
    with pytest.raises(lines.LineError, match=why):
        lines.decode(hostile)


def test_line__many_brackets_inside_strings__then_accepted() -> None:
    obj = {"text": '[{"' * 500, "back": "\\" * 9, "end": "]}" * 500}
    assert lines.decode(lines.encode(obj)) == obj


def test_line__not_a_number__then_refused_at_encoding() -> None:
    with pytest.raises(lines.LineError):
        lines.encode({"a": float("nan")})


def test_whole_lines__torn_tail__then_only_whole_ones_count() -> None:
    assert lines.whole_lines(b"{}\n{}\n{") == 6
    assert lines.whole_lines(b"{") == 0


@given(st.sampled_from(["", "api", "services/a"]), st.text(min_size=1), st.text())
def test_scenario_id__any_characters__then_splits_back(suite: str, name: str, params: str) -> None:
    whole = scenario_id("pytest", suite, "tests/test_a.py", [name], params)
    runner, found, rest = split_scenario_id(whole)
    if "/" not in suite:
        assert (runner, found) == ("pytest", suite)
    assert whole.endswith(rest)


def test_scenario_id__suite_with_a_slash__then_still_splits() -> None:
    assert split_scenario_id("pytest@services/a:tests/t.py::x") == ("pytest", "services/a", "tests/t.py::x")
    assert split_scenario_id("tests/t.py::x") == ("", "", "tests/t.py::x")


def test_subtest_id__then_begins_with_its_parent() -> None:
    assert subtest_id("pytest:t.py::x", "i=1").startswith("pytest:t.py::x")


@given(st.lists(st.integers(0, (1 << 48) - 1), min_size=2, max_size=20))
def test_ulid__times_in_order__then_names_in_order(times: list[int]) -> None:
    made = [new_ulid(time, b"\0" * 10) for time in sorted(times)]
    assert made == sorted(made)
    assert all(is_run_id(name) and len(name) == RUN_ID_LENGTH for name in made)


@pytest.mark.parametrize(
    "name", ["", "../../etc", "01K" * 8 + "/.", "z" * 26, "8" + "0" * 25, "0" * 25 + "U"]
)
def test_is_run_id__anything_else__then_false(name: str) -> None:
    assert not is_run_id(name)


def test_names__every_red_and_green_is_a_verdict() -> None:
    assert set(names.VERDICTS) >= names.RED | names.GREEN
    assert not names.RED & names.GREEN
    assert len(set(names.VERDICTS)) == len(names.VERDICTS)


def test_problem__through_json__then_same() -> None:
    problem = Problem("config.unknown_key", "unknown key", "a.toml:3:suite.x", "did you mean y?")
    assert Problem.from_json(problem.to_json()) == problem
    assert str(problem) == "a.toml:3:suite.x: unknown key (did you mean y?)"
    assert ProblemError([problem, problem]).first is problem


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "github_token", "AWS_SECRET_ACCESS_KEY", "STRIPE_API_KEY", "MY_SECRET"]
)
def test_secret_name__published_patterns__then_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["PWD", "OLDPWD", "PATH", "KEYBOARD", "TOKENIZERS_PARALLELISM", "MONKEY", "HOME"]
)
def test_secret_name__ordinary_names__then_not(name: str) -> None:
    assert not is_secret_name(name)


def test_secrets_in__short_values__then_left_alone() -> None:
    assert secrets_in({"A_TOKEN": "abc", "B_TOKEN": "abcdef", "C": "abcdef"}) == {"B_TOKEN": "abcdef"}


@given(st.text(min_size=4, max_size=30), st.binary(max_size=5), st.binary(max_size=5))
def test_forms__any_secret_wrapped__then_found_in_every_encoding(
    value: str, before: bytes, behind: bytes
) -> None:
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        return
    found = forms(value)
    wrapped = before + raw + behind
    for text in (
        raw,
        json.dumps({"a": value}).encode(),
        json.dumps({"a": repr(value)}).encode(),
        urllib.parse.quote(value, safe="").encode(),
        raw.hex().encode(),
        base64.b64encode(wrapped),
        base64.urlsafe_b64encode(wrapped),
    ):
        assert any(form in text for form in found), text
