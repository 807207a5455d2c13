"""The tree's column of time: where a row ran in its run, on a scale that seldom changes."""

from __future__ import annotations

from typing import Any

from tests.support import journals
from tests.support.consoles import Console, FakeView, settle, showing
from tests.support.journals import BEGAN, MS, SECOND, Journal
from tests.ui.conftest import drive
from tracekit.ui.board import Board
from tracekit.ui.panes import rowbars
from tracekit.ui.panes.rowbars import CELLS, Scale
from tracekit.ui.sections import LEAF
from tracekit.ui.theme import palette
from tracekit.ui.widgets.header import TitleRow

LOOK = palette()


def board_of(*views: FakeView) -> Board:
    board = Board()
    for view in views:
        board.push(view)
    board.look()
    return board


def drawn(board: Board, name: str, now: int = 0) -> str:
    """A row's bar, or "" where it has none."""
    row = next(row for row, scenario in enumerate(board.ids) if scenario.endswith(name))
    line = rowbars.bar(board, row, now, LOOK)
    return line.text if line is not None else ""


def test_cells__any_stretch__then_inside_of_the_column_and_one_cell_at_least() -> None:
    scale = Scale(100, 1200)
    assert scale.cells(100, 1200) == (0, CELLS)
    assert scale.cells(100, 0) == (0, 1)
    assert scale.cells(700, 100) == (6, 7)
    assert scale.cells(700, 101) == (6, 8)
    # Somebody has set the clock of the box meanwhile.
    assert scale.cells(0, 10) == (0, 1)
    assert scale.cells(99_999, 10) == (CELLS - 1, CELLS)


def test_bar__three_workers__then_each_row_stands_where_it_ran() -> None:
    board = board_of(FakeView(journals.spread()))
    assert [drawn(board, name) for name in ("boot", "login", "search", "cart", "rebuild")] == [
        "██",
        "███",
        "█",
        " ███",
        "        ████",
    ]
    title = rowbars.title(board, 0, LOOK)
    assert title is not None
    assert title.text == "0 ──── 9.90s"


def test_bar__short_one_over_the_edge_of_two_cells__then_one_sliver() -> None:
    journal = Journal()
    journal.start()
    journal.wait(990)
    journal.passes(journal.found("a.py", "test_a"), 20)
    journal.wait(10_990)
    journal.finish()
    assert drawn(board_of(FakeView(journal)), "test_a") == "▏"


def test_bar__rerun_of_one_red__then_the_others_keep_their_place_and_are_faint() -> None:
    parent = journals.failing()
    board = board_of(FakeView(parent), FakeView(journals.rerun_of(parent)))
    rows = {board.ids[row]: row for row in range(len(board.ids))}
    styles = {}
    for scenario, row in rows.items():
        line = rowbars.bar(board, row, 0, LOOK)
        if line is not None:
            styles[scenario.rpartition("::")[2]] = line.segments[-1].style
    assert styles["test_reconnect_keeps_history"] == LOOK.dim
    assert styles["test_1000_clients"] == LOOK.faint


