"""Which handled exceptions are told of a failure, from a journal and a trace together."""

from __future__ import annotations

from tracekit.model.evidence import failure_of
from tracekit.model.facts import Failure, Handled
from tracekit.model.handling import handled_before

RAISED = {"type": "AssertionError", "message": "assert 2 == 0"}
ENDED = Handled("AssertionError", "assert 2 == 0", file="test_a.py", line=9, own=True)


def _failure(*handled: dict[str, object]) -> Failure:
    return failure_of({"when": "call", "chain": [RAISED], "handled": list(handled)})


def _seen(kind: str, line: int, *, own: bool = True, file: str = "app.py", said: str = "") -> Handled:
    return Handled(kind, said or f"{kind} {line}", file=file, line=line, own=own)


def test_line__odd_fields__then_they_are_read_as_absent() -> None:
    failure = failure_of({"chain": [], "handled": [{"type": 7, "line": -1, "count": "x"}, "odd", None]})

    assert handled_before(failure) == [Handled("", "")]
    assert failure_of({"handled": "odd"}).handled == []


def test_trace__same_place_many_times__then_one_with_its_count_and_the_last_kind_first() -> None:
    raised = [_seen("KeyError", 1, said=f"no {number}") for number in range(500)] + [_seen("OSError", 2)]

    told = handled_before(_failure(), [*raised, ENDED])

    assert [(one.type, one.message, one.count) for one in told] == [
        ("OSError", "OSError 2", 1),
        ("KeyError", "no 499", 500),
    ]


def test_trace__what_came_behind_the_failure__then_it_is_left_out() -> None:
    raised = [_seen("KeyError", 1), ENDED, _seen("AttributeError", 3), ENDED, _seen("ValueError", 4)]

    assert [one.type for one in handled_before(_failure(), raised)] == ["KeyError"]


def test_trace__what_the_journal_holds_already__then_it_is_told_once_with_how_often() -> None:
    held = {
        "type": "KeyError",
        "message": "'x'",
        "file": "app.py",
        "line": 1,
        "own": True,
        "name": "result.error",
    }
    raised = [_seen("KeyError", 1, said="x"), _seen("KeyError", 1, said="x"), ENDED]

    (only,) = handled_before(_failure(held), raised)

    assert (only.name, only.count) == ("result.error", 2)


def test_others__then_only_where_the_project_handled_none_and_never_those_of_the_runner() -> None:
    others = [_seen("OSError", number, own=False, file="/usr/lib/pathlib.py") for number in range(9)]
    runner = _seen("Exit", 5, own=False, file="/venv/_pytest/outcomes.py")

    assert [one.line for one in handled_before(_failure(), [*others, runner, ENDED])] == [8, 7]
    assert [one.type for one in handled_before(_failure(), [*others, _seen("KeyError", 1), ENDED])] == [
        "KeyError"
    ]


def test_many_kinds__then_the_last_few() -> None:
    raised = [_seen("KeyError", number) for number in range(50)]

    assert [one.line for one in handled_before(_failure(), [*raised, ENDED])] == [49, 48, 47, 46, 45, 44]


def test_trace__nothing_of_ones_own__then_of_others_only_what_they_do_not_raise_all_day() -> None:
    others = [
        _seen(kind, line, own=False, file="/lib/pathlib.py")
        for line, kind in enumerate(["AttributeError", "ConnectionRefusedError", "builtins.KeyError"], 1)
    ]

    assert [one.type for one in handled_before(_failure(), [*others, ENDED])] == ["ConnectionRefusedError"]
    assert [one.type for one in handled_before(_failure(), [_seen("KeyError", 1), ENDED])] == ["KeyError"]
