"""The tab that tells where a run was: how its services were."""

from __future__ import annotations

from tests.unit.model.journals import Journal, fold
from tracekit.model.fold import Fold
from tracekit.ui.panes.place import place_lines
from tracekit.ui.theme import palette


def told(journal: Journal, *, again: bool = False) -> str:
    found = fold(journal.lines)
    run = (Fold.restore(found.checkpoint()) if again else found).state.run
    return "\n".join(line.text for line in place_lines(run, None, None, None, palette(), now=0))


def journal() -> Journal:
    made = Journal().add("run.started", mode="run", environment="local")
    made.add("service.unhealthy", service="db", after=30.0, why="takes no connection")
    return made.add("service.ready", service="api", after=2.5).add("service.ready", service="log", after=0.1)


def test_env__services_were_asked__then_each_says_how_it_was() -> None:
    text = told(journal())
    assert "services" in text
    assert [line.split() for line in text.splitlines() if line.strip().startswith(("db", "api", "log"))] == [
        ["api", "well,", "after", "2.5s"],
        ["db", "takes", "no", "connection"],
        ["log", "well"],
    ]


def test_env__run_is_opened_from_a_checkpoint__then_they_are_the_same() -> None:
    assert told(journal(), again=True) == told(journal())


def test_env__none_was_asked__then_nothing_is_said_of_services() -> None:
    assert "services" not in told(Journal().add("run.started", mode="run", environment="local"))


def waiting() -> Journal:
    made = Journal().add("run.started", mode="run", environment="local")
    why = "takes no connection"
    return made.add(
        "phase.started", phase="service", id="db", why=why, message=f"waits for service db: {why}"
    )


def test_env__one_is_not_well_yet__then_it_is_waited_for_until_somebody_says_how_it_is() -> None:
    assert "db          is waited for: takes no connection" in told(waiting())
    assert told(waiting(), again=True) == told(waiting())
    assert "db          well, after 4.0s" in told(waiting().add("service.ready", service="db", after=4.0))
    gone = waiting().add("run.ended", reason="cancelled", verdicts={}, not_run=[])
    assert "db          was waited for: takes no connection" in told(gone)
