"""Any command as a runner: listed, run, streamed, chosen from, cancelled, and never believed blindly."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.support.cli import Sandbox, processes_with

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "commands"
ODD = "command@tap:subtracts & odd $(touch mangled)"
TAP = {
    "command@tap:adds": "passed",
    ODD: "passed",
    "command@tap:breaks": "failed",
    "command@tap:later": "skipped",
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.fixture
def root(sandbox: Sandbox) -> Path:
    return Path(shutil.copytree(FIXTURE, sandbox.home / "commands"))


def test_list__then_what_the_profile_says_how_to_list(sandbox: Sandbox, root: Path) -> None:
    lines = sandbox.run("list", root, "--json").lines()
    assert [line["path"] for line in lines][:2] == [["suite.sh", name.partition(":")[2]] for name in TAP][:2]
    found = [line["id"] for line in lines]
    assert found == [*TAP, "command@xml:xml", "command@own:own", "command@plain:plain"]


def test_run__every_form_of_report__then_verdicts_evidence_and_parts(sandbox: Sandbox, root: Path) -> None:
    done = sandbox.run("run", root, "--json")
    assert done.code == 1, done.err
    assert done.verdicts() == {
        **TAP,
        "command@xml:xml": "failed",
        "command@xml:xml ▸ Cart::adds": "passed",
        "command@xml:xml ▸ Cart::pays": "failed",
        "command@own:own": "crashed",
        "command@own:own ▸ opens": "passed",
        "command@own:own ▸ closes": "failed",
        "command@own:own ▸ dies": "crashed",
        "command@plain:plain": "failed",
    }
    # A time that a report does not tell is nobody's: that of reading its line is not the test's.
    ends = {line["scenario"]: line for line in done.of("attempt.ended")}
    assert (ends["command@tap:breaks"]["d"], ends["command@tap:breaks"]["durations"]) == (0, {})
    assert ends["command@plain:plain"]["d"] > 0
    failures = {line["scenario"]: line["chain"][0] for line in done.of("failure")}
    assert failures["command@tap:breaks"]["message"] == "three is not four"
    assert failures["command@tap:breaks"]["frames"][0]["line"] == 33
    assert failures["command@xml:xml ▸ Cart::pays"]["type"] == "Wrong"
    assert failures["command@plain:plain"]["message"] == "the command exited with status 4"
    texts = {line.get("scenario"): line.get("text") for line in done.of("output")}
    assert texts["command@own:own ▸ opens"] == "from within\n"
    assert texts["command@plain:plain"] == "plain words\n"
    assert texts["command@xml:xml"] == "printed while it runs\n"


def test_rerun__a_name_that_a_shell_would_mangle__then_exactly_that_one_runs(
    sandbox: Sandbox, root: Path
) -> None:
    log = sandbox.home / "log"
    sandbox.environ["FIXTURE_LOG"] = str(log)
    first = sandbox.run("run", root, "-s", "suite:tap", "--json")
    assert first.verdicts() == TAP
    again = sandbox.run("rerun", first.run_id(), "-s", ODD, "--json")
    assert again.verdicts() == {ODD: "passed"}
    assert log.read_text().splitlines()[1:] == ["ran: subtracts & odd $(touch mangled)"]
    assert not (root / "mangled").exists()
    retried = sandbox.run("rerun", first.run_id(), "-s", "command@tap:breaks", "--json")
    assert [line["attempt"] for line in retried.of("attempt.ended")] == [1]


def test_rerun__a_command_that_cannot_be_narrowed__then_all_of_it_runs(sandbox: Sandbox, root: Path) -> None:
    first = sandbox.run("run", root, "-s", "suite:xml", "--json")
    again = sandbox.run("rerun", first.run_id(), "-s", "command@xml:xml ▸ Cart::pays", "--json")
    assert set(again.verdicts()) == set(first.verdicts())
    profile = root / "listed.toml"
    profile.write_text(
        '[suite.tap]\nrunner = "command"\nrun = ["./suite.sh"]\nreport = { tap = "-" }\n'
        'list = ["./suite.sh", "--names"]\n'
    )
    chosen = sandbox.run("run", root, "--profile", profile, "-s", "breaks", "--json")
    assert chosen.verdicts() == {"command@tap:breaks": "failed"}
    assert ["all of it runs" in line["message"] for line in chosen.of("warning")] == [True]


@pytest.mark.parametrize(
    ("report", "words", "parts"),
    [("none", "no report came", 0), ("half", "not well-formed XML", 2)],
)
def test_report__never_comes_or_is_half_written__then_failed_and_what_came_stands(
    sandbox: Sandbox, root: Path, report: str, words: str, parts: int
) -> None:
    sandbox.environ["FIXTURE_REPORT"] = report
    done = sandbox.run("run", root, "-s", "suite:xml", "--json")
    verdicts = done.verdicts()
    assert (done.code, verdicts.pop("command@xml:xml"), len(verdicts)) == (1, "failed", parts)
    assert any(words in line["chain"][0]["message"] for line in done.of("failure"))


def test_report__of_an_earlier_run__then_not_taken_for_this_one(sandbox: Sandbox, root: Path) -> None:
    sandbox.run("run", root, "-s", "suite:xml")
    # As if it had been written a moment ago, by a clock that runs ahead.
    later = time.time() + 3600
    os.utime(root / "out" / "junit.xml", (later, later))
    sandbox.environ["FIXTURE_REPORT"] = "none"
    done = sandbox.run("run", root, "-s", "suite:xml", "--json")
    (failure,) = done.of("failure")
    assert "of an earlier run" in failure["chain"][0]["message"]


def test_stream__cut_short_or_green_with_a_failing_status__then_the_suite_failed(
    sandbox: Sandbox, root: Path
) -> None:
    profile = root / "cut.toml"
    profile.write_text(
        '[suite.cut]\nrunner = "command"\nreport = { tap = "-" }\nonly = ["{names}"]\n'
        'run = ["printf", "1..2\\\\nok 1 - one\\\\n"]\n'
        '[suite.green]\nrunner = "command"\nreport = { tap = "-" }\nonly = ["{names}"]\n'
        'run = ["sh", "-c", "echo ok 1 - one; echo 1..1; exit 3"]\n'
        '[suite.endless]\nrunner = "command"\nreport = { tap = "-" }\nonly = ["{names}"]\n'
        'run = ["sh", "-c", "echo ok 1 - one; exit 3"]\n'
    )
    done = sandbox.run("run", root, "--profile", profile, "--json")
    assert [line["message"] for line in done.of("suite.failed")] == [
        "1 of 2 test points came",
        "no test is red, and the command exited with status 3",
        "it has no plan: nobody knows whether more was to come, and the command exited with status 3",
    ]
    assert (done.code, list(done.verdicts().values())) == (1, ["passed"] * 3)


def test_output__while_the_command_runs__then_live_and_a_cancel_leaves_nothing(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    process = sandbox.start("run", root, "-s", "suite:tap", "--json")
    assert process.stdout is not None
    found = []
    for raw in process.stdout:
        found.append(json.loads(raw))
        if "it hangs now" in str(found[-1].get("text")):
            break
    assert [line["verdict"] for line in found if line["e"] == "attempt.ended"] == ["passed"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    token = json.loads((sandbox.state / "runs" / found[0]["run"] / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []


def test_timeout__command_hangs__then_timed_out_as_a_whole(sandbox: Sandbox, root: Path) -> None:
    profile = root / "hangs.toml"
    profile.write_text(
        '[suite.slow]\nrunner = "command"\nrun = ["sh", "-c", "echo here; sleep 1000"]\ntimeout = "1s"\n'
    )
    done = sandbox.run("run", root, "--profile", profile, "--json")
    assert (done.verdicts(), done.code) == ({"command@slow:slow": "timedout"}, 1)


def test_command__not_installed__then_unavailable_and_what_would_fix_it(sandbox: Sandbox, root: Path) -> None:
    profile = root / "missing.toml"
    profile.write_text('[suite.no]\nrunner = "command"\nrun = ["no-such-program", "x"]\n')
    done = sandbox.run("run", root, "--profile", profile)
    assert "unavailable: no-such-program was not found" in done.out
    assert done.code == 1


def test_profile__keys_of_a_command_elsewhere_or_none__then_said(sandbox: Sandbox, root: Path) -> None:
    (root / "tracekit.toml").write_text('[suite.a]\nrunner = "command"\n[suite.b]\nrun = ["x"]\n')
    done = sandbox.run("list", root)
    assert done.code == 2
    assert "a command needs run" in done.err
    assert 'run needs runner = "command"' in done.err
