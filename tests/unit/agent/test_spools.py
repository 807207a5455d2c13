"""Spools into the recording: what is prefixed, rewritten, refused, cut, and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracekit.agent.ingest import Ingest
from tracekit.agent.progress import Scan, scan
from tracekit.agent.recording import Batch, Recording
from tracekit.agent.redact import Redactor
from tracekit.agent.system import System
from tracekit.agent.watch import Watch

RUN = "01K00000000000000000000000"


class Place:
    """A run directory with one ingest and one recording."""

    def __init__(
        self, root: Path, secrets: dict[str, str] | None = None, source: str = "local/daemon/1-1"
    ) -> None:
        self.root = root
        self.spool = root / "spool"
        self.spool.mkdir(exist_ok=True)
        redactor = Redactor(secrets or {})
        self.recording = Recording(System(), str(root), RUN, source, redactor)
        restored = self.recording.open()
        self.ingest = Ingest(System(), str(self.spool), RUN, "local", redactor)
        self.ingest.restore(restored)

    def put(self, name: str, data: bytes) -> None:
        with (self.spool / name).open("ab") as file:
            file.write(data)

    def look(self) -> None:
        batch = Batch()
        self.ingest.collect(batch, self.recording.next_output, "L1")
        assert self.recording.commit(batch)

    def end(self) -> None:
        batch = Batch()
        self.ingest.finish(batch, self.recording.next_output, "L1")
        assert self.recording.commit(batch)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "journal.ndjson").read_bytes().splitlines()]

    def told(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["e"] != "ingested" or "daemon" not in line["src"]]


def line(number: int, event: str = "log", **fields: Any) -> bytes:
    body = {"n": number, "t": 1, "m": 2, "e": event, **fields}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def test_line__of_a_process__then_it_says_which_and_keeps_its_number(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("gw0-77-1234.ndjson", line(1, text="a") + line(2, text="b"))
    place.look()
    heads = [(found["v"], found["src"], found["run"], found["n"]) for found in place.told()]
    assert heads == [(1, "local/gw0/77-1234", RUN, 1), (1, "local/gw0/77-1234", RUN, 2)]


def test_line__not_whole_yet__then_it_waits_for_its_rest(tmp_path: Path) -> None:
    place = Place(tmp_path)
    whole = line(1, text="late")
    place.put("main-1-1.ndjson", whole[:10])
    place.look()
    assert place.told() == []
    place.put("main-1-1.ndjson", whole[10:])
    place.look()
    assert place.told()[0]["text"] == "late"


def test_line__that_is_no_object__then_left_out_and_counted(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.ndjson", b"garbage\n" + line(1) + b"[1]\n\n" + line(2))
    place.look()
    place.end()
    told = place.told()
    assert [found["n"] for found in told if found["src"] == "local/main/1-1"] == [1, 2]
    assert [(found["what"], found["count"]) for found in told if found["e"] == "gap"] == [("damaged line", 3)]


def test_line__its_process_died_while_writing__then_a_gap_counts_the_bytes(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.ndjson", line(1) + b'{"n":2,"t"')
    place.look()
    place.end()
    assert [(found["what"], found["count"]) for found in place.told() if found["e"] == "gap"] == [
        ("torn line", 10)
    ]


@pytest.mark.parametrize(
    "name",
    ["daemon-1-1.ndjson", "supervisor-9-9.ndjson", "../x-1-1.ndjson", "A-1-1.ndjson", "main.ndjson", "x.cap"],
)
def test_spool__name_that_no_process_of_a_run_has__then_never_read(tmp_path: Path, name: str) -> None:
    place = Place(tmp_path)
    place.put(name, line(1))
    place.look()
    assert place.told() == []


def test_line__forged_ingested_of_a_test__then_a_restart_does_not_believe_it(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.ndjson", line(1, "ingested", at={"main-1-1.ndjson": 9999}, out=77) + line(2))
    place.look()
    again = Place(tmp_path, source="local/daemon/2-2")
    assert again.recording.committed == place.recording.committed
    again.put("main-1-1.ndjson", line(3))
    again.look()
    assert [found["n"] for found in again.told()] == [1, 2, 3]


def test_output__captured__then_copied_and_its_line_tells_where(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.cap", b"oneTWO\xff\x00")
    place.put("main-1-1.ndjson", line(1, "output", stream="stdout", scenario="s", cap=3, length=5))
    place.put("L1.out", b"plain\n")
    place.look()
    data = (tmp_path / "output.bin").read_bytes()
    spans = {found.get("scenario"): found for found in place.told()}
    assert data[spans["s"]["offset"] :][: spans["s"]["length"]] == b"TWO\xff\x00"
    assert data[spans[None]["offset"] :][: spans[None]["length"]] == b"plain\n"
    assert (spans[None]["launch"], spans[None]["stream"], "cap" in spans["s"]) == ("L1", "stdout", False)


@pytest.mark.parametrize(
    "fields", [{"cap": -1, "length": 5}, {"cap": 0, "length": "5"}, {"cap": True, "length": 1}]
)
def test_output__places_that_make_no_sense__then_kept_as_it_is_and_nothing_read(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.cap", b"secret")
    place.put("main-1-1.ndjson", line(1, "output", **fields))
    place.look()
    assert (tmp_path / "output.bin").read_bytes() == b""
    assert place.told()[0]["length"] == fields["length"]


def test_output__secret_over_two_lines_of_two_tests__then_neither_shows_it(tmp_path: Path) -> None:
    place = Place(tmp_path, {"KEY": "open-sesame"})
    place.put("main-1-1.cap", b"a open-sesame b")
    place.put("main-1-1.ndjson", line(1, "output", stream="stdout", scenario="one", cap=0, length=7))
    place.put("main-1-1.ndjson", line(2, "output", stream="stdout", scenario="two", cap=7, length=8))
    place.look()
    place.end()
    data = (tmp_path / "output.bin").read_bytes()
    said: dict[str, bytes] = {}
    for found in place.told():
        said[found["scenario"]] = (
            said.get(found["scenario"], b"") + data[found["offset"] :][: found["length"]]
        )
    assert said == {"one": "a «redacted:KEY»".encode(), "two": b" b"}


@pytest.mark.parametrize("cut", range(1, 12))
def test_output__daemon_changes_in_the_middle_of_a_secret__then_the_next_one_still_finds_it(
    tmp_path: Path, cut: int
) -> None:
    secret = b"open-sesame"
    first = Place(tmp_path, {"KEY": secret.decode()})
    first.put("main-1-1.cap", b"x" + secret[:cut])
    first.put("main-1-1.ndjson", line(1, "output", stream="stdout", scenario="s", cap=0, length=cut + 1))
    first.put("L1.err", b"y" + secret[:cut])
    first.look()
    assert b"ope" not in (tmp_path / "journal.ndjson").read_bytes()
    second = Place(tmp_path, {"KEY": secret.decode()}, source="local/daemon/2-2")
    second.put("main-1-1.cap", secret[cut:] + b"z")
    second.put(
        "main-1-1.ndjson", line(2, "output", stream="stdout", scenario="s", cap=cut + 1, length=12 - cut)
    )
    second.put("L1.err", secret[cut:] + b"z")
    second.look()
    second.end()
    data = (tmp_path / "output.bin").read_bytes()
    assert data.count("«redacted:KEY»".encode()) == 2
    assert b"sesame" not in data


def test_recording__cut_anywhere_behind_the_last_commit__then_reopened_as_committed(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.ndjson", line(1))
    place.look()
    committed = dict(place.recording.committed)
    place.put("main-1-1.cap", b"output")
    place.put("main-1-1.ndjson", line(2, "output", stream="stdout", cap=0, length=6))
    place.look()
    journal = (tmp_path / "journal.ndjson").read_bytes()
    whole = place.told()
    for end in range(committed["journal.ndjson"], len(journal)):
        (tmp_path / "journal.ndjson").write_bytes(journal[:end])
        (tmp_path / "output.bin").write_bytes(b"output and more")
        again = Place(tmp_path, source=f"local/daemon/{end}-1")
        assert again.recording.committed == committed
        again.look()
        again.recording.close()
        assert again.told() == whole
        assert (tmp_path / "output.bin").read_bytes() == b"output"


def test_line__longer_than_one_read__then_whole(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-1-1.ndjson", line(1, text="x" * 3_000_000))
    place.look()
    assert len(place.told()[0]["text"]) == 3_000_000


def test_facts__ends_in_another_file_and_ids_with_quotes__then_only_what_is_open_runs(tmp_path: Path) -> None:
    odd = 't.py::test[" \\ \u00e9]'
    (tmp_path / "a").write_bytes(
        line(1, "scenario.found", scenario=odd)
        + line(2, "attempt.started", scenario=odd, attempt=1)
        + line(3, "attempt.started", scenario="b", attempt=1)
        + line(4, "attempt.ended", scenario="b", worker=None, attempt=1, verdict="failed")
        + line(5, "attempt.started", scenario="b", attempt=2)
        + b'{"n":6,"e":"attempt.started","scenario":"torn'
    )
    (tmp_path / "b").write_bytes(line(1, "attempt.ended", scenario=odd, attempt=1, verdict="passed"))
    facts = scan(str(tmp_path / name) for name in ("b", "a", "missing"))
    assert facts.collected == [odd]
    assert list(facts.running) == ["b"]
    assert facts.running["b"]["attempt"] == 2
    assert facts.ended == {odd: "passed", "b": "failed"}


def test_scan__looks_again_while_the_files_grow__then_reads_only_what_came_and_says_what_one_look_says(
    tmp_path: Path,
) -> None:
    names = ("main", "worker")
    paths = [str(tmp_path / name) for name in names]
    pieces = {
        "main": [
            line(1, "scenario.found", scenario="a"),
            line(2, "attempt.ended", scenario="b", attempt=1, verdict="crashed"),
            b'{"n":3,"e":"attempt.ended","scenario":"c","att',
            b'empt":1,"verdict":"failed"}\n' + line(4, "session.ended", exitstatus=1),
        ],
        "worker": [
            line(1, "attempt.started", scenario="a", attempt=1),
            line(2, "attempt.ended", scenario="b", attempt=1, verdict="passed")
            + line(3, "attempt.ended", scenario="a", attempt=2, verdict="passed"),
            b"",
            line(4, "attempt.ended", scenario="a", attempt=1, verdict="failed"),
        ],
    }
    looking, read = Scan(), []
    for number in range(4):
        for name in names:
            with (tmp_path / name).open("ab") as file:
                file.write(pieces[name][number])
        looking.look(paths)
        read.append(looking.read)
    whole, facts = scan(paths), looking.facts
    assert facts == whole
    assert facts == scan(reversed(paths))
    assert facts.ended == {"a": "passed", "b": "passed", "c": "failed"}
    assert read[-1] == sum((tmp_path / name).stat().st_size for name in names)
    assert read == sorted(read)
    # Nothing is read twice: what a file says at its beginning may be gone by now.
    (tmp_path / "main").write_bytes(b"x" * (tmp_path / "main").stat().st_size)
    assert looking.look(paths) == whole


def test_watch__spool_says_nothing_longer_than_the_limit__then_told_once(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-42-1.ndjson", line(1, "attempt.started", scenario="s", attempt=1, pid=42))
    place.look()
    watch, spools = Watch(), place.ingest.of_launch("L1")
    spools[0].grown = 1000.0
    found = []
    for now in (1000.0, 1020.0, 1031.0, 1062.0):
        mono = int((now - 1000.0) * 1e9) + 2
        found += watch.look(now, mono, {"stall": 30.0}, spools, lambda: scan([spools[0].path]))
    assert [(alarm.limit, alarm.scenario, alarm.seconds) for alarm in found] == [("stall", "s", 30.0)]


def test_watch__noisy_test_over_its_timeout__then_told(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put("main-42-1.ndjson", line(1, "attempt.started", scenario="s", attempt=1, pid=42))
    place.look()
    watch, spools = Watch(), place.ingest.of_launch("L1")
    found = []
    for now in (1.0, 8.0, 11.0):
        spools[0].grown = now
        suite = {"stall": 30.0, "timeout": 10}
        found += watch.look(now, int(now * 1e9), suite, spools, lambda: scan([spools[0].path]))
    assert [(alarm.limit, alarm.scenario) for alarm in found] == [("timeout", "s")]