def test_scale__run_goes_on__then_it_grows_in_steps_and_is_exact_at_the_end() -> None:
    live = board_of(FakeView(journals.running()))
    seen = {rowbars.scale(live, 0, BEGAN + at * MS) for at in range(1, 100_000, 10)}
    assert {scale and scale.length // SECOND for scale in seen} == {1, 2, 5, 10, 20, 30, 60, 120}
    journal = journals.running()
    journal.finish()
    found = rowbars.scale(board_of(FakeView(journal)), 0, BEGAN + 10**6 * SECOND)
    assert found is not None
    assert found.length == journal.now


def test_scale__nobody_told_when_it_began_or_ended__then_no_bar() -> None:
    untold = Journal()
    untold.passes(untold.found("a.py", "test_a"))
    assert not drawn(board_of(FakeView(untold)), "test_a")
    cut = FakeView(journals.running(), live=False)
    assert not drawn(board_of(cut), "test_1000_clients")
    assert rowbars.title(board_of(cut), BEGAN + 10**6 * SECOND, LOOK) is None
    found = board_of(FakeView(journals.discovered()))
    assert rowbars.title(found, BEGAN, LOOK) is None


def test_tree__run_outgrows_its_scale__then_ended_rows_are_painted_again() -> None:
    view = FakeView(journals.running())

    async def story(pilot: Any, shown: Console) -> None:
        tree = shown.app.board_screen.scenarios
        row = next(row for row, one in enumerate(tree.board.ids) if one.endswith("keeps_history"))
        y = next(
            y
            for y in range(99)
            if (at := tree.at(y)) and at[0].kind[at[1]] == LEAF and at[0].ref[at[1]] == row
        )
        before = tree.render_line(y).text
        assert "▏" in before
        title = shown.app.board_screen.query_one("#tree-title", TitleRow)
        assert title.text.endswith("60.0s")
        assert title.text.index("0 ─") == tree.timed
        shown.clock[0] += 3600 * SECOND
        painted: list[int] = []
        tree.render_line = _noting(tree.render_line, painted)  # type: ignore[method-assign]
        await settle(pilot, shown)
        assert y in painted
        assert title.text.endswith("2h00m")

    drive(lambda: showing(view), story, size=(160, 48))


def _noting(paint: Any, painted: list[int]) -> Any:
    def noting(y: int) -> Any:
        painted.append(y)
        return paint(y)

    return noting


def test_tree__terminal_is_narrower_than_160__then_no_column() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        tree = shown.app.board_screen.scenarios
        assert not tree.timed
        assert "█" not in tree.render_line(5).text
        await pilot.resize_terminal(160, 48)
        await settle(pilot, shown)
        assert any("█" in tree.render_line(y).text for y in range(20))
        await pilot.resize_terminal(159, 48)
        await settle(pilot, shown)
        assert not any("█" in tree.render_line(y).text for y in range(20))

    drive(lambda: showing(FakeView(journals.failing())), story, size=(80, 24))


def test_scale__run_of_days__then_it_grows_by_days() -> None:
    live = board_of(FakeView(journals.running()))
    day = 86_400 * SECOND
    seen = {rowbars.scale(live, 0, BEGAN + 2 * day + each * 100 * MS) for each in range(1, 100)}
    assert [scale and scale.length for scale in seen] == [3 * day]


def test_scale__box_is_ahead_of_this_clock__then_no_bar() -> None:
    live = board_of(FakeView(journals.running()))
    assert rowbars.scale(live, 0, BEGAN - 3600 * SECOND) is None


def test_tree__wide_terminal_of_few_lines__then_the_column_stands_at_the_end_of_its_tree() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        tree = shown.app.board_screen.scenarios
        await settle(pilot, shown)
        assert tree.size.width == 160
        assert tree.timed == 160 - 10 - CELLS

    drive(lambda: showing(FakeView(journals.failing())), story, size=(160, 19))


def test_bar__tests_of_which_only_a_report_tells__then_none_as_it_does_not_say_when() -> None:
    journal = Journal()
    journal.start()
    brought = journal.found("a.py", "test_brought")
    journal.begin(brought, worker="report")
    journal.end(brought, "passed", 500)
    journal.passes(journal.found("a.py", "test_seen"), 500)
    journal.finish()
    board = board_of(FakeView(journal))
    assert (drawn(board, "test_brought"), drawn(board, "test_seen")) == ("", "      ██████")


def test_bar__asked_again_while_the_run_goes_on__then_as_it_is_by_then() -> None:
    journal = journals.running()
    view = FakeView(journal)
    board = board_of(view)
    assert drawn(board, "test_1000_clients", BEGAN + 60 * SECOND).endswith("█" * 8)
    assert not drawn(board, "test_limit[10]", BEGAN + 60 * SECOND)
    journal.begin(next(one for one in board.ids if one.endswith("test_limit[10]")))
    view.feed(1)
    board.look()
    assert drawn(board, "test_limit[10]", BEGAN + 60 * SECOND).endswith("█" * 8)
