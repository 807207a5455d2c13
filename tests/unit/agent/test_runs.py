"""Whole launches through bridge, daemon, supervisor and warden, each in a state directory of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents.driving import Box, Link, box, fake_agent
from tests.support.until import until
from tracekit.agent import killing, live
from tracekit.agent.paths import Places
from tracekit.agent.system import System

HARD_TREE = (
    "trap '' TERM INT HUP; (setsid sleep 6001 &) ; sleep 6002 & "
    "setsid sh -c 'trap \"\" TERM; setsid sleep 6003 & sleep 6004' & while :; do sleep 6005; done"
)
NAMELESS = "exec env -i sh -c 'trap \"\" TERM; while :; do sleep 6006; done'"


@pytest.fixture
def a_box(tmp_path: Path) -> Iterator[Box]:
    with box(tmp_path) as made:
        yield made


def launch(a_box: Box, link: Link, options: dict[str, Any] | None = None, **changes: Any) -> str:
    message = a_box.start_message(options, **changes)
    run = str(message["plan"]["run"])
    link.client.start(message)
    link.client.attach(run)
    return run


def journal_holds(a_box: Box, run: str, text: str) -> Callable[[], bool]:
    path = a_box.state / "runs" / run / "local" / "journal.ndjson"
    return lambda: path.exists() and text in path.read_text()


def under_way(a_box: Box, link: Link, run: str, text: str = "attempt.started") -> None:
    holds = journal_holds(a_box, run, text)

    def fact() -> bool:
        link.pump(0.01)
        return holds() and bool(a_box.role_pids()["warden"])

    until(fact)


def ends(a_box: Box, run: str) -> dict[str, str]:
    return {line["scenario"]: line["verdict"] for line in a_box.journal(run) if line["e"] == "attempt.ended"}


def ended(a_box: Box, run: str) -> dict[str, Any]:
    return next(line for line in a_box.journal(run) if line["e"] == "run.ended")


def test_agent__run_from_start_to_end__then_journal_tells_it_without_gaps(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 5, "output": ["hello\n"], "stdout": "collected"})
    told = link.end_of(run)
    lines = a_box.journal(run)
    assert (told["reason"], told["verdicts"], told["incomplete"]) == ("finished", {"passed": 5}, False)
    assert [lines[0]["e"], lines[1]["e"]] == ["run.started", "box.facts"]
    assert [lines[-2]["e"], lines[-1]["e"]] == ["run.ended", "ingested"]
    assert ended(a_box, run)["recording"] == "complete"
    numbers: dict[str, list[int]] = {}
    for line in lines:
        numbers.setdefault(line["src"], []).append(line["n"])
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    spans = {line.get("scenario"): line for line in lines if line["e"] == "output"}
    data = a_box.output(run)
    assert {data[span["offset"] :][: span["length"]] for name, span in spans.items() if name} == {b"hello\n"}
    assert data[spans[None]["offset"] :][: spans[None]["length"]] == b"collected\n"


def test_agent__after_the_end__then_no_spool_and_no_process_but_the_daemon(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"children": [HARD_TREE, NAMELESS]})
    link.end_of(run)
    place = a_box.state / "runs" / run / "local"
    assert sorted(path.name for path in place.iterdir()) == ["journal.ndjson", "output.bin", "run.json"]
    assert a_box.survivors() == set()
    until(lambda: a_box.role_pids() == {"daemon": [a_box.daemon_pid()], "superv": [], "warden": []})
    until(lambda: not list(a_box.state.glob("agent/*/live/*")))


def test_daemon__nothing_to_do__then_it_leaves_by_itself(tmp_path: Path) -> None:
    with box(tmp_path, idle=0.2) as a_box:
        link = a_box.link()
        pid = link.hello()["pid"]
        link.close()
        until(lambda: not Path(f"/proc/{pid}").exists())
        assert a_box.notes() == []
        assert a_box.link().hello()["pid"] != pid


def test_daemon__disk_stays_full_after_the_end__then_it_leaves_and_the_next_one_records_the_rest(
    tmp_path: Path,
) -> None:
    extra = "from tests.support.agents.faulty import failing; system = failing(26, lasting=True)"
    with box(tmp_path, fake_agent(extra), idle=0.2) as a_box:
        link = a_box.link()
        pid = link.hello()["pid"]
        run = launch(a_box, link, {"tests": 40, "sleep": 0.02})
        told = link.end_of(run)
        assert (told["verdicts"], told["incomplete"]) == ({"passed": 40}, True)
        link.close()
        until(lambda: not Path(f"/proc/{pid}").exists())
        a_box.command = fake_agent()
        a_box.link("c2").hello()
        until(journal_holds(a_box, run, "run.ended"))
        assert ends(a_box, run) == {f"fake:t.py::test_{index}": "passed" for index in range(40)}


def test_daemon__many_bridges_at_once__then_there_is_one(a_box: Box) -> None:
    links = [a_box.link(f"c{index}") for index in range(5)]
    assert len({link.hello()["pid"] for link in links}) == 1


def test_start__same_run_again__then_nothing_happens_and_another_plan_is_refused(a_box: Box) -> None:
    link = a_box.link()
    message = a_box.start_message({"hang_at": "fake:t.py::test_1"})
    run = message["plan"]["run"]
    link.client.start(message)
    link.client.start(message)
    link.client.start({**message, "plan_hash": "other"})
    again = link.until(lambda event: event["type"] == "started" and event["again"])
    refused = link.until(lambda event: event["type"] == "error")
    assert (again["run"], refused["problems"][0]["code"]) == (run, "agent.other_plan")
    link.client.attach(run)
    link.client.cancel(run)
    link.end_of(run)
    assert [line["e"] for line in a_box.journal(run)].count("run.started") == 1


@pytest.mark.parametrize("ending", ["", ".zst"])
def test_start__run_that_is_over__then_it_is_not_run_again(a_box: Box, ending: str) -> None:
    link = a_box.link()
    message = a_box.start_message()
    link.client.start(message)
    link.client.attach(message["plan"]["run"])
    link.end_of(message["plan"]["run"])

    def closed() -> bool:
        link.client.runs()
        link.pump()
        told = [event for event in link.events if event["type"] == "runs"]
        return bool(told) and told[-1]["runs"] == []

    until(closed)
    # Its console may have packed it since.
    journal = a_box.state / "runs" / message["plan"]["run"] / "local" / "journal.ndjson"
    journal.rename(f"{journal}{ending}")
    link.client.start(message)
    refused = link.until(lambda event: event["type"] == "error")
    assert refused["problems"][0]["code"] == "agent.run_over"


def test_attach__right_after_the_end__then_the_last_lengths_are_told(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 2})
    told = link.end_of(run)
    until(lambda: not list(a_box.state.glob("agent/*/live/*")))
    again = a_box.link("c2")
    again.client.attach(run, mode="copy")
    assert again.end_of(run) == told
    assert [event for event in again.events if event["type"] == "error"] == []


def test_start__a_fault_of_our_own__then_a_problem_names_the_log_and_nothing_is_left(a_box: Box) -> None:
    link = a_box.link()
    message = a_box.start_message()
    suite = message["plan"]["suites"][0]
    del suite["cwd"]
    run = message["plan"]["run"]
    link.client.start(message)
    (problem,) = link.until(lambda event: event["type"] == "error")["problems"]
    assert problem["code"] == "agent.internal"
    assert "KeyError" in Path(problem["where"]).read_text()
    assert problem["where"] in problem["action"]
    assert not (a_box.state / "runs" / run / "local").exists()
    assert not list(a_box.state.glob("agent/*/live/*"))
    suite["cwd"] = str(a_box.root)
    link.client.start(message)
    link.client.attach(run)
    assert link.end_of(run)["verdicts"] == {"passed": 3}


@pytest.mark.parametrize(
    "change",
    [
        {"dir": "relative"},
        {"box": "../up"},
        {"nonce": ""},
        {"environ": {"A": 1}},
        {"plan": {"run": "../../etc"}},
    ],
    ids=["dir", "box", "nonce", "environ", "run"],
)
def test_start__hostile_message__then_it_is_refused_with_a_problem(
    a_box: Box, change: dict[str, Any]
) -> None:
    link = a_box.link()
    link.client.start(a_box.start_message(**change))
    refused = link.until(lambda event: event["type"] == "error")
    assert refused["problems"][0]["code"] == "agent.start_refused"


def test_launch__directory_is_missing__then_runner_failed_to_start_with_a_remedy(a_box: Box) -> None:
    link = a_box.link()
    message = a_box.start_message()
    message["plan"]["suites"][0]["cwd"] = str(a_box.root / "nowhere")
    run = message["plan"]["run"]
    link.client.start(message)
    link.client.attach(run)
    assert link.end_of(run)["reason"] == "failed-to-start"
    fault = next(line for line in a_box.journal(run) if line["e"] == "runner.failed_to_start")
    assert fault["code"] == "launch.no_directory"
    assert "nowhere" in fault["stderr"]
    assert fault["remedy"]


def test_launch__second_suite__then_it_follows_the_first_whatever_became_of_it(a_box: Box) -> None:
    link = a_box.link()
    message = a_box.start_message()
    suite = message["plan"]["suites"][0]
    message["plan"]["suites"] = [
        {**suite, "name": "broken", "broken": True},
        {**suite, "name": "gone", "python": "/nowhere/python"},
        {**suite, "name": "good", "options": {"tests": 2}},
    ]
    run = message["plan"]["run"]
    link.client.start(message)
    link.client.attach(run)
    told = link.end_of(run)
    codes = [line["code"] for line in a_box.journal(run) if line["e"] == "runner.failed_to_start"]
    assert codes == ["fake.broken", "launch.cannot_start"]
    assert (told["reason"], told["verdicts"]) == ("finished", {"passed": 2})


def test_crash__test_process_dies__then_only_that_test_and_the_rest_resumes(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 6, "crash_at": "fake:t.py::test_2"})
    link.end_of(run)
    found = ends(a_box, run)
    assert {name for name, verdict in found.items() if verdict == "crashed"} == {"fake:t.py::test_2"}
    assert list(found.values()).count("passed") == 5
    crash = next(line for line in a_box.journal(run) if line.get("verdict") == "crashed")
    assert crash["signal"] == 11
    assert crash["d"] > 0


def test_cancel__tree_that_ignores_term_and_left_its_session__then_nothing_is_alive(a_box: Box) -> None:
    link = a_box.link()
    options = {"tests": 4, "hang_at": "fake:t.py::test_1", "children": [HARD_TREE, NAMELESS]}
    run = launch(a_box, link, options)
    under_way(a_box, link, run, '"scenario":"fake:t.py::test_1","attempt"')
    started = a_box.survivors()
    link.client.cancel(run)
    told = link.end_of(run)
    assert (told["reason"], a_box.survivors()) == ("cancelled", set())
    assert all(not Path(f"/proc/{pid}").exists() or _zombie(pid) for pid in started)
    assert ends(a_box, run)["fake:t.py::test_1"] == "cancelled"
    assert ended(a_box, run)["not_run"] == ["fake:t.py::test_2", "fake:t.py::test_3"]


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def test_cancel__by_another_console__then_its_request_is_journalled(a_box: Box) -> None:
    link = a_box.link("mine")
    run = launch(a_box, link, {"hang_at": "fake:t.py::test_0"})
    under_way(a_box, link, run)
    other = a_box.link("theirs")
    other.client.cancel(run)
    other.pump()
    link.end_of(run)
    asked = [line for line in a_box.journal(run) if line["e"] == "request"]
    assert [(line["what"], line["console"]) for line in asked] == [("cancel", "theirs")]


def test_cancel__one_scenario__then_it_is_cancelled_and_the_rest_goes_on(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 4, "hang_at": "fake:t.py::test_1"})
    under_way(a_box, link, run, '"scenario":"fake:t.py::test_1","attempt"')
    link.client.cancel(run, "fake:t.py::test_1")
    told = link.end_of(run)
    assert (told["reason"], told["verdicts"]) == ("finished", {"cancelled": 1, "passed": 3})


def test_cancel__scenario_that_does_not_run__then_a_problem_says_so(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 4, "hang_at": "fake:t.py::test_1"})
    under_way(a_box, link, run)
    link.client.cancel(run, "fake:t.py::test_3")
    assert link.until(lambda event: event["type"] == "error")["problems"][0]["code"] == "agent.not_running"


def test_timeout__attempt_over_its_limit__then_timedout_and_the_rest_goes_on(a_box: Box) -> None:
    link = a_box.link()
    message = a_box.start_message({"tests": 3, "hang_at": "fake:t.py::test_1"})
    message["plan"]["suites"][0].update(timeout=0.5, stall=0.2)
    run = message["plan"]["run"]
    link.client.start(message)
    link.client.attach(run)
    assert link.end_of(run)["verdicts"] == {"passed": 2, "timedout": 1}
    stalled = [line for line in a_box.journal(run) if line["e"] == "attempt.stalled"]
    assert {line["scenario"] for line in stalled} == {"fake:t.py::test_1"}
    assert [line["limit"] for line in stalled] == ["stall", "timeout"], (
        "named first, and once more before its end"
    )


def test_detach__console_goes__then_the_run_ends_and_a_later_one_reads_it(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 30, "sleep": 0.02})
    under_way(a_box, link, run)
    link.process.kill()
    until(journal_holds(a_box, run, "run.ended"))
    assert ended(a_box, run)["verdicts"] == {"passed": 30}


def test_lease__nobody_watches_longer_than_it__then_the_run_is_ended(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"hang_at": "fake:t.py::test_1"}, plan={"run_lease": 0.3})
    under_way(a_box, link, run)
    link.close()
    until(journal_holds(a_box, run, "run.ended"))
    assert ended(a_box, run)["reason"] == "lease"
    assert a_box.survivors() == set()


@pytest.mark.parametrize("victims", [("daemon",), ("warden",), ("daemon", "warden")], ids="+".join)
def test_death__supervisor_lives__then_the_run_goes_on_and_nothing_is_lost(
    a_box: Box, tmp_path: Path, victims: tuple[str, ...]
) -> None:
    count = tmp_path / "count"
    link = a_box.link()
    run = launch(a_box, link, {"tests": 80, "sleep": 0.01, "output": ["line\n"], "count_file": str(count)})
    under_way(a_box, link, run, '"e":"attempt.ended"')
    _kill(a_box, victims)
    until(journal_holds(a_box, run, "run.ended"))
    lines = a_box.journal(run)
    told = [line["scenario"] for line in lines if line["e"] == "attempt.ended"]
    assert told == count.read_text().splitlines()
    assert ended(a_box, run)["reason"] == "finished"
    spans = [line for line in lines if line["e"] == "output" and "scenario" in line]
    data = a_box.output(run)
    assert b"".join(data[span["offset"] :][: span["length"]] for span in spans) == b"line\n" * 80
    assert len(data) == 5 * 80


@pytest.mark.parametrize(
    "victims",
    [("superv",), ("daemon", "superv"), ("superv", "warden"), ("daemon", "superv", "warden")],
    ids="+".join,
)
def test_death__supervisor_too__then_everything_is_killed_and_the_run_ended_with_the_reason(
    a_box: Box, tmp_path: Path, victims: tuple[str, ...]
) -> None:
    count = tmp_path / "count"
    link = a_box.link()
    options = {"tests": 900, "sleep": 0.01, "count_file": str(count), "children": [HARD_TREE, NAMELESS]}
    run = launch(a_box, link, options)
    under_way(a_box, link, run, '"e":"attempt.ended"')
    _kill(a_box, victims)
    if len(victims) == 3:
        a_box.link().hello()
    until(journal_holds(a_box, run, "run.ended"))
    assert a_box.survivors() == set()
    found = ends(a_box, run)
    assert {name for name, verdict in found.items() if verdict == "passed"} >= set(count.read_text().split())
    assert sorted(set(found.values())) in (["cancelled", "passed"], ["passed"])
    reason = "agent-died" if len(victims) == 3 else "supervisor-died"
    assert ended(a_box, run)["reason"] == reason
    until(lambda: not a_box.role_pids()["superv"] and not a_box.role_pids()["warden"])


def test_death__of_the_supervisor_only__then_an_orphan_without_an_environment_dies_too(
    a_box: Box, tmp_path: Path
) -> None:
    noted = tmp_path / "pid"
    orphan = f"(setsid env -i /bin/sh -c 'echo $$ > {noted}.new; mv {noted}.new {noted}; exec sleep 300' &)"
    link = a_box.link()
    run = launch(a_box, link, {"hang_at": "fake:t.py::test_1", "children": [orphan]})
    under_way(a_box, link, run)
    until(noted.exists)
    pid = int(noted.read_text())
    assert not _zombie(pid)
    _kill(a_box, ("superv",))
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert link.end_of(run)["reason"] == "supervisor-died"


def test_recover__supervisor_died_while_it_took_the_connection__then_its_run_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    swept: list[str] = []
    monkeypatch.setattr(live, "connect", lambda _: ours)
    monkeypatch.setattr(killing, "sweep", lambda _, token: swept.append(token))
    entry = {"run": "r", "dir": str(tmp_path / "r"), "nonce": "token", "control": "c"}
    run = live.LiveRun(System(), Places(str(tmp_path)), entry, "", "")
    run.reconnect()
    run.tick()
    assert swept == ["token"]


def _kill(a_box: Box, victims: tuple[str, ...]) -> None:
    found = a_box.role_pids()
    # Stopped first, so that none of them sees another's death.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for role in victims:
            for pid in found[role]:
                os.kill(pid, number)


def test_death__of_all_with_secrets__then_spools_wait_until_a_console_brings_them(a_box: Box) -> None:
    link = a_box.link()
    secrets = {"DB_PASSWORD": "correct-horse"}
    run = launch(
        a_box, link, {"output": ["pw correct-horse\n"], "hang_at": "fake:t.py::test_1"}, secrets=secrets
    )
    under_way(a_box, link, run)
    _kill(a_box, ("daemon", "superv", "warden"))
    again = a_box.link("c2")
    again.hello()

    def fact() -> bool:
        again.client.runs()
        again.pump()
        told = [event for event in again.events if event["type"] == "runs"]
        return bool(told) and any(
            found["run"] == run and found["state"] == "waiting" for found in told[-1]["runs"]
        )

    until(fact)
    assert a_box.survivors() == set()
    again.client.attach(run, secrets=secrets)
    assert again.end_of(run)["reason"] == "agent-died"
    assert b"correct-horse" not in a_box.output(run)
    assert b"redacted:DB_PASSWORD" in a_box.output(run)


def test_reboot__run_was_live__then_the_next_daemon_ends_it(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 3, "hang_at": "fake:t.py::test_1"})
    under_way(a_box, link, run)
    _kill(a_box, ("daemon", "superv", "warden"))
    (base,) = (a_box.state / "agent").iterdir()
    base.rename(base.with_name(base.name[:-8] + "00000000"))
    a_box.link("c2").hello()
    until(journal_holds(a_box, run, "run.ended"))
    assert ended(a_box, run)["reason"] == "rebooted"
    assert a_box.survivors() == set()


def test_secrets__printed_over_two_writes_and_kept_over_a_daemon_death__then_never_in_a_replicated_file(
    a_box: Box,
) -> None:
    link = a_box.link()
    secrets = {"TOKEN": "tr0ub4dor&3", "OTHER": "4444-5555"}
    options = {
        "tests": 40,
        "sleep": 0.02,
        "output": ["x tr0ub", "4dor&3 y\n", "4444-5555\n"],
        "stdout": "tr0ub4dor&3",
    }
    run = launch(a_box, link, options, secrets=secrets)
    under_way(a_box, link, run, "test_5")
    _kill(a_box, ("daemon",))
    place = a_box.state / "runs" / run
    until(lambda: journal_holds(a_box, run, "run.ended")() and not (place / "local" / "spool").exists())
    held = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    assert b"tr0ub4dor" not in held
    assert b"4444-5555" not in held
    assert a_box.output(run).count("«redacted:TOKEN»".encode()) == 41


def test_bridge__state_directory_cannot_be_written__then_a_problem_behind_the_marker(tmp_path: Path) -> None:
    blocked = tmp_path / "state"
    blocked.write_text("a file where the directory should be")
    a_box = Box(tmp_path)
    link = a_box.link()
    fault = link.until(lambda event: event["type"] == "error")
    assert fault["problems"][0]["code"] == "agent.state_unwritable"
    assert link.process.wait(10) == 1
    a_box.close()


def test_state_directory__path_longer_than_a_socket_may_be__then_it_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with box(deep) as a_box:
        link = a_box.link()
        run = launch(a_box, link)
        assert link.end_of(run)["verdicts"] == {"passed": 3}
        assert len(str(a_box.notes()[0]["socket"])) <= 100


def test_discover__plan_says_so__then_scenarios_are_found_and_nothing_is_run(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"tests": 3}, plan={"mode": "discover"})
    told = link.end_of(run)
    kinds = [line["e"] for line in a_box.journal(run)]
    assert (kinds.count("scenario.found"), kinds.count("attempt.started"), told["verdicts"]) == (3, 0, {})


def test_copy__reader_with_a_part_and_one_with_a_false_part__then_both_hold_the_same(a_box: Box) -> None:
    link = a_box.link()
    message = a_box.start_message({"tests": 50, "output": ["some output\n"], "hang_at": "fake:t.py::test_49"})
    run = message["plan"]["run"]
    link.client.start(message)
    under_way(a_box, link, run, '"scenario":"fake:t.py::test_49","attempt"')
    link.client.attach(run, mode="copy", files={"output.bin": {"length": 12, "tail": "0" * 32}})
    link.client.cancel(run)
    link.end_of(run)
    copies: dict[str, bytes] = {}
    for event in link.events:
        if event["type"] == "data":
            assert event["offset"] == len(copies.get(event["name"], b""))
            copies[event["name"]] = copies.get(event["name"], b"") + b"".join(event["pieces"])
    replaced = {event["name"]: event["replaced"] for event in link.events if event["type"] == "file"}
    place = a_box.state / "runs" / run / "local"
    names = ("run.json", "journal.ndjson", "output.bin")
    assert copies == {name: (place / name).read_bytes() for name in names}
    assert replaced == dict.fromkeys(names, True)  # a copy that differs in one is another run's


def test_daemon__live_run_that_is_silent__then_it_hardly_uses_the_processor(a_box: Box) -> None:
    link = a_box.link()
    run = launch(a_box, link, {"hang_at": "fake:t.py::test_0"})
    under_way(a_box, link, run)
    pid = a_box.daemon_pid()
    link.close()

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def wakes() -> int:
        text = Path(f"/proc/{pid}/status").read_text()
        return int(text.split("voluntary_ctxt_switches:")[1].split()[0])

    before, woken = ticks(), wakes()
    until(lambda: wakes() > woken + 50)
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 50 * 0.004


def test_zip__run_twice__then_versions_agree_and_the_second_finds_its_files(tmp_path: Path) -> None:
    from tracekit.agent import zipapp

    built = zipapp.build(zipapp.collect())
    archive = tmp_path / "agent.pyz"
    archive.write_bytes(built.data)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(archive), "version"],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert built.hash in done.stdout
    assert (tmp_path / "cache" / "tracekit" / "agent" / built.hash / "probe" / "_tkprobe").is_dir()
