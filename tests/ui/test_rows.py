"""Rows, sections and output at the sizes that matter: cost follows change; any chunking gives the same screen."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from textual.app import App
from textual.geometry import Size

from tests.support import journals
from tests.support.consoles import Console, FakeView, press, settle, showing
from tests.support.journals import SECOND, Journal
from tests.torture.keys_sessions import Glass
from tests.ui.conftest import drive
from tracekit.model.facts import OutputSpan
from tracekit.model.status import Status
from tracekit.ui.board import Board
from tracekit.ui.panes.output import LONGEST, OutputIndex
from tracekit.ui.safe import Line, clean, shorten_name
from tracekit.ui.sections import FILE, LEAF, Section, _Grouped, file_section
from tracekit.ui.theme import palette
from tracekit.ui.widgets.header import Header, HeaderFacts, TitleRow


def test_board__60_000_rows_three_changes__looks_at_three() -> None:
    journal = journals.large(60_000, 600, ended=False)
    view = FakeView(journal)
    board = Board()
    board.push(view)
    board.look()
    assert 0 < len(board.ids) < 60_000  # the first frame does not wait for all of them
    while board.behind:
        board.look()
    assert len(board.ids) == 60_000
    before = board.touched
    for scenario in (board.ids[7], board.ids[30_000], board.ids[59_999]):
        journal.begin(scenario)
    view.feed(3)
    delta = board.look()
    assert board.touched - before == 3
    assert delta.changed == {7, 30_000, 59_999}
    assert not delta.files


def test_tree__60_000_rows__only_the_changed_file_is_built_anew() -> None:
    journal = journals.large(60_000, 600, ended=False)

    async def story(pilot: Any, shown: Console) -> None:
        tree = shown.app.board_screen.scenarios
        before = dict(tree._files)
        scenario = shown.app.board_screen.board.ids[30_000]
        journal.begin(scenario)
        journal.end(scenario, "failed", 3, cause="exception")
        view = shown.app.board_screen.board.newest
        assert isinstance(view, FakeView)
        view.feed(2)
        await settle(pilot, shown)
        rebuilt = [key for key, section in tree._files.items() if section is not before[key]]
        assert rebuilt == [shown.app.board_screen.board.file[30_000]]
        assert tree.sections[0].key == rebuilt[0] or tree.sections[1].key == rebuilt[0]

    drive(lambda: showing(FakeView(journal)), story)


def test_section__counts_of_containers__follow_single_changes() -> None:
    view = FakeView(journals.failing())
    board = Board()
    board.push(view)
    board.look()
    key = board.file[board.index["pytest:chat/test_rooms.py::TestLimits::test_limit[10]"]]
    section = file_section(key, board, failed_first=True)
    assert section.red[0] == 2
    row = board.index["pytest:chat/test_rooms.py::TestLimits::test_limit[10]"]
    section.changed(row, Status.PASSED, Status.FAILED)
    board.status[row] = Status.FAILED
    again = file_section(key, board, failed_first=True)
    assert (section.red[0], section.over[0], section.total[0]) == (
        again.red[0],
        again.over[0],
        again.total[0],
    )


def test_section__failed_first__reds_stand_first_in_their_group() -> None:
    view = FakeView(journals.failing())
    board = Board()
    board.push(view)
    board.look()
    key = board.file[board.index["pytest:chat/test_rooms.py::TestLimits::test_limit[10]"]]
    section = file_section(key, board, failed_first=True)
    names = [
        board.facts[section.ref[node]].name for node in range(len(section.kind)) if section.kind[node] == LEAF
    ]
    assert names[:3] == ["test_limit[100]", "test_limit[1000]", "test_limit[10]"]


@pytest.mark.parametrize("failed_first", [True, False])
def test_section__rows_without_classes__put_in_at_once_are_what_they_are_one_by_one(
    failed_first: bool,
) -> None:
    board = Board()
    board.push(FakeView(journals.large(300, 3)))
    while board.behind or not board.ids:
        board.look()
    chance = random.Random(7)
    for row in range(len(board.ids)):
        board.status[row] = chance.choice(list(Status))
    key = board.file[150]
    chance.shuffle(board.files[key])  # rows come to their file late, too
    quick = file_section(key, board, failed_first=failed_first)
    slow = Section(key)
    _Grouped(board, {}, failed_first=failed_first).build(slow, slow.add(FILE, -1, -1, key), board.files[key])
    slow.count(board)
    slow.show()
    assert len(slow.kind) == 101
    for part in ("depth", "kind", "ref", "span", "up", "open", "red", "over", "total", "node_of"):
        assert getattr(quick, part) == getattr(slow, part), part
    assert list(quick.visible) == list(slow.visible)


def _over(first: Journal, *later: Journal) -> Board:
    board = Board()
    for journal in (first, *later):
        view = FakeView(journal, fed=0)
        board.push(view)
        for _ in journal.lines:
            view.feed(1)
            board.look()
    return board


def test_board__rerun_of_another_test__what_could_not_be_collected_stays_told() -> None:
    first = journals.collection_error()
    again = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    again.start(parent=first.run)
    again.passes(again.found("chat/test_ws.py", "test_ping_is_answered", line=120), 5)
    again.finish()
    board = _over(first, again)
    assert board.trouble == 1
    assert [(view.run_id, notice.file) for view, notice in board.notices()] == [
        (first.run, "chat/test_presence.py")
    ]


def test_board__rerun_that_comes_to_the_file__it_is_told_no_more() -> None:
    first = journals.collection_error()
    again = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    again.start(parent=first.run)
    again.passes(again.found("chat/test_presence.py", "test_comes_and_goes", line=7), 5)
    again.finish()
    board = _over(first, again)
    assert (board.trouble, board.notices()) == (0, [])


def test_board__rerun_that_fails_at_it_again__it_is_told_once() -> None:
    first = journals.collection_error()
    again = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    again.start(parent=first.run)
    again.line("discover.failed", suite="", file="chat/test_presence.py", message="still not", remedy="")
    again.finish()
    board = _over(first, again)
    assert [notice.message for _, notice in board.notices()] == ["still not"]
    assert board.trouble == 1


def test_board__service_was_not_well_and_is_in_the_rerun__it_is_told_no_more() -> None:
    first = Journal()
    first.start()
    words = {"exit": 1, "stderr": "service db is not well", "remedy": "start it", "code": "box.service"}
    first.line("runner.failed_to_start", suite=":services", command=[], **words)
    first.finish()
    assert _over(first).trouble == 1
    again = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    again.start(parent=first.run)
    again.passes(again.found("chat/test_ws.py", "test_ping_is_answered", line=120), 5)
    again.finish()
    board = _over(first, again)
    assert (board.trouble, board.notices()) == (0, [])


def test_board__run_of_all_over_it__then_only_what_that_run_says() -> None:
    first = journals.collection_error()
    fresh = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
    fresh.start()
    fresh.passes(fresh.found("chat/test_ws.py", "test_ping_is_answered", line=120), 5)
    fresh.finish()
    board = _over(first, fresh)
    assert (board.trouble, board.notices()) == (0, [])


@pytest.mark.parametrize("make", [journals.failing, journals.launch_failure, journals.collection_error])
def test_screen__fed_in_other_chunks__is_the_same(make: Any) -> None:
    screens = []
    for chunks in (None, 1, 7):
        view = FakeView(make(), fed=None if chunks is None else 0)

        async def story(
            pilot: Any, shown: Console, chunks: int | None = chunks, view: FakeView = view
        ) -> None:
            while chunks and view.fed < len(view.journal.lines):
                view.feed(chunks)
                shown.app.pump.tick()
            await settle(pilot, shown)
            screens.append(shown.screen_text())

        drive(lambda view=view: showing(view), story)  # type: ignore[misc]
    assert screens[0] == screens[1] == screens[2]


def _index(text: bytes, cuts: list[int], streams: str = "oe") -> OutputIndex:
    journal = Journal()
    journal.output += text
    spans, at = [], 0
    for number, cut in enumerate([*sorted(cuts), len(text)]):
        spans.append(OutputSpan({"o": "stdout", "e": "stderr"}[streams[number % len(streams)]], at, cut - at))
        at = cut
    index = OutputIndex(FakeView(journal))
    index.extend(spans)
    return index


@pytest.mark.parametrize("seed", range(20))
def test_output__cut_anywhere_read_in_any_slices__gives_the_lines_of_the_text(seed: int) -> None:
    chance = random.Random(seed)
    lines = ["".join(chance.choices("abc é漢", k=chance.randrange(60))) for _ in range(50)]
    text = "\n".join(lines).encode()
    index = _index(text, [chance.randrange(len(text)) for _ in range(chance.randrange(12))], "o")
    while index.behind:
        index.read(chance.randrange(1, 40))
    assert [data.decode() for data, _ in index.window(0, 100)] == [
        line for line in lines if line or lines[-1] != ""
    ][: len(index)]
    middle = index.window(20, 5)
    assert [data.decode() for data, _ in middle] == lines[20:25]


def test_output__stream_changes_within_a_line__begins_another_line() -> None:
    index = _index(b"half of itoops\nrest\n", [10, 15])
    index.read()
    assert [(data, span.stream) for data, span in index.window(0, 9)] == [
        (b"half of it", "stdout"),
        (b"oops", "stderr"),
        (b"rest", "stdout"),
    ]


def test_output__line_without_end__is_cut_and_only_the_window_is_fetched() -> None:
    index = _index(b"x" * (5 * LONGEST + 1), [])
    while index.behind:
        index.read()
    assert len(index) == 6
    view = index.view
    assert isinstance(view, FakeView)
    reads = view.reads
    assert len(index.window(2, 1)[0][0]) == LONGEST
    assert view.reads == reads + 1


def test_output__hundred_thousand_lines__pane_keeps_no_more_than_it_shows() -> None:
    journal = journals.running()
    many = "pytest:chat/test_ws.py::test_1000_clients"
    journal.prints("".join(f"line {number}\n" for number in range(100_000)), many)

    async def story(pilot: Any, shown: Console) -> None:
        await press(pilot, shown, *"jjjj", "3")
        pane = shown.app.board_screen.detail.query_one("#output")
        while shown.app.board_screen.detail.query_one("#output").pump():  # type: ignore[attr-defined]
            await pilot.pause()
        await settle(pilot, shown)
        assert pane.line_count == 100_040  # type: ignore[attr-defined]
        assert "line 99999" in shown.screen_text()
        assert len(pane._painted) <= 1024  # type: ignore[attr-defined]

    drive(lambda: showing(FakeView(journal)), story)


def test_painting__screen_laid_out_for_another_size__nothing_of_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = FakeView(journals.failing())
    written: list[object] = []

    async def story(pilot: Any, shown: Console) -> None:
        app: Any = shown.app
        screen = app.board_screen
        monkeypatch.setattr(App, "_display", lambda _app, _screen, update: written.append(update))
        app._display(screen, "as it is")
        was = screen._compositor.size
        screen._compositor.size = Size(was.width - 1, was.height)
        app._display(screen, "too narrow")
        screen._compositor.size = was
        app._display(screen, "as it is again")
        assert written == ["as it is", "as it is again"]

    drive(lambda: showing(view), story)


@pytest.mark.parametrize("width", [24, 33, 40])
def test_long_name__cases_of_one_test__then_each_keeps_its_parameters(width: int) -> None:
    names = [f"test_redirect_of_a_request_with_a_body[{case}]" for case in ("get-301", "post-303", "put-307")]
    told = [shorten_name(clean(name), width).text for name in names]
    assert [text[text.index("[") :] for text in told] == ["[get-301]", "[post-303]", "[put-307]"]
    assert all(text.startswith("test_") and "…" in text for text in told)


def test_long_name__parameters_longer_than_the_row__then_both_of_their_ends_stay() -> None:
    told = shorten_name(clean("test_urlparse[" + "http://a" * 9 + "-80-None]"), 36).text
    assert told.startswith("test_ur")
    assert "[http://a" in told
    assert told.endswith("-80-None]")


def test_tree__a_board_without_rows__then_those_of_the_one_before_are_painted_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(pilot: Any, shown: Console) -> None:
        app: Any = shown.app
        glass = Glass(app)
        monkeypatch.setattr(app, "_display", glass.take)
        app.redraw()
        await pilot.pause()
        app.screen.refresh(layout=True)
        await settle(pilot, shown)
        assert "test_reconnect_keeps_history" in "\n".join(glass.text)
        app.board_screen.scenarios.use(Board())
        await pilot.pause()
        await pilot.pause()
        rows = [line[: app.board_screen.scenarios.size.width] for line in glass.text[2:-1]]
        assert not any("test_reconnect_keeps_history" in row or "CAUSES" in row for row in rows)

    drive(lambda: showing(FakeView(journals.failing())), story)


def _reds_of_several_files(journal: Journal, *, whole: bool, still: str = "abcd") -> Journal:
    """A red in each of four files, by a cause of its own; all of it, or the reds once more."""
    journal.start(parent=None if whole else journals.RUN)
    reds = []
    for file in "abcd":
        reds.append(journal.found(f"test_{file}.py", "test_red", line=1))
        if whole:
            for number in range(30):
                journal.passes(journal.found(f"test_{file}.py", f"test_green_{number}", line=2))
    for red in reds:
        journal.begin(red)
    for red in reversed(reds):
        if red[12] not in still:
            journal.end(red, "passed", 40)
            continue
        link = {"type": "ValueError", "message": f"cause of {red[12]}", "module": "", "notes": []}
        journal.fails(red, [{**link, "relation": None, "frames": []}])
        journal.end(red, "failed", 40, cause="exception")
    journal.finish()
    return journal


@pytest.mark.parametrize(("on_a_cause", "still"), [(True, "abcd"), (False, "d")])
def test_tree__a_red_goes_and_comes_back__then_what_stood_above_it_is_in_sight_again(
    on_a_cause: bool, still: str
) -> None:
    def make() -> Console:
        shown = showing(FakeView(_reds_of_several_files(Journal(), whole=True)))
        rerun = Journal(run="01KAH0C5M0DEMORVNREREVN000", now=60 * SECOND)
        shown.engine.answers["rerun"] = FakeView(
            _reds_of_several_files(rerun, whole=False, still=still), fed=10
        )
        return shown

    async def story(pilot: Any, shown: Console) -> None:
        if on_a_cause:
            await press(pilot, shown, "j", "j")
            assert "test_c.py:1" in shown.screen_text().splitlines()[1]
        else:
            shown.app.board_screen.scenarios.come_to("pytest:test_d.py::test_red")
        await press(pilot, shown, "f")
        view = shown.engine.answers["rerun"]
        assert isinstance(view, FakeView)
        tree = shown.app.board_screen.scenarios
        while view.live:
            view.feed(1)
            await settle(pilot, shown)
            tree.settle(force=True)
            await settle(pilot, shown)
        assert tree.scroll_offset.y == 0
        text = shown.screen_text()
        assert all(f"cause of {file}" in text for file in still)

    drive(make, story)


def test_title__longer_than_its_row__then_its_end_is_marked_as_missing() -> None:
    async def story(pilot: Any, shown: Console) -> None:
        title = shown.app.board_screen.query_one("#tree-title", TitleRow)
        width = title.size.width
        title.show(Line().own("a" * width))
        assert title.render_line(0).text == "a" * width
        title.show(Line().own("a" * (width + 1)))
        assert title.render_line(0).text == "a" * (width - 1) + "…"
        title.show(Line().own("界" * width))
        assert title.render_line(0).text.endswith("…")
        assert title.render_line(0).cell_length == width

    drive(lambda: showing(FakeView(journals.failing())), story)


@pytest.mark.parametrize("link", ["then", "lost"])
def test_header__state_that_has_no_room_beside_the_project__then_the_project_gives_way(link: str) -> None:
    facts = HeaderFacts(project="chat-server", total=13, over=5, passed=2, red=1, elapsed="00:42", link=link)
    header = Header(palette())
    header.facts = facts
    said = header.line(60).text
    assert f"{link}  drop 0" in said
    assert "chat" not in said
    header.facts = replace(facts, link="")
    assert "chat" in header.line(60).text
    assert "drop 0" in header.line(60).text
