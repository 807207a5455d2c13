"""What happens inside test processes is recorded, survives them, and is shown; verdicts are as without it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_recover import kill_everything
from tests.support import perfetto, pythons
from tests.support.cli import Done, Sandbox
from tests.support.protobuf import fields
from tests.support.until import until

TRACED = (Path(__file__).parents[1] / "fixtures" / "traced" / "test_traced.py").read_text()
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
#: From here on calls can be recorded.
CALLS = ("3.11", "3.12", "3.13")
VERDICTS = {
    "test_logs": "passed",
    "test_processes": "passed",
    "test_raises": "failed",
    "test_tasks": "passed",
    "test_threads": "passed",
    "test_zz_killed": "crashed",
    "test_zz_segfault": "crashed",
}
CHILDREN = """\
import subprocess, sys, unittest

CHILD = "import logging, sys; assert not [path for path in sys.path if '_tkprobe' in path];"
CHILD += "logging.getLogger('child').warning('for %s', sys.argv[1])"


class Children(unittest.TestCase):
    def test_first(self):
        subprocess.run([sys.executable, "-c", CHILD, "test_first"], check=True)

    def test_second(self):
        command = f'"{sys.executable}" -c "{CHILD}" test_second && true'
        subprocess.run(["sh", "-c", command], check=True)
"""
SECRET = "hunter2 in plain words"
LINES = 100_000
FLOOD = """\
import logging, os, signal


def test_flood():
    logger = logging.getLogger("flood")
    for number in range(LINES):
        logger.warning("line %d of many", number)
    os.kill(os.getpid(), signal.SIGKILL)
"""
HANGS = """class Hangs(unittest.TestCase):
    def test_hangs(self):
        say("test_hangs")
        total(["a"])
        open("hangs", "w").close()
        threading.Event().wait()


class Traced"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path / "home")
    sandbox.environ["SHOP_PASSWORD"] = SECRET
    return sandbox


def project(sandbox: Sandbox, version: str = "", text: str = TRACED, **keys: str) -> Path:
    """The traced tests, by pytest, or by unittest on another Python."""
    files = {"test_traced.py": text}
    table = [f"{key} = {value}" for key, value in keys.items()]
    if version:
        table += ['runner = "unittest"', f'python = "{pythons.need(version)}"']
    if table:
        files["tracekit.toml"] = "\n".join(["[suite.shop]", *table, ""])
    return sandbox.project(files)


def verdicts(done: Done) -> dict[str, str]:
    return {name.rpartition("::")[2]: word for name, word in done.verdicts().items()}


def events(sandbox: Sandbox, root: Path, run: str, text: str = "") -> list[dict[str, Any]]:
    done = sandbox.run("events", run, text, "--json", cwd=root)
    assert done.code in {0, 4}, done.err
    return done.lines()


def scenario_of(row: dict[str, Any]) -> str:
    return str(row.get("scenario", "")).rpartition("::")[2]


@pytest.mark.parametrize("version", ["", "3.9", "3.12", "3.13"])
def test_events__by_default__then_marks_logs_and_failures_of_every_process_in_the_right_scenario(
    sandbox: Sandbox, version: str
) -> None:
    root = project(sandbox, version)
    done = sandbox.run("run", root, "--json")
    assert verdicts(done) == VERDICTS, done.err
    rows = events(sandbox, root, done.run_id())
    logs = [row for row in rows if row["kind"] == "log" and row["text"].startswith("here is")]
    assert [row for row in logs if row["text"] != f"here is {scenario_of(row)}"] == []
    said = {"test_threads": 7, "test_tasks": 5, "test_processes": 3}
    assert Counter(map(scenario_of, logs)) == {name: said.get(name, 1) for name in VERDICTS}
    assert len({row["pid"] for row in logs if scenario_of(row) == "test_processes"}) == 3
    raised = [row for row in rows if row["kind"] == "exception" and row["name"] == "LookupError"]
    assert raised, "the failure is told"
    assert {(row["text"], scenario_of(row)) for row in raised} == {("no such cart", "test_raises")}
    began = [scenario_of(row) for row in rows if row["kind"] == "scenario.start"]
    assert sorted(began) == sorted(VERDICTS)
    ended = done.of("trace.ended")
    assert [(line["lost"], line["complete"], line["faults"]) for line in ended] == [(0, True, [])]
    assert ended[0]["records"] + ended[0]["lanes"] == len(rows)
    assert SECRET not in done.out
    connecting = next(row["text"] for row in rows if row.get("text", "").startswith("connecting"))
    assert connecting == "connecting with «redacted:SHOP_PASSWORD»"
    assert not list((sandbox.home / "state").rglob("rings"))


