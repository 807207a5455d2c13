"""Recovery: what waited in spools is taken over redacted, what was not committed is cut, what has no end gets one."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tracekit.agent.ingest import Ingest
from tracekit.agent.paths import Places as AgentPlaces
from tracekit.agent.recording import Batch, Recording
from tracekit.agent.redact import Redactor
from tracekit.agent.system import RESERVE, Clock, Files, System
from tracekit.engine.history import History
from tracekit.engine.recovering import recover_at
from tracekit.model.status import Status
from tracekit.store.runs import RunFolder, RunStore
from tracekit.store.verify import verify
from tracekit.wire import lines
from tracekit.wire.problems import ProblemError

RUN = "01M7YGETZKM89S7E5TNP41GRM2"
A, B, C = (f"pytest:t.py::{name}" for name in "abc")
SECRET = "correct-horse-battery"
# Of this process alone: a live process of one test must not keep the run of another worker alive.
NONCE = f"{os.getpid():08x}0a3c9d1e4f7788990a1b2c3d"


class Still(Clock):
    """The dead daemon's clock stood still."""

    def mono(self) -> int:
        return 0


class Dying:
    """A run whose daemon committed so much, whose processes wrote more, and then everything died."""

    def __init__(self, store: RunStore, secrets: dict[str, str] | None = None) -> None:
        self.folder = store.create(RUN, {"run": RUN, "root": "/srv/app", "nonce": NONCE, "plan": {}})
        self.place = self.folder.path / "local"
        self.spool = self.place / "spool"
        self.spool.mkdir(parents=True)
        plan = {"run": RUN, "root": "/srv/app", "environment": "local", "mode": "run", "suites": []}
        kept = {
            "plan": plan,
            "nonce": NONCE,
            "plan_hash": "aa",
            "console": "c",
            "secrets": sorted(secrets or {}),
        }
        (self.place / "run.json").write_text(json.dumps(kept))
        self._redactor = Redactor(secrets or {})
        self._n = 0

    def wrote(self, event: str, **fields: Any) -> None:
        """A test process appends a line."""
        self._n += 1
        line = {"n": self._n, "t": 10**18 + self._n, "m": self._n * 1000, "e": event, **fields}
        with (self.spool / "main-7-8.ndjson").open("ab") as file:
            file.write(lines.encode(line))

    def printed(self, scenario: str, text: bytes) -> None:
        cap = self.spool / "main-7-8.cap"
        place = cap.stat().st_size if cap.exists() else 0
        with cap.open("ab") as file:
            file.write(text)
        self.wrote("output", stream="stdout", scenario=scenario, attempt=1, cap=place, length=len(text))

    def committed(self, *own: dict[str, Any]) -> None:
        """The daemon takes over what there is, and dies behind it."""
        system = System(clock=Still())
        recording = Recording(system, str(self.place), RUN, "local/daemon/5-6", self._redactor)
        restored = recording.open()
        ingest = Ingest(System(), str(self.spool), RUN, "local", self._redactor)
        ingest.restore(restored)
        batch = Batch(own=list(own))
        ingest.collect(batch, recording.next_output, "L1")
        batch.note["driver"] = {"launch": "L1"}
        assert recording.commit(batch)
        recording.close()

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.place / "journal.ndjson").read_bytes().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.told() if line["e"] == event]


STARTED = {"e": "run.started", "root": "/srv/app", "environment": "local", "mode": "run", "suites": []}


def begun(store: RunStore, secrets: dict[str, str] | None = None) -> Dying:
    dying = Dying(store, secrets)
    for scenario in (A, B, C):
        dying.wrote("scenario.found", scenario=scenario, path=["t.py", scenario[-1]], file="t.py", line=1)
    dying.wrote("attempt.started", scenario=A, attempt=1, launch="L1")
    dying.committed(STARTED)
    dying.wrote("attempt.ended", scenario=A, attempt=1, verdict="passed", d=1)
    dying.wrote("attempt.started", scenario=B, attempt=1, launch="L1")
    return dying


