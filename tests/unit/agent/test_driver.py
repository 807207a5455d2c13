"""The driver by itself: facts and exits in, commands out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.agents.fake_runner import FakeAdapter
from tracekit.agent.driver import NAMED, Command, Driver, Finish, Spawn, Write
from tracekit.agent.passes import Pass
from tracekit.agent.progress import Facts
from tracekit.agent.runners.base import Adapter, Context, Exit, LaunchSpec, Outcome, Progress
from tracekit.wire.problems import Problem, ProblemError

SUITE = {"name": "", "runner": "fake", "cwd": "/", "options": {}}


class Desk:
    """A driver and the launches it believes in."""

    def __init__(self, *suites: dict[str, Any]) -> None:
        self.facts: dict[str, Facts] = {}
        self.again = Again()
        plan = {"mode": "run", "suites": list(suites or (SUITE,))}
        self.driver = Driver(
            plan,
            Context(plan, "/s", "", "", "t", {}),
            self._adapter,
            self._facts,
            lambda _: Exit(0, None, b"", b""),
        )

    def _adapter(self, name: str) -> Adapter:
        if name == "fake":
            return self.again
        raise ProblemError(Problem("runner.unknown", "no such runner", name, "choose another"))

    def _facts(self, launch: str) -> Facts:
        return self.facts.get(launch, Facts())

    def tell(self, launch: str, ended: dict[str, str], running: tuple[str, ...] = (), found: int = 0) -> None:
        facts = Facts(any_line=True, ended=ended)
        facts.collected = [*ended, *running, *(f"more{index}" for index in range(found))]
        facts.started = {
            (name, 1): b'{"e":"attempt.started","scenario":"%s","attempt":1,"m":5}\n' % name.encode()
            for name in running
        }
        if not running:
            facts.session_ended = {"exitstatus": 0}
        self.facts[launch] = facts

    def exit(self, launch: str, **more: Any) -> list[Command]:
        return self.driver.exited({"id": launch, "exit": 0, "signal": None, **more}, 25)


def finish_of(commands: list[Command]) -> dict[str, Any]:
    return next(command.line for command in commands if isinstance(command, Finish))


def launches_of(commands: list[Command]) -> list[str]:
    return [command.spec.id for command in commands if isinstance(command, Spawn)]


def lines_of(commands: list[Command]) -> list[dict[str, Any]]:
    return [command.line for command in commands if isinstance(command, Write)]


def test_suites__one_after_another__then_each_launch_has_a_number_of_its_own() -> None:
    desk = Desk(SUITE, SUITE)
    assert launches_of(desk.driver.begin()) == ["L1"]
    desk.tell("L1", {"a": "passed", "b": "failed"})
    assert launches_of(desk.exit("L1")) == ["L2"]
    desk.tell("L2", {"c": "passed"})
    line = finish_of(desk.exit("L2"))
    assert (line["reason"], line["verdicts"]) == ("finished", {"failed": 1, "passed": 2})


def test_exit__of_another_launch_or_told_twice__then_nothing_happens() -> None:
    desk = Desk()
    desk.driver.begin()
    assert desk.exit("L9") == []
    desk.tell("L1", {})
    desk.exit("L1")
    assert desk.exit("L1") == []


def test_runner__that_is_unknown__then_told_and_the_next_suite_runs() -> None:
    desk = Desk({**SUITE, "runner": "other", "only": ["x", "y"]}, SUITE)
    commands = desk.driver.begin()
    assert [line["code"] for line in lines_of(commands)] == ["runner.unknown"]
    assert launches_of(commands) == ["L1"]
    desk.tell("L1", {"a": "passed"})
    line = finish_of(desk.exit("L1"))
    assert (line["reason"], line["not_run"], line["not_run_count"]) == ("finished", ["x", "y"], 2)


def test_runner__nothing_could_be_started__then_the_reason_says_so() -> None:
    assert finish_of(Desk({**SUITE, "broken": True}).driver.begin())["reason"] == "failed-to-start"


def test_no_suites__any__then_the_run_is_over() -> None:
    desk = Desk()
    desk.driver._suites.clear()
    assert finish_of(desk.driver.begin())["verdicts"] == {}


def test_crash__one_test_was_running__then_it_alone_is_crashed_and_the_rest_resumes() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"}, running=("b",), found=2)
    commands = desk.exit("L1", exit=None, signal=11)
    assert [(line["scenario"], line["verdict"]) for line in lines_of(commands)] == [("b", "crashed")]
    assert launches_of(commands) == ["L2"]
    desk.tell("L2", {"more0": "passed", "more1": "passed"})
    assert finish_of(desk.exit("L2"))["verdicts"] == {"crashed": 1, "passed": 3}


@pytest.mark.parametrize("verdict", ["cancelled", "timedout"])
def test_process_that_we_ended__looks_like_a_crash__then_it_is_told_as_what_it_was(verdict: str) -> None:
    desk = Desk()
    desk.driver.begin()
    desk.driver.end_scenario("b", verdict, "why")
    desk.tell("L1", {"a": "passed"}, running=("b",))
    line = lines_of(desk.exit("L1"))[0]
    assert (line["verdict"], line["reason"]) == (verdict, "why")


def test_stop__while_a_test_runs__then_it_is_cancelled_and_the_rest_named_as_not_run() -> None:
    desk = Desk(SUITE, {**SUITE, "only": ["z"]})
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"}, running=("b",), found=2)
    assert desk.driver.stop("cancelled") == []
    commands = desk.exit("L1")
    line = finish_of(commands)
    told = lines_of(commands)[0]
    assert (told["scenario"], told["verdict"], told["d"], told["reason"]) == (
        "b",
        "cancelled",
        20,
        "cancelled",
    )
    assert (line["reason"], line["not_run"], line["why"]) == (
        "cancelled",
        ["more0", "more1", "z"],
        "cancelled",
    )
    assert line["verdicts"] == {"cancelled": 1, "passed": 1}


def test_stop__before_anything_runs__then_that_is_the_end_and_only_once() -> None:
    desk = Desk()
    desk.driver._stopping = ""
    assert finish_of(desk.driver.stop("lease"))["reason"] == "lease"
    assert desk.driver.stop("cancelled") == []
    assert desk.driver.finished


def test_not_run__more_than_are_named__then_all_are_counted() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {}, found=NAMED + 500)
    desk.driver.stop("cancelled")
    line = finish_of(desk.exit("L1"))
    assert (len(line["not_run"]), line["not_run_count"]) == (NAMED, NAMED + 500)


def test_subtests__have_rows_of_their_own__then_they_are_not_counted_as_tests() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "failed", "a ▸ one": "failed"})
    desk.facts["L1"].children = {"a ▸ one"}
    assert finish_of(desk.exit("L1"))["verdicts"] == {"failed": 1}


def test_restore__launch_unknown_to_the_supervisor__then_the_same_one_is_asked_for_again() -> None:
    desk = Desk()
    first = desk.driver.begin()
    again = Desk()
    assert again.driver.restore(desk.driver.snapshot(), {}) == first


def test_restore__resumed_launch__then_the_same_choice_is_made() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"}, running=("b",), found=2)
    wanted = desk.exit("L1", exit=None, signal=11)[-1]
    again = Desk()
    again.facts = desk.facts
    specs = {"L1": desk.driver._adapter("fake").start(SUITE, desk.driver._context, 1)}
    assert again.driver.restore(desk.driver.snapshot(), specs) == [wanted]
    assert again.driver.snapshot() == desk.driver.snapshot()


def test_restore__after_a_stop__then_it_is_still_stopping() -> None:
    desk = Desk(SUITE, SUITE)
    desk.driver.begin()
    desk.driver.stop("cancelled")
    again = Desk(SUITE, SUITE)
    again.driver.restore(desk.driver.snapshot(), {})
    assert finish_of(again.exit("L1"))["reason"] == "cancelled"


def test_restore__finished__then_nothing_is_decided_again() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.exit("L1")
    again = Desk()
    assert again.driver.restore(desk.driver.snapshot(), {}) == []
    assert again.driver.finished


@pytest.mark.parametrize("stopped", [True, False])
def test_attempt__that_we_end__then_it_lasted_from_its_start_to_the_death_of_its_process(
    stopped: bool,
) -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {}, running=("a",))
    if stopped:
        desk.driver.stop("cancelled")
    (line,) = [line for line in lines_of(desk.exit("L1", exit=None, signal=9, m=17)) if "verdict" in line]
    assert (line["verdict"], line["d"]) == ("cancelled" if stopped else "crashed", 12)


class Complaining(FakeAdapter):
    """An adapter to which every end looks bad."""

    def finished(self, progress: Progress, exit: Exit, context: Context, number: int) -> Outcome:
        line = {"e": "suite.failed", "suite": "", "exit": 2}
        return Outcome([line], None, [], "")


@pytest.mark.parametrize("ours", [True, False])
def test_suite_failed__after_we_ended_one_of_its_tests__then_it_is_not_told(
    ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "_adapter", staticmethod(lambda _: Complaining()))
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "cancelled"})
    if ours:
        desk.driver.end_scenario("a", "timedout", "ran longer than 1s, its timeout")
    assert [line["e"] for line in lines_of(desk.exit("L1"))] == ([] if ours else ["suite.failed"])


def test_needs__declared_the_other_way_round__then_the_needed_one_runs_first() -> None:
    desk = Desk({**SUITE, "name": "api", "needs": ["db"]}, {**SUITE, "name": "db"})
    first = desk.driver.begin()
    assert [command.spec.suite for command in first if isinstance(command, Spawn)] == ["db"]
    desk.tell("L1", {"a": "passed"})
    second = desk.exit("L1")
    assert [command.spec.suite for command in second if isinstance(command, Spawn)] == ["api"]


@pytest.mark.parametrize("kind", ["red", "not started", "collection"])
def test_needs__one_did_not_pass__then_what_needs_it_is_left_through_the_whole_chain(kind: str) -> None:
    base = {**SUITE, "name": "db", "broken": kind == "not started"}
    api = {**SUITE, "name": "api", "needs": ["db"], "only": ["b"]}
    desk = Desk(base, api, {**SUITE, "name": "ui", "needs": ["api"], "only": ["c", "d"]})
    commands = desk.driver.begin()
    if kind != "not started":
        desk.tell("L1", {"a": "failed" if kind == "red" else "passed"})
        desk.facts["L1"].errors = int(kind == "collection")
        commands = desk.exit("L1")
    line = finish_of(commands)
    assert launches_of(commands) == []
    assert (line["not_run"], line["not_run_count"]) == (["b", "c", "d"], 3)
    blocked = [each for each in lines_of(commands) if each["e"] == "suite.failed"]
    assert [(each["suite"], each["code"]) for each in blocked] == [
        ("api", "suite.blocked"),
        ("ui", "suite.blocked"),
    ]
    if kind != "not started":
        assert line["why"] == "needs db"


def test_needs__one_that_is_no_part_of_the_run__then_it_asks_for_nothing() -> None:
    desk = Desk({**SUITE, "name": "db"}, {**SUITE, "name": "api", "needs": ["db", "elsewhere"]})
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"})
    assert launches_of(desk.exit("L1")) == ["L2"]


def test_needs__daemon_restarted_after_the_needed_one_was_red__then_it_is_remembered() -> None:
    suites = ({**SUITE, "name": "db"}, SUITE, {**SUITE, "name": "api", "needs": ["db"], "only": ["z"]})
    desk = Desk(*suites)
    desk.driver.begin()
    desk.tell("L1", {"a": "failed"})
    assert launches_of(desk.exit("L1")) == ["L2"]
    again = Desk(*suites)
    again.facts = desk.facts
    again.driver.restore(desk.driver.snapshot(), {})
    again.tell("L2", {"b": "passed"})
    assert finish_of(again.exit("L2"))["not_run"] == ["z"]


def aside(facts: Facts, *names: str) -> None:
    facts.aside = dict.fromkeys(names, "*")


class Again(FakeAdapter):
    """Notes what it was asked for once more."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str] | None, dict[str, int]]] = []

    def again(
        self, suite: dict[str, Any], context: Context, number: int, asked: Pass, attempts: dict[str, int]
    ) -> LaunchSpec:
        self.asked.append((asked.reason, asked.only, attempts))
        return self._spec(suite, context, number, {}, asked.reason)


