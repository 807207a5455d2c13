"""A project that is only here runs on a box: its files are brought, prepared once, and what it makes comes back."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.brought import SECRET, Here, launches, outputs
from tests.support.until import until
from tracekit.store.inventory import InventoryStore

TEST = """
import pathlib, os

def test_helper():
    import helper
    print("helper says", helper.WORD)

def test_writes():
    place = pathlib.Path("out")
    place.mkdir(exist_ok=True)
    (place / "made.log").write_text("made by the test; token is " + os.environ["DEPLOY_TOKEN"])
    (place / "other.txt").write_text("not asked for")
"""


@pytest.fixture
def here(served: tuple[sshd.Box, str, Path], tmp_path: Path) -> Here:
    made = Here(*served, tmp_path / re.sub(r"\W", "", tmp_path.name))
    made.files(test_it_dot_py=TEST, helper_dot_py='WORD = "one"\n')
    return made


def test_sync__project_is_only_here__then_runs_there_and_what_changed_goes_along(here: Here) -> None:
    here.profile()
    first = here.run()
    assert first.code == 0, first.err + first.out[-2000:]
    assert [*first.verdicts().values()] == ["passed", "passed"]
    assert "helper says one" in outputs(first)
    here.files(helper_dot_py='WORD = "two"\n', test_more_dot_py="def test_more(): pass\n")
    (here.root / "test_it.py").write_text(TEST.replace("def test_writes", "def test_renamed"))
    second = here.run()
    assert second.code == 0, second.err
    assert "helper says two" in outputs(second), outputs(second)
    assert sorted(name.rpartition("::")[2] for name in second.verdicts()) == [
        "test_helper",
        "test_more",
        "test_renamed",
    ]


def test_sync__selector_and_rerun__then_the_files_of_that_moment(here: Here) -> None:
    here.profile()
    broken = TEST.replace("import helper\n", "import helper\n    assert helper.WORD == 'mended'\n")
    here.files(test_it_dot_py=broken)
    red = here.run("-s", "test_it.py::test_helper")
    assert (red.code, [*red.verdicts().values()]) == (1, ["failed"]), red.err
    here.files(helper_dot_py='WORD = "mended"\n')
    again = here.sandbox.run("rerun", red.run_id(), "--failed", "--json")
    assert (again.code, [*again.verdicts().values()]) == (0, ["passed"]), again.err


def test_sync__one_scenario_is_chosen_again_after_an_edit__then_it_is_found_as_before(here: Here) -> None:
    here.profile()
    for edit in ("", "", "# once more\n"):
        here.files(test_it_dot_py=TEST + edit)
        done = here.run("-s", "test_it.py::test_helper")
        assert (done.code, [*done.verdicts().values()]) == (0, ["passed"]), done.err
    # What is kept names the files of the project here, wherever the box has them.
    kept = InventoryStore(here.sandbox.home / "cache" / "tracekit").load(str(here.root), "@box7")
    assert kept is not None
    assert {run.place for run in kept.runs} == {"test_it.py"}


def test_sync__what_looks_like_a_secret__then_stays_here_and_is_named(here: Here) -> None:
    here.profile()
    here.files(_dot_env="A=1\n", keys__host_dot_pem="key\n", _dot_env_dot_example="A=\n")
    here.files(
        test_it_dot_py="import os\n"
        "def test_only_what_may():\n"
        "    names = [name for _, _, files in os.walk('.') for name in files]\n"
        "    assert '.env' not in names and 'host.pem' not in names\n"
        "    assert '.env.example' in names\n"
    )
    done = here.run()
    assert done.code == 0, done.out[-2000:]
    (warning,) = (line for line in done.of("warning") if line["category"] == "sync")
    assert ".env, keys/host.pem" in warning["message"]
    assert ".env.example" not in warning["message"]


def test_sync__git_ignores_it__then_it_stays_here(here: Here) -> None:
    here.profile()
    git = ["git", "-C", str(here.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    here.files(_dot_gitignore="big/\n", big__data_dot_bin="x" * 1000)
    (here.root / "link").symlink_to("helper.py")
    (here.root / "run.sh").write_text("#!/bin/sh\n")
    (here.root / "run.sh").chmod(0o755)
    here.files(
        test_it_dot_py="import os\n"
        "def test_tree():\n"
        "    assert not os.path.exists('big')\n"
        "    assert os.readlink('link') == 'helper.py' and os.access('run.sh', os.X_OK)\n"
        "    assert not os.access('helper.py', os.X_OK)\n"
    )
    assert here.run().code == 0


def test_prepare__bare_box__then_one_line_makes_it_green_and_the_second_run_prepares_nothing(
    here: Here,
) -> None:
    copy = f"cp -r {shlex.quote(str(here.library))}/. .venv/lib"
    make = f"{here.python} -m venv --without-pip .venv && mkdir -p .venv/lib && {copy}"
    here.profile(
        f'prepare = ["{make}", "echo prepared > .venv/word"]', 'keep = [".venv"]', python=".venv/bin/python"
    )
    text = (here.root / "tracekit.toml").read_text()
    (here.root / "tracekit.toml").write_text(text.replace(f'"{here.library}"', '".venv/lib"'))
    here.files(
        requirements_dot_txt="pytest\n", test_it_dot_py="def test_word(): print(open('.venv/word').read())\n"
    )
    first = here.run()
    assert first.code == 0, first.out[-3000:]
    assert launches(first) == ["sync", "prepare", "prepare", "all scenarios"]
    second = here.run()
    assert (second.code, launches(second)) == (0, ["sync", "all scenarios"]), second.out[-3000:]
    assert "prepared" in outputs(second)
    here.files(requirements_dot_txt="pytest>=7\n")
    assert launches(here.run()) == ["sync", "prepare", "prepare", "all scenarios"]


def test_prepare__fails__then_nothing_is_run_and_no_test_is_red(here: Here) -> None:
    here.profile('prepare = ["echo no such package >&2; exit 3", "echo never"]')
    done = here.run()
    assert done.code == 1
    assert launches(done) == ["sync", "prepare"]
    (failed,) = done.of("runner.failed_to_start")
    assert (failed["code"], failed["exit"], "no such package" in failed["stderr"]) == (
        "prepare.failed",
        3,
        True,
    )
    assert not done.verdicts()
    assert [line["code"] for line in done.of("suite.failed")] == ["suite.blocked"]


def test_service__asked_by_a_command_of_the_project__then_there_behind_what_prepares_it(here: Here) -> None:
    service = (
        "[env.box7.service.api]",
        'start = ["./serve"]',
        'ready = { command = ["cat", "made"], within = "1s" }',
    )
    here.profile(*service)
    unwell = here.run()
    assert (unwell.code, launches(unwell)) == (5, ["sync", "services"]), unwell.err
    assert "No such file" in unwell.of("service.unhealthy")[0]["why"]
    assert not unwell.verdicts()
    here.profile('prepare = ["touch made"]', *service)
    well = here.run()
    assert (well.code, launches(well)) == (0, ["sync", "prepare", "services", "all scenarios"]), well.err
    assert [line["service"] for line in well.of("service.ready")] == ["api"]


def test_artefacts__by_glob__then_here_as_blobs_without_secrets(here: Here) -> None:
    here.profile('artefacts = ["out/*.log"]')
    done = here.run()
    assert done.code == 0, done.err
    (attached,) = done.of("attachment")
    assert attached["name"] == "out/made.log"
    folder = here.sandbox.state / "runs" / done.run_id() / "box7"
    blob = (folder / "blobs" / attached["hash"]).read_bytes()
    assert blob.startswith(b"made by the test")
    assert SECRET.encode() not in blob
    assert "«redacted:DEPLOY_TOKEN»".encode() in blob
    assert [entry.name for entry in (folder / "blobs").iterdir()] == [attached["hash"]]
    assert here.sandbox.run("verify", done.run_id()).code == 0


def test_sync__two_runs_at_once__then_each_has_files_of_its_own(here: Here) -> None:
    here.profile()
    waits = (
        "import os, pathlib, time\n"
        "def test_place():\n"
        "    pathlib.Path('mine').write_text('x')\n"
        f"    gate = pathlib.Path({str(here.box.home)!r}) / 'gate-{here.root.parent.name}'\n"
        "    while not gate.exists():\n"
        "        time.sleep(0.02)\n"
        "    assert pathlib.Path('mine').exists()\n"
        "    print('stands in', os.getcwd())\n"
    )
    here.files(test_it_dot_py=waits)
    command = ("run", here.root, "--env", "box7", "--json")
    both = [here.sandbox.start(*command) for _ in range(2)]
    projects = here.box.home / ".local" / "state" / "tracekit" / "box" / "projects"
    until(lambda: len([*projects.glob("*/*/tree/mine")]) == 2)
    (here.box.home / f"gate-{here.root.parent.name}").touch()
    places = set()
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        found = [json.loads(line) for line in out.splitlines()]
        text = "".join(line.get("text", "") for line in found if line["e"] == "output")
        places |= set(re.findall(r"stands in (\S+)", text))
    assert len(places) == 2


def test_sync__line_is_cut_while_files_are_sent__then_the_rest_follows(here: Here) -> None:
    here.profile()
    for number in range(100):
        (here.root / f"data{number}.bin").write_bytes(os.urandom(1 << 20))
    files = here.box.home / ".local" / "state" / "tracekit" / "box" / "files"
    before = len([*files.glob("*/*")])
    process = here.sandbox.start("run", here.root, "--env", "box7", "--json")
    until(lambda: len([*files.glob("*/*")]) > before + 3)
    assert sshd.cut(here.box)
    had = len([*files.glob("*/*")])
    out, err = process.communicate(timeout=120)
    assert had < len([*files.glob("*/*")])
    assert process.returncode == 0, err.decode()
    assert out.count(b'"verdict":"passed"') >= 2


def test_sync__box_is_not_there__then_says_so_as_ever(here: Here) -> None:
    here.profile()
    text = (here.root / "tracekit.toml").read_text()
    (here.root / "tracekit.toml").write_text(text.replace(f"port = {here.box.port}", "port = 1"))
    done = here.run()
    assert (done.code, "nobody listens there" in done.err) == (5, True)
