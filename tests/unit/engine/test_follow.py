"""A follower of a run on a box, told by hand what its sessions say."""

from __future__ import annotations

from pathlib import Path

import anyio

from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.store.copies import Copy
from tracekit.wire.lines import encode
from tracekit.wire.names import E

RUN = "01J00000000000000000000000"
HEAD = {"v": 1, "src": "box7/daemon/1-1", "t": 1, "m": 1, "run": RUN}
JOURNAL = b"".join(
    encode({**HEAD, **line})
    for line in ({"n": 1, "e": E.RUN_STARTED, "suites": []}, {"n": 2, "e": E.RUN_ENDED, "reason": "finished"})
)
FILE = {"type": "file", "name": "journal.ndjson", "start": 0, "length": len(JOURNAL)}
DATA = {"type": "data", "name": "journal.ndjson", "offset": 0, "pieces": [JOURNAL]}
END = {"files": {"journal.ndjson": len(JOURNAL)}, "state": "ended", "reason": "finished"}


def test_follow__line_breaks_behind_the_end_and_another_session_begins__then_nothing_of_it_is_cut_off(
    tmp_path: Path,
) -> None:
    async def main() -> RunView:
        view = RunView(RUN, "", tmp_path / "box7", link="connecting")
        copy = Copy(tmp_path / "box7")
        assert copy.claim()
        follower = Follower(view, lambda _: None, copy=copy)
        await follower.arrived(FILE)
        await follower.arrived(DATA)
        follower.lengths(END)
        # Before anybody looked at what came.
        await follower.arrived(FILE)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await anyio.wait_all_tasks_blocked()
            assert not view.done.is_set()
            await follower.arrived(DATA)
            follower.lengths(END)
        return view

    view = anyio.run(main)
    assert (view.link, view.state.run.ended) == ("ended", True)
    assert (tmp_path / "box7" / "journal.ndjson").read_bytes() == JOURNAL
    assert [path.name for path in tmp_path.iterdir() if ".old-" in path.name] == []


def test_follow__link_comes_back__then_what_was_missed_is_counted_once_all_of_it_is_here(
    tmp_path: Path,
) -> None:
    lines = [encode({**HEAD, "n": n, "e": E.WARNING, "message": f"{n}"}) for n in range(1, 8)]
    lengths = [sum(map(len, lines[:n])) for n in range(8)]

    def told(first: int, last: int) -> list[dict[str, object]]:
        file = {"type": "file", "name": "journal.ndjson", "start": lengths[first], "length": lengths[last]}
        data = {"type": "data", "name": "journal.ndjson", "offset": lengths[first]}
        return [file, {**data, "pieces": lines[first:last]}]

    async def main() -> None:
        view = RunView(RUN, "", tmp_path / "box7", link="attached")
        copy = Copy(tmp_path / "box7")
        assert copy.claim()
        follower = Follower(view, lambda _: None, copy=copy)

        async def arrive(first: int, last: int) -> None:
            for event in told(first, last):
                await follower.arrived(event)
            await anyio.wait_all_tasks_blocked()

        def comes_back(number: int) -> None:
            view.mark("reconnecting")
            view.mark("attached")
            follower.lengths({"files": {"journal.ndjson": lengths[number]}, "state": "running"})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follower.run)
            await arrive(0, 2)
            assert (view.folded, view.resumed) == (lengths[2], None)
            comes_back(5)
            await arrive(2, 4)
            assert (view.folded, view.missed_since > 0, view.resumed) == (lengths[4], True, None)
            await arrive(4, 5)
            assert view.resumed is not None
            first = view.resumed
            assert (first.events, view.missed_since) == (3, 0)
            await arrive(5, 6)
            assert view.resumed is first
            # A link that breaks again before everything is here tells it of the second time.
            comes_back(6)
            comes_back(7)
            await arrive(6, 7)
            assert view.resumed is not first
            assert view.resumed.events == 1
            tasks.cancel_scope.cancel()

    anyio.run(main)