QUIET = """import inspect, json, logging, sys, unittest

sys.path.insert(0, "site-packages")
import acme


class Quiet(unittest.TestCase):
    def test_quiet(self):
        inspect.signature(acme.swallow)
        logging.getLogger("new").isEnabledFor(30)
        acme.swallow()
        for read in (json.loads, acme.raises):
            try:
                read("{")
            except ValueError:
                pass
"""
ACME = """def raises(text):
    raise ValueError(text)

def swallow():
    try:
        raises("within")
    except ValueError:
        pass
"""


@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_events__what_the_library_raises_and_catches_itself__then_told_once_it_comes_to_others_code(
    sandbox: Sandbox, version: str
) -> None:
    root = sandbox.project(
        {
            "test_quiet.py": QUIET,
            "site-packages/acme.py": ACME,
            "tracekit.toml": f'[suite.shop]\nrunner = "unittest"\npython = "{pythons.need(version)}"\n',
        }
    )
    done = sandbox.run("run", root, "--json")
    assert verdicts(done) == {"test_quiet": "passed"}, done.err
    rows = events(sandbox, root, done.run_id(), "kind:exception")
    told = [(row["name"], row["level"], row["file"].rpartition("/")[2], row["line"]) for row in rows]
    assert told == [
        ("ValueError", "debug", "acme.py", 2),
        ("JSONDecodeError", "info", "test_quiet.py", 14),
        ("ValueError", "debug", "acme.py", 2),
        ("ValueError", "info", "test_quiet.py", 14),
    ]


@pytest.mark.parametrize("version", ["", "3.13"])
def test_events__of_tests_that_were_killed__then_their_last_calls_and_the_line_before_death(
    sandbox: Sandbox, version: str
) -> None:
    root = project(sandbox, version)
    done = sandbox.run("run", root, "--trace", "calls", "--json")
    assert verdicts(done) == VERDICTS, done.err
    for name in ("test_zz_killed", "test_zz_segfault"):
        rows = events(sandbox, root, done.run_id(), f"scenario:*{name} kind:enter,exit,log")
        rows.sort(key=lambda row: row["m"])
        told = [(row["kind"], row.get("text") or row["name"].rpartition(".")[2]) for row in rows]
        assert told[-8:] == [
            ("enter", name),
            ("enter", "say"),
            ("log", f"here is {name}"),
            ("exit", "say"),
            ("enter", "total"),
            ("enter", "price"),
            ("exit", "price"),
            ("exit", "total"),
        ]
        assert [row["d"] >= 0 for row in rows if row["kind"] == "exit"], "calls that ended have a duration"