def recovered(store: RunStore, dying: Dying, **options: Any) -> dict[str, Any]:
    return asdict(recover_at(store, str(dying.folder.path), options.pop("environ", {}), **options)[1])


def test_recover__spool_that_nobody_read__then_taken_over_and_closed(store: RunStore) -> None:
    dying = begun(store)
    dying.printed(B, b"the last words\n")
    done = recovered(store, dying)
    assert (done["ended"], done["not_run"], done["verdicts"]) == (1, 1, {"cancelled": 1, "passed": 1})
    assert done["output_bytes"] == 15
    assert verify(dying.folder).problems == []
    assert not dying.spool.exists()
    (end,) = [line for line in dying.of("attempt.ended") if line["scenario"] == B]
    assert (end["verdict"], end["reason"], end["d"]) == ("cancelled", "everything that ran it died", 1000)
    (over,) = dying.of("run.ended")
    assert (over["not_run"], over["recording"], over["recovered"]) == ([C], "complete", True)
    view = History(store).open(dying.folder)
    assert view.output(view.state.attempts(view.state.index[B])[0].outputs) == b"the last words\n"


def test_recover__twice__then_the_second_finds_it_whole(store: RunStore) -> None:
    dying = begun(store)
    recovered(store, dying)
    before = (dying.place / "journal.ndjson").read_bytes()
    again = recovered(store, dying)
    assert (again["whole"], again["verdicts"]) == (True, {"cancelled": 1, "passed": 1})
    assert (dying.place / "journal.ndjson").read_bytes() == before


@pytest.mark.parametrize("torn", [b'{"v":1,"src":"local/ma', b'{"v":1,"n":9,"e":"log"}\n', b"\0\xff\n" * 9])
def test_recover__written_and_never_committed__then_cut_and_read_again(store: RunStore, torn: bytes) -> None:
    dying = begun(store)
    with (dying.place / "journal.ndjson").open("ab") as file:
        file.write(torn)
    with (dying.place / "output.bin").open("ab") as file:
        file.write(b"half")
    assert recovered(store, dying)["cut_bytes"] == len(torn) + 4
    assert verify(dying.folder).problems == []


def test_recover__last_line_of_a_spool_is_torn__then_a_gap_says_so(store: RunStore) -> None:
    dying = begun(store)
    with (dying.spool / "main-7-8.ndjson").open("ab") as file:
        file.write(b'{"n":99,"e":"attempt.en')
    recovered(store, dying)
    assert [(line["what"], line["count"] > 0) for line in dying.of("gap")] == [("torn line", True)]
    assert verify(dying.folder).problems == []


def test_recover__launch_is_known_to_have_ended__then_its_test_is_crashed_with_the_signal(
    store: RunStore,
) -> None:
    dying = begun(store)
    (dying.spool / "reserve").write_bytes(b"set aside")
    ended = {
        "n": 1,
        "t": 1,
        "m": 9,
        "e": "phase.ended",
        "phase": "launch",
        "id": "L1",
        "exit": None,
        "signal": 9,
    }
    (dying.spool / "supervisor-3-4.ndjson").write_bytes(lines.encode(ended))
    recovered(store, dying)
    (end,) = [line for line in dying.of("attempt.ended") if line["scenario"] == B]
    assert (end["verdict"], end["cause"], end["signal"]) == ("crashed", "crash", 9)
    assert verify(dying.folder).problems == []


def test_recover__process_died_on_a_full_disk__then_nobody_is_named_and_the_death_is_told(
    store: RunStore,
) -> None:
    # What was set aside is gone: its last lines may have found no room.
    dying = begun(store)
    ended = {
        "n": 1,
        "t": 1,
        "m": 9,
        "e": "phase.ended",
        "phase": "launch",
        "id": "L1",
        "exit": None,
        "signal": 9,
    }
    (dying.spool / "supervisor-3-4.ndjson").write_bytes(lines.encode(ended))
    recovered(store, dying)
    assert [line for line in dying.of("attempt.ended") if line["scenario"] == B] == []
    (told,) = dying.of("runner.failed_to_start")
    assert (told["code"], told["signal"]) == ("disk.full", 9)
    assert "killed by SIGKILL" in told["why"]
    assert dying.of("run.ended")[-1]["recording"] == "incomplete"


