"""The registry: what it lists works, and everything a person reads about keys comes from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import journals
from tests.support.consoles import Console, FakeDebugger, FakeView, press, settle, showing
from tests.ui.conftest import drive
from tracekit.cli import registry as cli
from tracekit.ui import actions as registry
from tracekit.ui.screens.comparison import ComparisonScreen
from tracekit.ui.screens.console import ConsoleScreen
from tracekit.ui.screens.dialogs import Dialog
from tracekit.ui.screens.runs import RunsScreen
from tracekit.ui.screens.trends import TrendsScreen

IDS = [action.id for action in registry.ACTIONS]


def failing(**options: Any) -> Console:
    return showing(FakeView(journals.failing()), **options)


@pytest.mark.parametrize("action", registry.ACTIONS, ids=IDS)
def test_action__of_the_registry__has_a_handler_in_each_of_its_contexts(action: registry.Action) -> None:
    name = "action_" + action.handler.partition("(")[0]
    screens = (
        (registry.CONSOLE, ConsoleScreen),
        (registry.LIST, Dialog),
        (registry.RUNS, RunsScreen),
        (registry.COMPARISON, ComparisonScreen),
        (registry.TRENDS, TrendsScreen),
    )
    for context, screen in screens:
        if context in action.context:
            assert callable(getattr(screen, name, None))


def test_keys__of_all_actions__no_key_does_two_things() -> None:
    assert registry.clashes(registry.ACTIONS) == []


def test_ids__of_all_actions__are_unique_and_described() -> None:
    assert len(set(IDS)) == len(IDS)
    assert all(action.description and action.keys for action in registry.ACTIONS)


def test_reference__every_action__stands_in_it_with_all_its_keys() -> None:
    page = registry.keys_reference()
    for action in registry.ACTIONS:
        row = next(line for line in page.splitlines() if f"`{action.id}`" in line)
        assert action.description in row
        assert all(f"`{registry.shown_key(key)}`" in row for key in action.keys)


def test_keymap__own_key__replaces_the_default_and_help_says_so() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "ctrl+n")
        assert shown.app.board_screen.detail.row >= 0
        assert "test_reconnect_keeps_history" in shown.app.board_screen.detail.query_one("#detail-title").text  # type: ignore[attr-defined]
        await press(pilot, shown, "question_mark")
        assert re.search(r"ctrl\+n +next failed scenario", shown.screen_text())

    drive(lambda: failing(keys={"move.next_failure": ("ctrl+n",)}), story)


def test_keymap__clash__is_told_and_defaults_stand() -> None:
    actions, problems = registry.resolve({"run.failed": "r"})
    assert [problem.code for problem in problems] == ["keymap.clash"]
    assert actions == registry.ACTIONS


def test_keymap__unknown_action__names_the_nearest() -> None:
    _, problems = registry.resolve({"run.faild": "F5"})
    assert problems[0].action == "did you mean run.failed?"


def test_keymap__sequence_of_keys__is_refused_with_what_to_do() -> None:
    _, problems = registry.resolve({"run.failed": "g f"})
    assert (problems[0].code, problems[0].action) == (
        "keymap.sequence",
        "use a single key, as f5 or ctrl+g",
    )
    assert problems[0].what == "'g f' is several keys in a row, and an action has one key"


def test_keymap__empty_text__unbinds_and_the_footer_does_not_name_it() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        before = list(shown.engine.asked)
        assert "  all" not in shown.screen_text().splitlines()[-1]
        assert "a all" not in shown.screen_text().splitlines()[-1]
        await press(pilot, shown, "a", "f")
        assert shown.engine.asked == before
        await press(pilot, shown, "J")
        assert shown.app.board_screen.detail.row >= 0

    drive(lambda: failing(keys={"run.all": "", "run.failed": ()}), story)


def test_palette__without_words__lists_every_action_of_the_console() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "colon")
        listed = shown.app.screen.found  # type: ignore[attr-defined]
        assert [action.id for action in listed] == [
            each.id for each in registry.ACTIONS if registry.CONSOLE in each.context
        ]

    drive(failing, story)


def test_footer__every_hint__is_an_action_with_its_own_key() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        foot = shown.screen_text().splitlines()[-1]
        for action in registry.footer_hints(registry.ACTIONS)[:8]:
            assert f"{action.shown()} {action.label}" in foot

    drive(failing, story)


@pytest.mark.parametrize(
    ("make", "offered"),
    [
        (journals.failing, {"f failed", "F follow", "J next failure"}),
        (journals.green, {"F follow"}),
        (journals.discovered, set[str]()),
    ],
)
def test_footer__keys_that_need_something__only_where_it_is(
    make: Callable[[], journals.Journal], offered: set[str]
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        foot = shown.screen_text().splitlines()[-1]
        assert {each for each in ("f failed", "F follow", "J next failure") if each in foot} == offered

    drive(lambda: showing(FakeView(make())), story)


@pytest.mark.parametrize(
    "make", [journals.failing, journals.launch_failure, journals.nothing_found, journals.running]
)
def test_keys__all_pressed_one_after_the_other__nothing_fails(make: Callable[[], journals.Journal]) -> None:
    quitting = {"q", "ctrl+q", "ctrl+c"}

    async def story(pilot: Any, shown: Console) -> None:
        for action in registry.ACTIONS:
            for key in set(action.keys) - quitting:
                await pilot.press(key)
                await settle(pilot, shown)
                while len(shown.app.screen_stack) > 2:
                    await press(pilot, shown, "escape")
        assert shown.app.crash is None

    drive(lambda: showing(FakeView(make())), story, (80, 24))


def test_room__imports__nothing_that_opens_or_starts_anything() -> None:
    folder = Path(registry.__file__).parent
    world = re.compile(
        r"^\s*(?:import|from) (?:socket|subprocess|multiprocessing|pathlib|shutil|tempfile|sqlite3)\b|\bopen\(",
        re.MULTILINE,
    )
    allowed = {"ports.py", "doing.py", "app.py"}  # the editor port has a method of that name
    found = [
        path.name
        for path in folder.rglob("*.py")
        if world.search(path.read_text()) and path.name not in allowed
    ]
    assert found == []


def test_room__markup__is_never_asked_for() -> None:
    folder = Path(registry.__file__).parent
    markup = re.compile(r"from_markup|Static\(|Label\(|\.notify\(|RichLog|DataTable|OptionList")
    assert [path.name for path in folder.rglob("*.py") if markup.search(path.read_text())] == []


@pytest.mark.parametrize(
    "key", ["1", "3", "8", "0", "<", ">", "m", "n", "N", "s", "F", "/", "z", "+", "-", "R", "u", "D"]
)
def test_keys__no_row_on_the_screen__say_so_and_leave_every_key_where_it_was(key: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        foot = shown.screen_text().splitlines()[-1]
        await press(pilot, shown, key)
        assert shown.screen_text().splitlines()[-1] != foot
        assert not shown.app.board_screen.query_one("#filter").has_focus
        assert not shown.app.board_screen.has_class("zoomed")
        await press(pilot, shown, "q")
        assert shown.app.return_code == 0

    drive(lambda: showing(FakeView(journals.nothing_found())), story, (80, 24))


@pytest.mark.parametrize(("key", "said"), [("<", "no earlier attempt"), (">", "no later attempt")])
def test_attempt_keys__the_only_attempt__say_so(key: str, said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, key)
        assert said in shown.screen_text().splitlines()[-1]

    drive(lambda: showing(FakeView(journals.failing())), story)


@pytest.mark.parametrize(("key", "said"), [("m", "nothing to mark"), ("n", "no scenario to go to")])
def test_keys__row_that_is_no_scenario__say_so(key: str, said: str) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, key)
        assert said in shown.screen_text().splitlines()[-1]

    drive(lambda: showing(FakeView(journals.launch_failure())), story)


def test_debug_key__run_was_recorded_elsewhere__is_not_tried() -> None:
    view = FakeView(journals.failing())
    view.imported = True

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, "D")
        debugger = shown.app.ports.debugger
        assert isinstance(debugger, FakeDebugger)
        assert debugger.debugged == []
        assert "recorded elsewhere" in shown.screen_text().splitlines()[-1]

    drive(lambda: showing(view), story)


@pytest.mark.parametrize(
    "action", [each for each in registry.ACTIONS if each.command], ids=lambda each: each.id
)
def test_command__of_an_action__is_one_that_the_command_line_takes(action: registry.Action) -> None:
    program, *words = action.command.split()
    name = words.pop(0) if program == "tracekit" else "tui"
    values = ["1" if word == "N" else word for word in words]
    cli.parser(name).parse_args(values)