def test_events__through_filters__then_what_passes_or_why_not(sandbox: Sandbox) -> None:
    root = project(sandbox)
    run = sandbox.run("run", root, "--json").run_id()
    errors = sandbox.run("events", run, "level>=error", cwd=root)
    assert errors.code == 0
    assert "LookupError no such cart" in errors.out
    assert "«redacted:SHOP_PASSWORD»" in errors.out
    around = events(sandbox, root, run, "@fail(-10s..+10s) kind:log")
    assert around
    wrong = sandbox.run("events", run, "levvel>=error", cwd=root)
    assert (wrong.code, "did you mean level?" in wrong.err, "^^^^^^" in wrong.err) == (2, True, True)
    # Options may stand between the words, and a filter may begin with what must not hold.
    logs = sandbox.run("events", run, "--json", "kind:log", cwd=root).lines()
    assert {row["kind"] for row in logs} == {"log"}
    others = sandbox.run("events", run, "-kind:log", "--json", cwd=root).lines()
    assert "log" not in {row["kind"] for row in others}
    assert len(logs) + len(others) == len(events(sandbox, root, run))
    nothing = sandbox.run("events", run, "nowhere_to_be_found", cwd=root)
    assert (nothing.code, nothing.out) == (4, "")
    counted = sandbox.run("events", run, "--count", "--json", cwd=root).lines()[0]
    assert counted["kinds"]["scenario.start"] == len(VERDICTS)
    assert (counted["damaged"], counted["unread"]) == (0, 0)


def test_events__of_a_damaged_trace__then_every_row_that_is_left_once_and_what_is_missing_said(
    sandbox: Sandbox,
) -> None:
    root = project(sandbox)
    run = sandbox.run("run", root, "--json").run_id()
    whole = sandbox.run("events", run, "--json", cwd=root)
    assert whole.err == ""
    (segment,) = sandbox.home.rglob("seg-000000.tks")
    content = segment.read_bytes()
    # In the first block, behind its head; and at the head of the segment.
    for at, left in ((64 + 300, "event"), (20, "journal")):
        segment.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        for arguments in ([], ["kind:*"], ["--count"]):
            done = sandbox.run("events", run, *arguments, cwd=root)
            assert f"tracekit verify {run}" in done.err, (left, arguments, done.err)
            assert "bytes of the trace are damaged" in done.err
        if left == "event":
            shown = [(row["lane"], row["n"], row["kind"]) for row in events(sandbox, root, run)]
            assert len(shown) == len(set(shown)) < len(whole.lines())
    assert "nothing was traced: its trace is damaged" in sandbox.run("events", run, cwd=root).err


def test_events__with_tracing_off__then_nothing_is_recorded_and_that_is_said(sandbox: Sandbox) -> None:
    root = project(sandbox)
    done = sandbox.run("run", root, "--trace", "off", "--json")
    assert verdicts(done) == VERDICTS
    assert not list((sandbox.home / "state").rglob("*.tks"))
    shown = sandbox.run("events", "last", "kind:attempt.ended level:error", "--json", cwd=root)
    assert "nothing was traced: tracing was off; these are the lines of the journal" in shown.err
    exported = sandbox.run("export", "last", "--chrome", "-", cwd=root)
    assert (exported.code, exported.out, "nothing was traced" in exported.err) == (4, "", True)
    red = {name for name, word in VERDICTS.items() if word in {"failed", "crashed"}}
    assert {scenario_of(row) for row in shown.lines()} == red, (
        "the journal's lines take the place of the trace's"
    )


def test_events__calls_of_chosen_packages__then_the_longer_rule_decides(sandbox: Sandbox) -> None:
    root = project(sandbox, trace='"calls"', trace_include='["json"]', trace_exclude='["json.decoder"]')
    text = "import json\n\n\ndef test_it():\n    json.dumps([1])\n    json.loads('[1]')\n"
    (root / "test_traced.py").write_text(text)
    run = sandbox.run("run", root, "--json").run_id()
    names = {row["name"] for row in events(sandbox, root, run, "kind:enter")}
    assert any(name.endswith("json.dumps") for name in names)
    assert not any("json.decoder" in name for name in names)
    assert "test_traced.test_it" in names


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_events__more_calls_at_once_than_fit_the_usual_room__then_all_of_them_in_a_larger_one(
    sandbox: Sandbox, version: str
) -> None:
    text = (
        "import unittest\n\n\ndef two(n):\n    return n if n < 2 else two(n - 1) + two(n - 2)\n\n\n"
        "class Calls(unittest.TestCase):\n    def test_calls(self):\n        self.assertEqual(two(22), 17711)\n"
    )
    # 57,313 calls are two records each, and a record takes 16 bytes: 1 MiB cannot hold them, 4 MiB hold them all.
    root = project(sandbox, version, text, trace='"calls"', trace_ring='"4MiB"')
    run = sandbox.run("run", root, "--json").run_id()
    verified = sandbox.run("verify", run, "--json", cwd=root).lines()[-1]
    assert (verified["events_lost"], verified["trace_complete"]) == (0, True)
    counted = sandbox.run("events", run, "kind:enter name:*.two", "--count", "--json", cwd=root).lines()[0]
    assert counted["kinds"]["enter"] == 57_313


