"""Runs on another machine over a real sshd, as a person has them: host keys, cut lines, nothing lost, nothing left."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.support.pairs import Pair, events
from tests.support.until import until

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "verdicts"
UNREACHABLE = 5
SLOW = """
import pathlib, time

def test_first():
    print("first is done", flush=True)

def test_waits():
    gate = pathlib.Path(__file__).with_name("gate")
    while not gate.exists():
        print("waiting", flush=True)
        time.sleep(0.02)

def test_last():
    print("last is done", flush=True)
"""


@pytest.fixture
def pair(served: tuple[sshd.Box, str, Path], tmp_path: Path) -> Pair:
    box, python, library = served
    known = box.client_home / ".ssh" / "known_hosts"
    known.unlink(missing_ok=True)
    return Pair(box, tmp_path / re.sub(r"\W", "", tmp_path.name), python, library)


def test_run__project_on_a_box__then_the_journal_is_the_same_as_here(pair: Pair) -> None:
    pair.project(FIXTURE)
    pair.trust()
    there = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    here = pair.sandbox.run("run", pair.here, "--json")
    assert (there.code, here.code) == (1, 1), there.err
    runs = pair.sandbox.state / "runs"
    alike = events(runs / here.run_id(), "local", pair.here)
    assert set(alike) >= {"daemon", "supervisor", "main", "output"}
    assert sum(map(len, alike.values())) > 80
    for role, told in events(runs / there.run_id(), "box7", pair.there).items():
        assert told == alike[role], role
    assert {line["src"].partition("/")[0] for line in there.lines()} == {"box7"}
    assert pair.sandbox.run("verify", there.run_id()).code == 0
    # What is here in full is gone there.
    kept = pair.box.home / ".local" / "state" / "tracekit" / "box" / "runs"
    until(lambda: not list(kept.iterdir()))


ENVIRON = """
import os

def test_environment():
    assert os.environ["HOME"] == os.path.expanduser("~")
    assert os.environ["PATH"] and os.environ["LOGNAME"] != "root"
    assert "SSH_CONNECTION" not in os.environ
    print("token is", os.environ["OF_THE_BOX_TOKEN"])
"""


def test_run__box_has_an_environment_of_its_own__then_its_tests_have_it_and_its_secrets_stay_there(
    tmp_path: Path,
) -> None:
    secret = "only-the-box-knows-this"
    with sshd.box(tmp_path / "box", settings=f"SetEnv OF_THE_BOX_TOKEN={secret}") as box:
        pair = Pair(box, tmp_path / "home", *sshd.lend_pytest(box))
        pair.project(ENVIRON)
        pair.trust()
        done = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
    assert done.code == 0, done.out
    assert "«redacted:OF_THE_BOX_TOKEN»" in "".join(line.get("text", "") for line in done.of("output"))
    assert not [
        path
        for path in pair.sandbox.home.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]


def test_rerun__of_a_run_on_a_box__then_there_again(pair: Pair) -> None:
    pair.project(FIXTURE)
    pair.trust()
    first = pair.sandbox.run(
        "run", pair.here, "--env", "box7", "-s", "test_verdicts.py::test_parameters", "--json"
    )
    again = pair.sandbox.run("rerun", first.run_id(), "--failed", "--json")
    assert [*again.verdicts().values()] == ["failed"], again.err
    assert {line["src"].partition("/")[0] for line in again.lines()} == {"box7"}


def test_run__line_is_cut_in_the_middle__then_nothing_is_missing(pair: Pair) -> None:
    pair.project(SLOW)
    pair.trust()
    process, folder = begun(pair)
    output = folder / "box7" / "output.bin"
    for number in range(3):
        before = size(output)
        until(functools.partial(grown, output, before))
        sshd.cut(pair.box)
        until(functools.partial(came_back, folder, number + 1))
    (pair.there / "gate").touch()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    assert out.count(b'"e":"attempt.ended"') == 3
    assert pair.sandbox.run("verify", folder.name).code == 0
    assert b"last is done" in output.read_bytes()


def test_run__line_is_cut_and_words_are_shown__then_when_it_broke_and_what_came_behind_it(pair: Pair) -> None:
    pair.project(SLOW)
    pair.trust()
    process = pair.sandbox.start("run", pair.here, "--env", "box7")
    runs = pair.sandbox.state / "runs"
    until(lambda: runs.is_dir() and [*runs.iterdir()])
    folder = next(runs.iterdir())
    until(functools.partial(grown, folder / "box7" / "output.bin", 0))
    sshd.cut(pair.box)
    until(functools.partial(came_back, folder, 1))
    (pair.there / "gate").touch()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err.decode()
    told = [line for line in out.decode().splitlines() if line.startswith("link: ")]
    assert re.fullmatch(r"link: reconnecting, attempt \d+, down since \d\d:\d\d:\d\d UTC.*", told[0]), told
    assert re.fullmatch(r"link: resumed, [\d,]+ events? caught up after \S+", told[-1]), told
    noted = b"".join(file.read_bytes() for file in folder.glob("console-*.ndjson"))
    lost = [json.loads(line) for line in noted.splitlines() if b'"e":"box.lost"' in line]
    assert [line["offset"] > 0 for line in lost] == [True]


FLOOD = """
import sys

