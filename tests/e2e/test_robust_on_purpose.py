"""What suites do that would break a recorder, seen from the command line, alone and under xdist: one test for each."""

from __future__ import annotations

import base64
import json
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Done, Sandbox, processes_with
from tests.support.until import until
from tracekit.store import recorded

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "robust"
WAYS = [pytest.param((), id="plain"), pytest.param(("-n", "2"), id="n2")]
#: Each costs a millisecond and more: TRACEKIT_TEST_IDS=60000 tries as many as big suites have.
COUNT = int(os.environ.get("TRACEKIT_TEST_IDS", "2000"))
LEFT = """
import subprocess, sys

def test_leaves_a_child():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("left one")
"""


@dataclass
class Ran:
    """An ended run, and what its tests printed."""

    sandbox: Sandbox
    done: Done

    @cached_property
    def verdicts(self) -> dict[str, str]:
        return {name.rpartition("::test_")[2]: word for name, word in self.done.verdicts().items()}

    @cached_property
    def printed(self) -> dict[str, bytes]:
        place = self.sandbox.state / "runs" / self.done.run_id() / "local" / "output.bin"
        with recorded.opened(place) as file:
            whole = file.read()
        said: dict[str, bytes] = {}
        for line in self.done.of("output"):
            name = str(line.get("scenario", "")).rpartition("::test_")[2]
            said[name] = said.get(name, b"") + _bytes(line, whole)
        return said


def _bytes(line: dict[str, Any], whole: bytes) -> bytes:
    if "base64" in line:
        return base64.b64decode(line["base64"])
    return whole[line["offset"] : line["offset"] + line["length"]]


@pytest.fixture(scope="module", params=WAYS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    sandbox = Sandbox(tmp_path_factory.mktemp("robust") / "home")
    sandbox.environ["PYTEST_ADDOPTS"] = "'--greeting=hello from the options'"
    root = sandbox.project({"pytest.ini": "[pytest]\n", "test_left.py": LEFT})
    shutil.copytree(FIXTURE, root, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return Ran(sandbox, sandbox.run("run", root, "--json", "--", *request.param))


def test_odd_ids__colons_slashes_spaces_brackets_right_to_left_emoji__then_each_ran_and_printed_its_own(
    ran: Ran,
) -> None:
    odd = {name: word for name, word in ran.verdicts.items() if name.startswith("odd_id[")}
    found = {name.encode("ascii").decode("unicode_escape")[len("odd_id[") : -1] for name in odd}
    assert {"a::b", "a/b/../c", "two words  and more", "[brackets]]", "שלום עולם", "🦀 emoji 👩‍👩‍👧"} <= found
    assert (len(odd), set(odd.values())) == (10, {"passed"})
    for name in odd:
        text = name.encode("ascii").decode("unicode_escape")
        assert ran.printed[name].decode() == text[len("odd_id[") : -1] + "\n"


def test_odd_id__given_back_as_a_selector__then_exactly_that_one_runs(ran: Ran) -> None:
    chosen = next(name for name in ran.done.verdicts() if "emoji" in name)
    again = ran.sandbox.run("rerun", ran.done.run_id(), "-s", chosen, "--json")
    assert again.verdicts() == {chosen: "passed"}, again.err


def test_options_and_conftest_of_the_user__then_in_force(ran: Ran) -> None:
    assert ran.verdicts["options_of_the_user"] == "passed"


def test_environment_cleared__then_passed_and_its_output_is_there(ran: Ran) -> None:
    assert (ran.verdicts["clears_environment"], ran.printed["clears_environment"]) == (
        "passed",
        b"nothing left\n",
    )


def test_directory_changed__then_passed_and_so_is_the_one_behind(ran: Ran) -> None:
    assert [ran.verdicts[name] for name in ("changes_directory", "still_elsewhere")] == ["passed"] * 2
    assert (ran.printed["changes_directory"], ran.printed["still_elsewhere"]) == (b"elsewhere\n", b"still\n")


def test_standard_output_closed__then_it_and_the_one_behind_have_their_verdicts(ran: Ran) -> None:
    assert [ran.verdicts[name] for name in ("closes_stdout", "after_closed_stdout")] == ["passed"] * 2


def test_fork__then_what_the_child_printed_is_the_tests_own_and_nothing_is_told_twice(ran: Ran) -> None:
    assert (ran.verdicts["forks"], ran.printed["forks"]) == ("passed", b"forked\n")
    ends = [line["scenario"] for line in ran.done.of("attempt.ended")]
    assert len(ends) == len(set(ends))


def test_process_left_and_segfault__then_exactly_they_crashed_and_all_others_have_their_verdict(
    ran: Ran,
) -> None:
    red = {name: word for name, word in ran.verdicts.items() if word != "passed"}
    assert red == {"leaves_at_once": "crashed", "segfaults": "crashed"}
    assert ran.done.code == 1
    (ended,) = ran.done.of("run.ended")
    assert (ended["not_run_count"], ended["verdicts"]) == (0, {"crashed": 2, "passed": len(ran.verdicts) - 2})
    assert ran.printed["after_leaving"] == b"after leaving\n"


def test_binary_printed__then_no_byte_is_changed(ran: Ran) -> None:
    assert ran.printed["binary"] == bytes(range(256))


def test_two_hundred_thousand_columns_printed__then_all_of_them_are_there(ran: Ran) -> None:
    assert ran.printed["wide"] == b"w" * 200_000 + b"\n"


def test_child_left_behind__then_passed_flagged_and_gone_when_the_run_is_over(ran: Ran) -> None:
    (ended,) = [line for line in ran.done.of("attempt.ended") if "leaves_a_child" in line["scenario"]]
    assert ended["verdict"] == "passed"
    assert "process" in {leak["kind"] for leak in ended["leaks"]}
    token = json.loads((ran.sandbox.state / "runs" / ran.done.run_id() / "run.json").read_text())["nonce"]
    until(lambda: not processes_with(f"TRACEKIT_RUN_TOKEN={token}"))


@pytest.mark.parametrize("way", WAYS)
def test_thousands_of_ids__then_each_has_one_end_and_none_is_told_twice(
    way: tuple[str, ...], tmp_path: Path
) -> None:
    sandbox = Sandbox(tmp_path / "home")
    text = f"import pytest\n@pytest.mark.parametrize('n', range({COUNT}))\ndef test_one(n): pass\n"
    done = sandbox.run("run", sandbox.project({"test_many.py": text}), "--json", "--", *way)
    ends = [line["scenario"] for line in done.of("attempt.ended")]
    assert sorted(ends) == sorted(f"pytest:test_many.py::test_one[{number}]" for number in range(COUNT))
    assert (done.code, set(done.verdicts().values())) == (0, {"passed"})