def test_events__after_the_death_of_everything__then_recovered_out_of_the_rings(sandbox: Sandbox) -> None:
    text = TRACED.replace("class Traced", HANGS)
    root = project(sandbox, text=text)
    marker = root / "hangs"
    live = sandbox.start("run", root, "-s", "*test_hangs", "--trace", "calls", "--json")
    until(marker.exists)
    (place,) = (path.parent for path in (sandbox.state / "runs").rglob("rings"))
    kill_everything(sandbox)
    live.communicate()
    rings = place / "rings"
    assert any(rings.iterdir())
    recovered = sandbox.run("recover", str(place.parent), "--json", cwd=root)
    assert recovered.code == 0, recovered.err
    assert not rings.exists()
    rows = events(sandbox, root, place.parent.name, "kind:enter,log")
    assert {row["text"] for row in rows if row["kind"] == "log"} == {"here is test_hangs"}
    assert any(row["name"].endswith(".price") for row in rows)
    verified = sandbox.run("verify", place.parent.name, "--json", cwd=root).lines()[-1]
    assert (verified["ok"], verified["events"] >= len(rows)) == (True, True)


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda ring: os.truncate(ring, 70_000), "a ring that is cut short"),
        (lambda ring: os.truncate(ring, 100), "a header that is cut short"),
        (lambda ring: patch(ring, 8, b"\x63"), "version 99, this program reads 1"),
        (lambda ring: patch(ring, 0, b"no ring"), "not a ring"),
    ],
    ids=["cut", "header", "version", "other"],
)
def test_recover__ring_that_nobody_can_read__then_the_rest_is_there_and_what_is_missing_is_said(
    sandbox: Sandbox, harm: Callable[[Path], None], why: str
) -> None:
    root = project(sandbox, text=TRACED.replace("class Traced", HANGS))
    live = sandbox.start("run", root, "-s", "*test_hangs", "--trace", "calls", "--json")
    until((root / "hangs").exists)
    (rings,) = (sandbox.state / "runs").rglob("rings")
    kill_everything(sandbox)
    live.communicate()
    (ring,) = rings.rglob("*.durable")
    harm(ring)
    run = rings.parents[1]
    assert sandbox.run("recover", run, cwd=root).code == 0
    assert [row["name"] for row in events(sandbox, root, run.name, "kind:gap")] == ["ring damaged"]
    journal = [json.loads(line) for line in (rings.parent / "journal.ndjson").read_text().splitlines()]
    assert [line["why"].rpartition(".durable: ")[2] for line in journal if line["e"] == "gap"] == [why]
    (ended,) = (line for line in journal if line["e"] == "trace.ended")
    assert (ended["complete"], ended["why"]) == (False, {"ring damaged": 1})
    # The ring of calls was whole.
    assert events(sandbox, root, run.name, "kind:enter name:*.price")


