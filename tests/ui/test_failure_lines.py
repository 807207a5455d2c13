"""What the failure of an attempt says, line by line: what is told first, of which frames, and what was handled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, showing
from tests.support.raising import traced
from tests.ui.conftest import drive
from tracekit.model.evidence import failure_of
from tracekit.model.facts import Assertion, Attempt, Handled, Notice, ScenarioFacts
from tracekit.ui.panes.failure import failure_lines
from tracekit.ui.panes.picks import Place
from tracekit.ui.panes.story import stall_lines
from tracekit.ui.theme import palette

LOOK, ROOT = palette(), "/srv/app"


def _frame(file: str, line: int, code: str = "", *, own: bool = True, **local: str) -> dict[str, Any]:
    return {"file": file, "line": line, "function": "f", "own": own, "code": code, "locals": local}


def _link(kind: str, message: str, *frames: dict[str, Any], relation: str | None = None) -> dict[str, Any]:
    return {"type": kind, "message": message, "relation": relation, "frames": list(frames)}


def _told(*chain: dict[str, Any], raised: tuple[Handled, ...] = (), **more: Any) -> list[str]:
    failure = failure_of({"when": "call", "chain": list(chain), **more})
    attempt = Attempt(1, "failed", failures=[failure])
    return [line.text.strip() for line in failure_lines(attempt, LOOK, ROOT, raised) if line.text.strip()]


def test_outer_frames__then_the_test_s_own_values_and_what_the_line_of_each_other_names() -> None:
    told = _told(
        _link(
            "ValueError",
            "no",
            _frame("test_a.py", 3, "run(", headers="'deflate, gzip'", module="<module 'x' from 'y'>"),
            _frame("app.py", 5, "go(size)", size="7", other="8"),
            _frame("app.py", 6, "go(size)", size="7"),
            _frame("app.py", 9, "raise ValueError(x)", x="1", y="2", log="<function log at 0x7f>"),
        )
    )

    assert "headers = 'deflate, gzip'" in told
    assert [line for line in told if line.startswith(("size", "other"))] == ["size = 7"]
    assert told[-3:] == ["x   = 1", "y   = 2", "log = <function log at 0x7f>"]
    assert not [line for line in told if "<module" in line]


def test_frame_below_that_is_not_the_project_s__then_what_its_line_was_given_is_told() -> None:
    told = _told(
        _link(
            "OSError",
            "no such file",
            _frame("test_a.py", 3, "ssl.load(cafile)"),
            _frame(
                "/usr/lib/ssl.py",
                7,
                "self.load(cafile)",
                own=False,
                cafile="'/x/cacert.pem'",
                self="1",
                b="2",
            ),
        )
    )

    assert told[-2:] == ["cafile = '/x/cacert.pem'", "self   = 1"]


def test_frames_of_others_before_own_ones__then_they_are_counted() -> None:
    machinery = [_frame(f"/usr/lib/loop{number}.py", number, own=False) for number in range(9)]

    told = _told(_link("ValueError", "no", *machinery, _frame("test_a.py", 3)))

    assert "8 frames left out" in told
    assert [line for line in told if "loop" in line] == ["/usr/lib/loop8.py:8  in f"]


def test_warning_on_behalf_of_another__then_its_last_words_and_the_own_frames_come_before_the_rest() -> None:
    message = "ignored in x\n\nTraceback\n  a\n  b\n  c\nRuntimeWarning: never awaited\n"

    told = _told(
        _link("UnraisableWarning", message, *(_frame("/p/hook.py", n, own=False, msg="1") for n in range(5))),
        _link("NotRead", "not read", _frame("test_a.py", 17, "response.text"), relation="context"),
    )

    assert told.index("RuntimeWarning: never awaited") < told.index("▸ test_a.py:17  in f")
    assert told.index("▸ test_a.py:17  in f") < told.index("the rest of its message")
    assert told.index("while handling NotRead  not read  test_a.py:17") < told.index("/p/hook.py:4  in f")
    assert told[-5:] == ["the rest of its message", "a", "b", "c", "RuntimeWarning: never awaited"]


def test_handled_in_the_frames_and_in_the_trace__then_both_with_their_places_and_how_often() -> None:
    held = {"type": "BadParameter", "message": "no apple\nmore", "file": "app.py", "line": 4, "own": True}
    raised = (Handled("KeyError", "x", file="app.py", line=8, own=True),) * 3

    told = _told(
        _link("AssertionError", "assert 2 == 0"), raised=raised, handled=[{**held, "name": "result.error"}]
    )

    assert told[-5:] == [
        "handled before it failed",
        "BadParameter  no apple  held by result.error",
        "▸ app.py:4",
        "KeyError  x  3 times",
        "▸ app.py:8",
    ]


def test_hostile_words_of_a_handled_exception__then_pictures_of_them() -> None:
    held = {"type": "\x1b[2J", "message": "\x1b]0;owned\x07", "file": "\x9b2J", "line": 1, "name": "[/nope]"}

    told = "".join(_told(_link("AssertionError", "no"), handled=[held]))

    assert not set(told) & set("\x1b\x07\x9b")
    assert "[/nope]" in told


def test_stack_of_one_over_its_time__then_own_frames_are_told_from_the_root_and_can_be_chosen() -> None:
    stack = "  /usr/lib/x.py:1 in a\n  /srv/app/app.py:5 in f\n  … 3 frames of the runner"
    detail = f"thread main, which runs the test\n{stack}"
    notice = Notice("stalled", "", "longer than 3s, its timeout", detail, scenario="t", attempt=1)

    lines = stall_lines([notice], ScenarioFacts("t"), Attempt(1, "timedout", stalls=1), LOOK, ROOT)

    assert [line.text.strip() for line in lines[2:]] == [
        "longer than 3s, its timeout",
        "thread main, which runs the test",
        "/usr/lib/x.py:1 in a",
        "▸ app.py:5  in f",
        "… 3 frames of the runner",
    ]
    assert [line.pick for line in lines if line.pick] == [Place("/srv/app/app.py", 5)]
    later = Notice("stalled", "", "longer than 5s, its timeout", detail, scenario="t", attempt=1)
    lines = stall_lines([notice, later], ScenarioFacts("t"), Attempt(1, "timedout", stalls=2), LOOK, ROOT)
    assert [line.text.strip() for line in lines].count("where it was before") == 1
    assert len([line for line in lines if line.pick]) == 1


def test_why__red_row_whose_process_was_traced__then_what_it_raised_and_handled_before(
    tmp_path: Path,
) -> None:
    test = "pytest:chat/test_ws.py::test_reconnect_keeps_history"
    box = traced(
        tmp_path, {test: [("ConnectionError", "refused by pool-#", f"{journals.ROOT}/pool.py", 9, 3)]}
    )

    def make() -> Console:
        view = FakeView(journals.failing())
        view.traced = box
        return showing(view)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "J", "2", "z")
        screen = shown.screen_text()
        assert "handled before it failed" in screen
        assert "ConnectionError  refused by pool-2  3 times" in screen
        assert "pool.py:9" in screen

    drive(make, story)


def _compared(message: str, actual: str, expected: str, diff: str) -> list[str]:
    failure = failure_of({"when": "call", "chain": [_link("panic", message)]})
    assertion = Assertion("==", expected=expected, actual=actual, diff=diff)
    attempt = Attempt(1, "failed", failures=[failure], assertions=[assertion])
    return [line.text.strip() for line in failure_lines(attempt, LOOK, ROOT) if line.text.strip()]


def test_message_that_holds_the_values__they_are_told_once() -> None:
    left, right = 'Price { cents: 112, currency: "EUR" }', 'Price { cents: 113, currency: "EUR" }'
    message = f"assertion `left == right` failed: rounds up\n  left: {left}\n right: {right}"
    told = _compared(message, left, right, f"@@ -1 +1 @@\n-{right}\n+{left}")
    assert told[:4] == [
        "panic  assertion `left == right` failed: rounds up",
        f"actual   {left}",
        f"expected {right}",
        "@@ -1 +1 @@",
    ]


def test_message_that_holds_other_values__they_stay() -> None:
    told = _compared("no\n  left: 1\n right: 2", "a" * 60, "b" * 60, "")
    assert told[:4] == ["panic", "no", "left: 1", "right: 2"]


def test_message_with_a_difference_of_its_own__ours_is_told_and_that_is_not() -> None:
    message = "Expected values to be equal:\n+ actual - expected\n\n+ {\n+   total: 12\n- {\n-   total: 13\n\nmore\n"
    told = _compared(message, "{\n  total: 12\n}", "{\n  total: 13\n}", "-  total: 13\n+  total: 12")
    assert told[0] == "panic  Expected values to be equal:"
    assert told[-2:] == ["-  total: 13", "+  total: 12"]
    assert "+ actual - expected" not in told


def test_what_led_to_it__other_words__then_they_are_begun_and_no_place_of_others_beside_them() -> None:
    head = _link("ConnectError", "All connection attempts failed", _frame("a.py", 3))
    below = _frame("/usr/lib/socket.py", 9, own=False)
    told = _told(head, _link("OSError", "refused " * 20 + "\nand more", below, relation="cause"))
    line = next(text for text in told if text.startswith("caused by OSError"))
    assert line.startswith("caused by OSError  refused refused")
    assert line.endswith("…")
    assert "socket.py" not in line


def test_what_led_to_it__the_same_words__then_its_place_alone() -> None:
    head = _link("ConnectError", "refused", _frame("a.py", 3))
    told = _told(head, _link("ConnectError", "refused", _frame("/srv/app/b.py", 9), relation="cause"))
    assert next(text for text in told if text.startswith("caused by")) == "caused by ConnectError  b.py:9"