def test_recover__died_before_the_first_commit__then_it_begins_and_ends(store: RunStore) -> None:
    dying = Dying(store)
    dying.wrote("attempt.started", scenario=A, attempt=1, launch="L1")
    recovered(store, dying)
    assert [line["root"] for line in dying.of("run.started")] == ["/srv/app"]
    assert verify(dying.folder).problems == []


def test_recover__subtest_and_second_attempt_run__then_each_gets_its_end(store: RunStore) -> None:
    dying = begun(store)
    dying.wrote("attempt.started", scenario=f"{B} ▸ part", attempt=1, launch="L1", parent=B)
    dying.wrote("attempt.started", scenario=A, attempt=2, launch="L1")
    done = recovered(store, dying)
    assert (done["ended"], done["verdicts"]) == (3, {"cancelled": 2})
    assert {line["scenario"]: line.get("parent") for line in dying.of("attempt.ended")}[f"{B} ▸ part"] == B
    assert verify(dying.folder).problems == []


def test_recover__secret_is_set__then_redacted_as_the_daemon_would(store: RunStore) -> None:
    dying = begun(store, {"API_TOKEN": SECRET})
    dying.printed(B, f"it is {SECRET[:7]}".encode())
    dying.printed(B, f"{SECRET[7:]}, psst".encode())
    dying.wrote("warning", message=f"said {SECRET}")
    recovered(store, dying, environ={"API_TOKEN": SECRET})
    for file in (dying.place / "journal.ndjson", dying.place / "output.bin"):
        assert SECRET.encode() not in file.read_bytes()
    assert "«redacted:API_TOKEN», psst".encode() in (dying.place / "output.bin").read_bytes()
    assert verify(dying.folder).problems == []


def test_recover__secret_is_not_known_any_more__then_refused_or_left_out_and_counted(store: RunStore) -> None:
    dying = begun(store, {"API_TOKEN": SECRET})
    dying.printed(B, SECRET.encode())
    before = {path: path.read_bytes() for path in dying.place.rglob("*") if path.is_file()}
    with pytest.raises(ProblemError) as caught:
        recovered(store, dying)
    assert "API_TOKEN" in caught.value.first.what
    assert "--no-secrets" in caught.value.first.action
    assert {path: path.read_bytes() for path in dying.place.rglob("*") if path.is_file()} == before
    done = recovered(store, dying, without_secrets=True)
    assert done["dropped_bytes"] > 0
    assert (done["verdicts"], done["not_run"]) == ({"cancelled": 1}, 2)
    assert [line["count"] for line in dying.of("gap")] == [done["dropped_bytes"]]
    assert dying.of("run.ended")[0]["recording"] == "incomplete"
    assert not any(SECRET.encode() in path.read_bytes() for path in dying.place.rglob("*") if path.is_file())
    assert verify(dying.folder).problems == []


def test_recover__spool_is_lost__then_closed_by_what_the_journal_says(store: RunStore) -> None:
    dying = begun(store)
    dying.committed()
    for file in dying.spool.iterdir():
        file.unlink()
    dying.spool.rmdir()
    assert recovered(store, dying)["verdicts"] == {"cancelled": 1, "passed": 1}
    assert verify(dying.folder).problems == []


def test_recover__nothing_was_ever_committed_and_no_spool__then_refused_as_it_is(store: RunStore) -> None:
    dying = Dying(store)
    dying.spool.rmdir()
    journal = dying.place / "journal.ndjson"
    journal.write_bytes(b'{"v":1,"n":1,"src":"x","e":"log"}\n')
    with pytest.raises(ProblemError) as caught:
        recovered(store, dying)
    assert caught.value.first.code == "recover.nothing"
    assert journal.read_bytes() == b'{"v":1,"n":1,"src":"x","e":"log"}\n'