def patch(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(at)
        stream.write(data)


@pytest.mark.parametrize("version", ["", "3.9"])
def test_events__with_a_library_that_is_none__then_verdicts_as_ever_and_the_reason_is_told(
    sandbox: Sandbox, version: str
) -> None:
    root = project(sandbox, version)
    assert verdicts(sandbox.run("run", root, "--json")) == VERDICTS
    for library in (sandbox.home / "cache").rglob("*.so"):
        library.chmod(0o600)
        library.write_bytes(b"no library at all")
    # What a daemon has found on its machine it knows until its end.
    until(lambda: not sandbox.daemons())
    done = sandbox.run("run", root, "--json")
    assert verdicts(done) == VERDICTS
    told = [line for line in done.of("gap") if line["what"] == "trace"]
    assert told
    assert all("cannot be loaded" in line["why"] for line in told)
    unavailable = {item["what"] for item in done.of("box.facts")[0]["unavailable"]}
    assert ("tracer" in unavailable, done.of("trace.ended")) == (True, [])


def test_events__beside_tools_that_hold_the_ids_of_monitoring__then_said_and_gone_on_without(
    sandbox: Sandbox,
) -> None:
    taken = "import sys\nfor tool in (3, 4):\n    sys.monitoring.use_tool_id(tool, 'another')\n"
    root = project(sandbox, "3.12", text=taken + TRACED)
    done = sandbox.run("run", root, "--trace", "calls", "--json")
    assert verdicts(done) == VERDICTS
    rows = events(sandbox, root, done.run_id())
    assert [row for row in rows if row["kind"] == "enter"] == []
    assert [row for row in rows if row["kind"] == "log" and row["text"] == "here is test_zz_killed"]
    assert any("other tools hold the ids" in line["why"] for line in done.of("gap"))


@pytest.mark.parametrize("then", ["pass", "sys.monitoring.use_tool_id(tool, 'another')"])
def test_events__of_tests_that_take_the_tracer_s_id_away__then_the_run_ends_as_ever_and_it_is_said(
    sandbox: Sandbox, then: str
) -> None:
    text = (
        "import sys, unittest\n\n\n"
        "class Tests(unittest.TestCase):\n"
        "    def test_takes(self):\n"
        "        for tool in range(6):\n"
        "            if sys.monitoring.get_tool(tool):\n"
        "                sys.monitoring.free_tool_id(tool)\n"
        f"                {then}\n\n"
        "    def test_zz_after(self):\n"
        "        pass\n"
    )
    root = project(sandbox, "3.12", text=text)
    done = sandbox.run("run", root, "--json")
    assert (done.code, verdicts(done)) == (0, {"test_takes": "passed", "test_zz_after": "passed"}), done.out
    assert any("took the id of the tracer" in line["why"] for line in done.of("gap")), done.of("gap")


def test_events__of_tests_that_close_every_descriptor__then_nothing_is_written_where_it_does_not_belong(
    sandbox: Sandbox,
) -> None:
    text = (
        "import logging, os\n\n\n"
        "def test_closes(tmp_path):\n"
        "    os.closerange(3, 1000)\n"
        "    files = [open(tmp_path / str(n), 'w+') for n in range(30)]\n"
        "    for n in range(20):\n"
        "        logging.getLogger('late').warning('line %d', n)\n"
        "    assert [file.read() for file in files] == [''] * 30\n"
    )
    root = project(sandbox, text=text)
    done = sandbox.run("run", root, "--json", "--", "-p", "no:cacheprovider", "-s")
    assert verdicts(done) == {"test_closes": "passed"}, done.out
    rows = events(sandbox, root, done.run_id(), "kind:log name:late")
    assert [row["text"] for row in rows] == [f"line {n}" for n in range(20)]


@pytest.mark.parametrize("version", ["", "3.13"])
def test_events__of_python_children__then_in_the_scenario_that_started_them(
    sandbox: Sandbox, version: str
) -> None:
    root = project(sandbox, version, text=CHILDREN)
    done = sandbox.run("run", root, "--trace", "calls", "--json")
    assert verdicts(done) == {"test_first": "passed", "test_second": "passed"}, done.out
    rows = events(sandbox, root, done.run_id(), "kind:log name:child")
    assert [(row["text"], scenario_of(row)) for row in rows] == [
        ("for test_first", "test_first"),
        ("for test_second", "test_second"),
    ]
    assert len({row["pid"] for row in rows}) == 2


@pytest.mark.parametrize("version", CALLS)
def test_events__of_threads_with_names__then_found_and_shown_by_them(sandbox: Sandbox, version: str) -> None:
    text = (
        "import logging, sys, threading, unittest\n\n\n"
        "def work():\n"
        "    logging.getLogger('in').warning('%s', threading.current_thread().name)\n\n\n"
        "class Answers(threading.Thread):\n"
        "    @property\n"
        "    def _name(self):\n"
        "        ASKED.append(sys._getframe(1).f_code.co_name)\n"
        "        return 'answered'\n\n"
        "    @_name.setter\n"
        "    def _name(self, value):\n"
        "        pass\n\n"
        "    def run(self):\n"
        "        logging.getLogger('in').warning('by a property')\n\n\n"
        "ASKED = []\n\n\n"
        "class Named(unittest.TestCase):\n"
        "    def test_named(self):\n"
        "        for name in ('worker-ü', 'their own', 'third'):\n"
        "            thread = threading.Thread(target=work, name=name)\n"
        "            thread.start()\n"
        "            thread.join()\n"
        "        thread = Answers()\n"
        "        thread.start()\n"
        "        thread.join()\n"
        "        # By Python's own `Thread.name` alone: a tracer that asked would have run code of the program.\n"
        "        assert set(ASKED) <= {'name'}, ASKED\n"
    )
    root = project(sandbox, version, text=text)
    done = sandbox.run("run", root, "--trace", "calls", "--json")
    assert verdicts(done) == {"test_named": "passed"}, done.out
    for name in ("worker-ü", "their own", "third"):
        (row,) = events(sandbox, root, done.run_id(), f'kind:log name:in lane:"{name}"')
        assert row["text"] == name
    (row,) = events(sandbox, root, done.run_id(), 'kind:log text:"by a property"')
    assert scenario_of(row) == "test_named"
    chrome = json.loads(sandbox.run("export", done.run_id(), "--chrome", "-", cwd=root).out)["traceEvents"]
    named = {
        event["args"]["name"] for event in chrome if event["ph"] == "M" and event["name"] == "thread_name"
    }
    assert {"MainThread", "worker-ü", "their own", "third"} <= named


def test_export__of_a_trace__then_every_begin_of_a_slice_has_its_end_unless_its_process_died(
    sandbox: Sandbox,
) -> None:
    root = project(sandbox)
    run = sandbox.run("run", root, "--trace", "calls", "--json").run_id()
    chrome = sandbox.run("export", run, "--chrome", "-", cwd=root)
    told = json.loads(chrome.out)["traceEvents"]
    open_slices: dict[tuple[int, int], list[str]] = {}
    for event in told:
        track = (event["pid"], event.get("tid", 0))
        if event["ph"] == "B":
            open_slices.setdefault(track, []).append(event["name"])
        elif event["ph"] == "E":
            assert open_slices[track].pop() == event["name"]
    left = sorted(name.rpartition(".")[2] for names in open_slices.values() for name in names)
    assert [name for name in left if name.startswith("test_")] == ["test_zz_killed", "test_zz_segfault"]
    target = root / "trace.pftrace"
    assert sandbox.run("export", run, "--perfetto", target, cwd=root).code == 0
    packets = [packet for _, packet in fields(target.read_bytes()) if isinstance(packet, bytes)]
    kinds = Counter(number for packet in packets for number, _ in fields(packet) if number in {11, 60})
    assert kinds[11] == sum(event["ph"] in {"B", "E", "i"} for event in told)
    assert kinds[60] > len({event["pid"] for event in told})


@pytest.fixture(scope="module")
def processor() -> Path:
    """Fetched once, into the cache of whoever runs the tests."""
    return perfetto.engine()


def test_export__for_perfetto__then_its_own_processor_reads_all_of_it_without_a_fault(
    processor: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    root = project(sandbox)
    run = sandbox.run("run", root, "--trace", "calls", "--json").run_id()
    told = json.loads(sandbox.run("export", run, "--chrome", "-", cwd=root).out)["traceEvents"]
    target = root / "trace.pftrace"
    assert sandbox.run("export", run, "--perfetto", target, cwd=root).code == 0
    faults, slices, instants, endless, deepest = perfetto.ask(
        processor,
        target.read_bytes(),
        [
            "select name, value from stats where value > 0 and severity != 'info'",
            "select count(*) from slice where dur != 0",
            "select count(*) from slice",
            "select s.name from slice s where s.dur = -1 and s.name like '%test_zz_%' order by s.name",
            "select max(depth) from slice",
        ],
        tmp_path,
    )
    assert faults == []
    assert instants == [(sum(event["ph"] in {"B", "i"} for event in told),)]
    assert 0 < int(str(slices[0][0])) <= sum(event["ph"] == "B" for event in told)
    # Their scenarios and their calls have no end: a process that was killed wrote none.
    left = {str(name).replace("::", ".").rpartition(".")[2] for (name,) in endless}
    assert left == {"test_zz_killed", "test_zz_segfault"}
    assert int(str(deepest[0][0])) >= 3


def test_events__followed__then_rows_come_while_the_test_runs_and_it_ends_with_the_run(
    sandbox: Sandbox,
) -> None:
    text = (
        "import logging, pathlib, threading\n\n\n"
        "def test_it():\n"
        "    logging.getLogger('early').warning('here')\n"
        "    while not pathlib.Path('go').exists():\n"
        "        threading.Event().wait(0.02)\n"
        "    logging.getLogger('late').warning('gone')\n"
    )
    root = project(sandbox, text=text)
    live = sandbox.start("run", root, "--json")
    until(lambda: list(sandbox.state.rglob("rings")))
    followed = sandbox.start("events", "last", "kind:log", "--follow", "--json", cwd=root)
    assert followed.stdout is not None
    assert json.loads(followed.stdout.readline())["name"] == "early"
    counts = sandbox.start("events", "last", "kind:log", "--follow", "--count", "--json", cwd=root)
    (root / "go").touch()
    rest, _ = followed.communicate()
    assert [json.loads(line)["name"] for line in rest.splitlines()] == ["late"]
    assert followed.returncode == 0
    counted, _ = counts.communicate()
    assert [json.loads(line)["kinds"] for line in counted.splitlines()] == [{"log": 2}]
    live.communicate()


def test_events__of_a_flood_of_log_lines_and_a_crash_behind_it__then_each_is_read_again_everywhere(
    sandbox: Sandbox,
) -> None:
    root = sandbox.project({"test_flood.py": FLOOD.replace("LINES", str(LINES))})
    done = sandbox.run("run", root, "--json")
    assert verdicts(done) == {"test_flood": "crashed"}, done.err
    run = done.run_id()
    wanted = [f"line {number} of many" for number in range(LINES)]
    assert [line["lost"] for line in done.of("trace.ended")] == [0]
    assert [row["text"] for row in events(sandbox, root, run, "kind:log")] == wanted
    found = [row["text"] for row in events(sandbox, root, run, "kind:log text:*777*")]
    assert found == [words for words in wanted if "777" in words]
    told = json.loads(sandbox.run("export", run, "--chrome", "-", cwd=root).out)["traceEvents"]
    exported = [event for event in told if "of many" in json.dumps(event)]
    assert len(exported) == LINES
    target = root / "trace.pftrace"
    assert sandbox.run("export", run, "--perfetto", target, cwd=root).code == 0
    assert set(re.findall(rb"line \d+ of many", target.read_bytes())) == {words.encode() for words in wanted}
    assert sandbox.run("verify", run, cwd=root).code == 0
