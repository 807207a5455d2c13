"""Questions over all runs: answered from the catalogue, and from the runs themselves where it lacks or loses them."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from tests.unit.store.conftest import Recorded, journal_line
from tracekit.engine.history import History
from tracekit.engine.past import Past
from tracekit.store.catalogue import Catalogue
from tracekit.store.runs import RunStore
from tracekit.wire.problems import ProblemError

RED = "pytest:t.py::red"


def words(store: RunStore) -> list[str]:
    return [told.verdict for told in Past(History(store)).story("red").verdicts]


def test_story__runs_that_no_console_saw_end__then_newest_first(store: RunStore, recorded: Recorded) -> None:
    for at, verdict in enumerate(("passed", "failed", "error"), 1):
        recorded(at, verdict=verdict)
    assert words(store) == ["error", "failed", "passed"]
    story = Past(History(store)).story("t.py::red", limit=2)
    assert [told.verdict for told in story.verdicts] == ["error", "failed"]
    assert (story.scenario, story.root) == (RED, "/srv/app")
    assert (story.tally.red, story.tally.green, story.median_ns) == (2, 0, 0)


def test_story__run_taken_off_the_disk__then_it_is_forgotten(store: RunStore, recorded: Recorded) -> None:
    gone = recorded(1)
    recorded(2, verdict="passed")
    assert words(store) == ["passed", "failed"]
    shutil.rmtree(gone.path)
    assert words(store) == ["passed"]
    assert set(Catalogue(store.state).rows()) != {gone.run_id}


def test_story__catalogue_damaged_or_lost__then_the_same_answer(store: RunStore, recorded: Recorded) -> None:
    for at in (1, 2):
        recorded(at)
    before = Past(History(store)).story("red")
    file = store.state / "catalogue.sqlite"
    for damage in (b"", b"not a database at all" * 100):
        file.write_bytes(damage)
        assert Past(History(store)).story("red") == before
    file.unlink()
    assert Past(History(store)).story("red") == before


def test_story__catalogue_held_by_another_process__then_answered_from_the_runs(
    store: RunStore, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracekit.store.catalogue._PATIENCE", 0.01)
    recorded(1)
    words(store)
    recorded(2, verdict="passed")
    other = sqlite3.connect(store.state / "catalogue.sqlite")
    other.execute("BEGIN IMMEDIATE")
    try:
        assert words(store) == ["passed", "failed"]
    finally:
        other.close()
    assert words(store) == ["passed", "failed"]


def test_story__older_catalogue__then_built_again(store: RunStore, recorded: Recorded) -> None:
    recorded()
    with sqlite3.connect(store.state / "catalogue.sqlite") as older:
        older.executescript("CREATE TABLE runs (run TEXT PRIMARY KEY); PRAGMA user_version = 1;")
    older.close()
    assert words(store) == ["failed"]


def test_story__part_that_two_have_or_none__then_told_which(store: RunStore, recorded: Recorded) -> None:
    recorded()
    past = Past(History(store))
    with pytest.raises(ProblemError) as caught:
        past.story("t.py")
    assert caught.value.first.code == "cli.ambiguous"
    assert RED in caught.value.first.where
    with pytest.raises(ProblemError) as caught:
        past.story("rde")
    assert caught.value.first.action == "did you mean red?"
    with pytest.raises(ProblemError) as caught:
        past.story("red", environment="box7")
    assert "box7" in caught.value.first.what


def test_story__same_id_in_two_projects__then_the_one_that_is_asked_from(
    store: RunStore, recorded: Recorded
) -> None:
    recorded(1)
    other = recorded(2, verdict="passed")
    facts = other.path / "run.json"
    facts.write_text(facts.read_text().replace("/srv/app", "/srv/other"))
    past = Past(History(store))
    assert past.story("red", root="/srv/other").verdicts[0].verdict == "passed"
    assert past.story("red", root="/srv/app").verdicts[0].verdict == "failed"
    with pytest.raises(ProblemError) as caught:
        past.story("red", root="/elsewhere")
    assert "/srv/app, /srv/other" in caught.value.first.action


def test_story__part_that_others_have_too__then_the_one_of_the_project_that_is_asked_from(
    store: RunStore, recorded: Recorded
) -> None:
    recorded(1)
    other = recorded(2)
    facts = other.path / "run.json"
    facts.write_text(facts.read_text().replace("/srv/app", "/srv/other"))
    for place in (other.path / "run.json", other.journal):
        place.write_bytes(place.read_bytes().replace(b"t.py::red", b"u.py::red"))
    past = Past(History(store))
    for root, file in (("/srv/app", "t.py"), ("/srv/other", "u.py")):
        assert past.story("red", root=root).scenario == f"pytest:{file}::red"
        assert past.story("::re", root=root).scenario == f"pytest:{file}::red"
    # A text that reads more strictly elsewhere is not taken from there.
    assert past.story("py::red", root="/srv/other").scenario == "pytest:u.py::red"
    with pytest.raises(ProblemError) as caught:
        past.story("red", root="/elsewhere")
    assert caught.value.first.code == "cli.ambiguous"
    # What only another project has is found from anywhere.
    assert past.story("u.py::red", root="/srv/app").root == "/srv/other"


def test_compare__run_without_an_end__then_as_far_as_it_is(store: RunStore, recorded: Recorded) -> None:
    first, second = recorded(1), recorded(2)
    lines = second.journal.read_bytes().splitlines(keepends=True)
    second.journal.write_bytes(b"".join(lines[:4]))
    held = Past(History(store)).compare(first, second)
    assert [pair.scenario for pair in held.scenarios.still_red] == [RED]
    assert [pair.scenario for pair in held.scenarios.only_before] == ["pytest:t.py::green"]


def test_compare__other_seed_and_arguments__then_told_as_facts(store: RunStore, recorded: Recorded) -> None:
    pair = [recorded(1), recorded(2)]
    for seed, folder in enumerate(pair):
        facts = folder.path / "run.json"
        facts.write_text(
            facts.read_text().replace(
                '"plan": {}', f'"plan": {{"suites": [{{"name": "", "args": ["-{seed}"]}}]}}'
            )
        )
        lines = folder.journal.read_bytes().splitlines(keepends=True)
        lines[0] = journal_line(
            folder.run_id,
            1,
            "run.started",
            root="/srv/app",
            environment="local",
            mode="run",
            seed=seed,
            git={"commit": "abcdef0123456", "dirty": bool(seed)},
        )
        folder.journal.write_bytes(b"".join(lines))
    told = {each.name: (each.before, each.after) for each in Past(History(store)).compare(*pair).facts}
    assert told == {
        "seed": ("0", "1"),
        "arguments": ("-0", "-1"),
        "commit": ("abcdef0123", "abcdef0123*"),
    }


def test_trend__then_oldest_first_and_of_one_environment_where_asked(
    store: RunStore, recorded: Recorded
) -> None:
    for at, verdict in enumerate(("passed", "failed", "passed"), 1):
        recorded(at, verdict=verdict)
    past = Past(History(store))
    assert [point.counts.get("failed", 0) for point in past.trend()] == [0, 1, 0]
    assert [point.counts.get("failed", 0) for point in past.trend(limit=2)] == [1, 0]
    assert past.trend(environment="box7") == []
    assert len(past.trend(root="/srv/app", environment="local")) == 3


def test_trends__runs_of_chosen_scenarios_between_whole_ones__then_no_point_of_a_curve_and_counted(
    store: RunStore, recorded: Recorded
) -> None:
    for at in range(1, 6):
        folder = recorded(at)
        if at in {2, 4, 5}:
            plan = {"suites": [{"name": "a", "only": ["pytest:t.py::red"]}, {"name": "b", "only": []}]}
            (folder.path / "run.json").write_text(json.dumps({**folder.facts(), "plan": plan}))
    past = Past(History(store))
    assert [point.chosen for point in past.trend()] == [None, 1, None, 1, 1]
    trends = past.trends("/srv/app", "local")
    assert ([point.chosen for point in trends.points], trends.partly) == ([None, None], 3)
    assert [story.scenario for story in trends.red] == [RED]


def test_before__red_after_green__then_the_last_green_and_what_is_different(
    store: RunStore, recorded: Recorded
) -> None:
    recorded(1, verdict="passed")
    green = recorded(2, verdict="passed")
    recorded(3)
    now = recorded(4)
    before = Past(History(store)).before(RED, "/srv/app", now.run_id)
    assert before.green is not None
    assert before.green.run.run_id == green.run_id
    assert before.story is not None
    assert [told.verdict for told in before.story.verdicts] == ["failed", "failed", "passed", "passed"]
    assert before.apart == ()
    assert before.files is None


def test_before__never_run_or_never_green__then_no_green_is_made_up(
    store: RunStore, recorded: Recorded
) -> None:
    assert Past(History(store)).before(RED, "/srv/app", "01J").story is None
    now = recorded(1)
    recorded(2, verdict="passed")
    before = Past(History(store)).before(RED, "/srv/app", now.run_id)
    assert before.story is not None
    assert before.green is None


def test_before__green_run_is_of_another_project__then_it_is_not_meant(
    store: RunStore, recorded: Recorded
) -> None:
    now = recorded(1)
    assert Past(History(store)).before(RED, "/elsewhere", now.run_id).story is None


def test_trends__of_a_project__whole_runs_and_what_was_not_steady(
    store: RunStore, recorded: Recorded
) -> None:
    ids = [recorded(1).run_id, recorded(2, verdict="passed").run_id, recorded(3).run_id]
    told = Past(History(store)).trends("/srv/app", "local")
    assert [point.run_id for point in told.points] == ids
    assert [story.scenario for story in told.red] == [RED]
    assert [each.verdict for each in told.red[0].verdicts] == ["failed", "passed", "failed"]
    assert told.quarantined == ()
    assert Past(History(store)).trends("/srv/other", "local").points == ()
    last = Past(History(store)).last(RED, "/srv/app", "local")
    assert last is not None
    assert last.verdicts == told.red[0].verdicts
    assert Past(History(store)).last("nobody", "/srv/app", "local") is None