def test_isolate__two_put_aside__then_a_launch_for_each_and_then_the_end() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"})
    aside(desk.facts["L1"], "b", "c")
    assert launches_of(desk.exit("L1")) == ["L2"]
    desk.tell("L2", {"b": "failed"})
    assert launches_of(desk.exit("L2")) == ["L3"]
    desk.tell("L3", {"c": "passed"})
    assert finish_of(desk.exit("L3"))["verdicts"] == {"failed": 1, "passed": 2}
    assert [asked[:2] for asked in desk.again.asked] == [("isolated: b", ["b"]), ("isolated: c", ["c"])]


def test_isolate__its_own_process_does_not_run_it__then_it_is_not_run_and_never_forgotten() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"})
    aside(desk.facts["L1"], "b")
    desk.exit("L1")
    desk.tell("L2", {})
    line = finish_of(desk.exit("L2"))
    assert (line["not_run"], line["why"]) == (["b"], "its own process did not run it")


def test_isolate__daemon_died_before_the_supervisor_heard_of_it__then_the_same_launch_again() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"})
    aside(desk.facts["L1"], "b", "c")
    desk.exit("L1")
    desk.tell("L2", {"b": "passed"})
    desk.exit("L2")
    other = Desk()
    other.facts = desk.facts
    assert launches_of(other.driver.restore(desk.driver.snapshot(), {})) == ["L3"]
    assert other.again.asked == [("isolated: c", ["c"], {})]
    desk.tell("L3", {"c": "passed"})
    assert finish_of(other.exit("L3"))["verdicts"] == {"passed": 3}


def test_isolate__stopped_while_one_is_alone__then_exactly_what_waits_is_not_run() -> None:
    desk = Desk({**SUITE, "only": ["a", "b", "c", "d"]})
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"})
    aside(desk.facts["L1"], "b", "c", "d")
    desk.exit("L1")
    desk.driver.stop("cancelled")
    desk.facts["L2"] = Facts(any_line=True)
    assert finish_of(desk.exit("L2"))["not_run"] == ["b", "c", "d"]


def test_snapshot__hundreds_of_launches__then_it_does_not_grow_with_them() -> None:
    desk = Desk()
    desk.driver.begin()
    desk.tell("L1", {"a": "passed"})
    aside(desk.facts["L1"], *(f"b{number}" for number in range(300)))
    desk.exit("L1")
    size = len(str(desk.driver.snapshot()))
    for number in range(2, 202):
        desk.tell(f"L{number}", {f"b{number - 2}": "passed"})
        desk.exit(f"L{number}")
    assert len(str(desk.driver.snapshot())) < size + 20