def test_floods():
    for _ in range(3000):
        print("x" * 999)

def test_last():
    print("last is done")
"""


def test_run__box_sends_more_than_is_taken__then_the_journal_is_whole_and_a_larger_share_brings_the_rest(
    pair: Pair,
) -> None:
    pair.project(FLOOD)
    pair.trust()
    pair.sandbox.environ["TRACEKIT_COPY_SIZE"] = "1MiB"
    done = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert done.code == 0, done.err
    assert "more of this run than is taken here (1 MiB); not whole: output" in done.out + done.err
    (folder,) = (pair.sandbox.state / "runs").iterdir()
    output = folder / "box7" / "output.bin"
    assert size(output) < 1 << 20
    kept = pair.box.home / ".local" / "state" / "tracekit" / "box" / "runs" / folder.name
    assert kept.is_dir(), "the box keeps what is not here"
    pair.sandbox.environ["TRACEKIT_COPY_SIZE"] = "1GiB"
    again = pair.sandbox.run("attach", folder.name, "--json")
    assert (again.code, again.out.count('"e":"attempt.ended"')) == (0, 2), again.err
    assert b"last is done" in output.read_bytes()
    assert size(output) >= 3_000_000
    assert pair.sandbox.run("verify", folder.name).code == 0
    until(lambda: not kept.exists())


def begun(pair: Pair) -> tuple[subprocess.Popen[bytes], Path]:
    """A run on the box and its folder here, once there is one."""
    process = pair.sandbox.start("run", pair.here, "--env", "box7", "--json")
    runs = pair.sandbox.state / "runs"
    until(lambda: runs.is_dir() and [*runs.iterdir()])
    return process, next(runs.iterdir())


def grown(file: Path, before: int) -> bool:
    return size(file) > before


def came_back(folder: Path, times: int) -> bool:
    """Whether the console has noted so often that a line which was lost is there again."""
    told = b"".join(file.read_bytes() for file in folder.glob("console-*.ndjson"))
    return told.count(b'"e":"box.lost"') == told.count(b'"e":"box.resumed"') == times


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def test_detach__console_goes_and_another_comes__then_it_has_everything(pair: Pair) -> None:
    pair.project(SLOW)
    pair.trust()
    run = pair.sandbox.run("run", pair.here, "--env", "box7", "--detach").out.strip()
    (pair.there / "gate").touch()
    done = pair.sandbox.run("attach", run, "--json")
    assert done.code == 0, done.out
    assert [*done.verdicts().values()] == ["passed"] * 3
    assert pair.sandbox.run("verify", run).code == 0


def test_attach__console_is_killed_and_two_others_come_at_once__then_both_have_all_of_it(
    pair: Pair, tmp_path: Path
) -> None:
    pair.project(SLOW)
    pair.trust()
    first, folder = begun(pair)
    until(lambda: size(folder / "box7" / "output.bin") > 0)
    first.kill()
    first.communicate()
    elsewhere = another_machine(pair, tmp_path)
    again = pair.sandbox.start("attach", folder.name, "--json")
    other = elsewhere.start("attach", "box7", "--json", cwd=pair.here)
    theirs = elsewhere.state / "runs" / folder.name / "box7"
    until(lambda: size(theirs / "output.bin") > 0)
    (pair.there / "gate").touch()
    for process in (again, other):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        assert out.count(b'"e":"attempt.ended"') == 3
    for name in ("run.json", "journal.ndjson", "output.bin"):
        assert (folder / "box7" / name).read_bytes() == (theirs / name).read_bytes(), name
    for sandbox in (pair.sandbox, elsewhere):
        assert sandbox.run("verify", folder.name).code == 0
    kept = pair.box.home / ".local" / "state" / "tracekit" / "box" / "runs"
    until(lambda: not (kept / folder.name).exists())


def test_attach__another_console_here_is_bringing_the_run__then_reads_it_and_takes_over(pair: Pair) -> None:
    pair.project(SLOW)
    pair.trust()
    first, folder = begun(pair)
    output = folder / "box7" / "output.bin"
    until(lambda: size(output) > 0)
    second = pair.sandbox.start("attach", folder.name, "--json")
    assert second.stdout is not None
    assert b'"e":"run.started"' in second.stdout.readline()
    first.kill()
    first.communicate()
    before = size(output)
    until(functools.partial(grown, output, before))
    (pair.there / "gate").touch()
    with second:
        out = second.stdout.read()
    assert second.wait(timeout=120) == 0
    assert out.count(b'"e":"attempt.ended"') == 3
    assert pair.sandbox.run("verify", folder.name).code == 0


def test_rerun__of_a_run_that_another_machine_began__then_by_its_plan(pair: Pair, tmp_path: Path) -> None:
    pair.project(FIXTURE)
    pair.trust()
    run = pair.sandbox.run(
        "run", pair.here, "--env", "box7", "-s", "test_verdicts.py::test_parameters", "--detach"
    )
    elsewhere = another_machine(pair, tmp_path)
    attached = elsewhere.run("attach", run.out.strip(), "--env", "box7", "--json", cwd=pair.here)
    assert attached.code == 1, attached.err
    again = elsewhere.run("rerun", attached.run_id(), "--failed", "--json")
    assert [*again.verdicts().values()] == ["failed"], again.err
    assert {line["src"].partition("/")[0] for line in again.lines()} == {"box7"}


def test_attach__box_has_no_such_run__then_says_so(pair: Pair) -> None:
    pair.project(FIXTURE)
    pair.trust()
    done = pair.sandbox.run("attach", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--env", "box7", cwd=pair.here)
    assert (done.code, "the box has no such run" in done.err) == (2, True)


def another_machine(pair: Pair, folder: Path) -> Sandbox:
    """A person with the same keys, and with files of their own."""
    return Sandbox(folder / "elsewhere", {"HOME": str(pair.box.client_home)})


def test_run__host_key_is_not_known__then_refused_with_its_fingerprint_until_it_is_accepted(
    pair: Pair,
) -> None:
    pair.project(SLOW)
    (pair.there / "gate").touch()
    refused = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert (refused.code, "is not known" in refused.err, "SHA256:" in refused.err) == (
        UNREACHABLE,
        True,
        True,
    )
    assert pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new").code == 0
    assert pair.sandbox.run("run", pair.here, "--env", "box7").code == 0
    assert not (pair.box.client_home / ".ssh" / "known_hosts").exists(), "only our own file is written"


def test_run__host_key_has_changed__then_refused_and_never_accepted(pair: Pair, tmp_path: Path) -> None:
    pair.project(SLOW)
    pair.trust(f"[127.0.0.1]:{pair.box.port} {other_key(tmp_path)}\n")
    refused = pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new")
    assert refused.code == UNREACHABLE
    assert "has changed" in refused.err
    assert refused.err.count("SHA256:") == 2


@pytest.mark.parametrize("name", ["[127.0.0.1]:{port}", "127.0.0.1"])
def test_run__host_key_is_revoked__then_refused_on_every_port(pair: Pair, name: str) -> None:
    pair.project(SLOW)
    key = pair.box.known_host.split(" ", 1)[1]
    pair.trust(pair.box.known_host + f"@revoked {name.format(port=pair.box.port)} {key}")
    refused = pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new")
    assert (refused.code, "is revoked" in refused.err) == (UNREACHABLE, True)
    assert refused.err.count("SHA256:") == 1


def test_run__another_key_is_pinned__then_refused_although_it_is_known(pair: Pair) -> None:
    pair.project(SLOW, fingerprint="SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU")
    pair.trust()
    refused = pair.sandbox.run("run", pair.here, "--env", "box7", "--accept-new")
    assert (refused.code, "pins" in refused.err) == (UNREACHABLE, True)


@pytest.mark.parametrize(
    ("keys", "word"),
    [
        ({"port": 1}, "nobody listens"),
        ({"host": "no-such-host.invalid", "port": 22}, "no such host"),
        ({"user": "nobody-at-all"}, "does not let"),
    ],
)
def test_run__box_cannot_be_reached__then_says_why_and_ends_with_its_code(
    pair: Pair, keys: dict[str, Any], word: str
) -> None:
    pair.project(SLOW, **keys)
    pair.trust()
    done = pair.sandbox.run("run", pair.here, "--env", "box7")
    assert done.code == UNREACHABLE, done.err
    assert word in done.err


def other_key(folder: Path) -> str:
    """A public key that no host has."""
    file = folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return " ".join(file.with_suffix(".pub").read_text().split()[:2])
