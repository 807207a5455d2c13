"""What a box is asked about services, and what its answers mean."""

from __future__ import annotations

import pytest

from tracekit.config.profile import Check, Service
from tracekit.engine.services import (
    UNASKED,
    UNWELL,
    WELL,
    Standing,
    brief,
    expected,
    homeless,
    problems,
    questions,
    standings,
    words,
)

DB = Service("db", ("db",), health=Check(tcp="127.0.0.1:5432"), ready=Check(log="ready"))
API = Service("api", ("api",), ready=Check(http="http://127.0.0.1:80/health"))
QUEUE = Service("queue", ("queue",), health=Check(command=("ask-it", "-q")))


def test_questions__health_and_ready__then_health_is_asked_and_ready_where_there_is_none() -> None:
    assert questions([DB, API, QUEUE]) == (
        [
            {"name": "db", "tcp": "127.0.0.1:5432"},
            {"name": "api", "http": "http://127.0.0.1:80/health"},
            {"name": "queue", "command": ["ask-it", "-q"]},
        ],
        [],
    )


def test_questions__project_is_on_the_box__then_commands_alone_are_asked_in_its_folder() -> None:
    asked, _ = questions([DB, API, QUEUE], "/srv/app")
    assert [each.get("at") for each in asked] == [None, None, "/srv/app"]
    assert homeless([DB, API, QUEUE], "/srv/app") == frozenset()


@pytest.mark.parametrize(
    ("command", "asked"),
    [("./ask", False), ("tools/ask", False), ("/usr/bin/ask", True), ("ask", True), ("~/ask", True)],
)
def test_questions__its_command_is_a_file_of_the_project__then_asked_only_where_that_is(
    command: str, asked: bool
) -> None:
    service = Service("s", ("s",), ready=Check(command=(command,)))
    found, unasked = questions([service])
    assert bool(found) is asked
    assert ["on the box only while it runs there" in each.why for each in unasked] == [True] * (not asked)
    assert len(questions([service], "/srv/app")[0]) == 1
    assert [each["name"] for each in expected([service])] == ["s"]


def test_problems__project_is_there_only_while_it_runs__then_said_of_commands_alone() -> None:
    found = [Standing("queue", UNWELL, "ask-it ends with 1"), Standing("db", UNWELL, "takes no connection")]
    queue, db = problems(found, "box7", homeless([DB, QUEUE], ""))
    assert queue.what.startswith("service queue: ask-it ends with 1 (asked in ~: ")
    assert db.what == "service db: takes no connection"


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (Service("s", ("s",)), "neither"),
        (Service("s", ("s",), ready=Check(log="x")), "output"),
        (Service("s", ("s",), ready=Check(tcp="127.0.0.1:{port}")), "each run's own"),
        (Service("s", ("s",), health=Check(command=("ls", "{tmp}/s"))), "each run's own"),
    ],
)
def test_questions__nothing_that_can_be_asked_between_runs__then_said_why(service: Service, why: str) -> None:
    asked, (unasked,) = questions([service])
    assert (asked, unasked.state, why in unasked.why) == ([], UNASKED, True)


def test_standings__answers__then_by_the_profiles_order_and_strangers_are_left_out() -> None:
    _, unasked = questions([Service("lone", ("x",))])
    told = [
        {"name": "api", "said": "answers with 503"},
        {"name": "db", "said": ""},
        {"name": "other", "said": ""},
    ]
    found = standings([DB, Service("lone", ("x",)), API], unasked, told)
    assert [(each.name, each.state) for each in found] == [("db", WELL), ("lone", UNASKED), ("api", UNWELL)]
    assert words(found) == "services 1 of 2 well, lone not asked: has neither `health` nor `ready`"
    assert brief(found) == "services 1/2, 1 service not asked"
    (problem,) = problems(found, "box7")
    assert (problem.code, problem.what) == ("box.service", "service api: answers with 503")
    assert "`tracekit box shell box7`" in problem.action


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (None, "older"),
        ([], "did not tell"),
        ([{"name": "db"}], "did not"),
        ([{"name": 1, "said": ""}], "did not"),
    ],
)
def test_standings__agent_does_not_say__then_none_is_known_to_be_well(
    told: list[dict[str, object]] | None, why: str
) -> None:
    (found,) = standings([DB], [], told)
    assert (found.state, why in found.why) == (UNASKED, True)
    assert (problems([found], "box7"), brief([found])) == ([], "1 service not asked")


def test_words__no_services__then_nothing() -> None:
    assert (words([]), brief([])) == ("", "")