def test_recover__a_process_of_it_lives__then_refused_and_nothing_written(store: RunStore) -> None:
    dying = begun(store)
    before = (dying.place / "journal.ndjson").read_bytes()
    code = "import sys; sys.stdout.write('up'); sys.stdout.flush(); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TRACEKIT_RUN_TOKEN": NONCE},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.read(2) == b"up"
        with pytest.raises(ProblemError) as caught:
            recovered(store, dying)
    finally:
        process.communicate()
    assert caught.value.first.code == "recover.live"
    assert (dying.place / "journal.ndjson").read_bytes() == before


def test_recover__the_agent_has_it__then_refused_until_the_agent_is_gone(store: RunStore) -> None:
    dying = begun(store)
    places = AgentPlaces(str(store.state))
    places.prepare()
    places.note_live(Files(), RUN, {"run": RUN})
    with open(places.lock, "w") as lock:  # noqa: PTH123 - the agent's own paths are text
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ProblemError) as caught:
            recovered(store, dying)
    assert caught.value.first.code == "recover.live"
    recovered(store, dying)
    assert places.live_runs() == []


def test_recover__copy_far_from_any_state__then_recovered_where_it_is(
    store: RunStore, tmp_path: Path
) -> None:
    dying = begun(store)
    far = tmp_path / "far" / "away" / "copied"
    far.parent.mkdir(parents=True)
    dying.folder.path.rename(far)
    folder, done = recover_at(store, str(far), {})
    assert (folder.path, done.run) == (far, RUN)
    assert verify(RunFolder(far, RUN)).problems == []
    assert [path.name for path in (tmp_path / "far").iterdir()] == ["away"]
    assert recover_at(store, str(far / "local"), {})[1].whole


@pytest.mark.parametrize("at", range(1, 7))
def test_recover__the_disk_is_full_at_some_write__then_a_problem_and_the_next_try_is_whole(
    store: RunStore, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = begun(store)
    dying.printed(B, b"the last words\n")
    calls = 0
    write_all = Files.write_all

    def failing(self: Files, descriptor: int, data: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls >= at:
            os.write(descriptor, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        write_all(self, descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write_all", failing)
        told = ""
        try:
            recovered(store, dying)
        except ProblemError as fault:
            told = fault.first.code
    assert told == ("recover.disk" if calls >= at else "")
    assert dying.spool.is_dir() == bool(told)
    recovered(store, dying)
    assert verify(dying.folder).problems == []
    assert dying.of("run.ended")[0]["verdicts"] == {"cancelled": 1, "passed": 1}
    assert (dying.place / "output.bin").read_bytes() == b"the last words\n"


def test_recover__no_run__then_said(store: RunStore, tmp_path: Path) -> None:
    with pytest.raises(ProblemError) as caught:
        recover_at(store, str(tmp_path), {})
    assert caught.value.first.code == "recover.not_a_run"
    with pytest.raises(ProblemError):
        recover_at(store, "missing", {})


@pytest.mark.parametrize("reserve", [True, False], ids=["room-was-left", "disk-was-full"])
def test_recover__process_ended_in_order__then_what_ran_crashed_unless_the_disk_took_no_more_lines(
    store: RunStore, reserve: bool
) -> None:
    dying = begun(store)
    if reserve:
        (dying.spool / RESERVE).write_bytes(b"")
    dying.wrote("phase.started", phase="launch", id="L1", suite="api", command=["pytest"])
    dying.wrote("phase.ended", phase="launch", id="L1", exit=1, signal=None)
    done = recovered(store, dying)
    (over,) = dying.of("run.ended")
    started = dying.of("runner.failed_to_start")
    if reserve:
        assert (done["verdicts"], over["recording"], started) == ({"crashed": 1, "passed": 1}, "complete", [])
        return
    assert (done["verdicts"], done["unknown"], over["not_run"]) == ({"passed": 1}, 1, [C])
    assert (over["recording"], over["why"]) == (
        "incomplete",
        "the disk was full: how they ended could not be written down",
    )
    assert [(line["code"], line["suite"], line["exit"]) for line in started] == [("disk.full", "api", 1)]
    view = History(store).open(dying.folder)
    assert view.state.status[view.state.index[B]] == Status.LOST
