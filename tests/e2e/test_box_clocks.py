"""Boxes whose clocks are not this machine's: their events in one order, and a box that restarts under a run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import uuid
from pathlib import Path

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.support.pairs import Pair
from tests.support.until import until

FAR = 100_000
TALKS = """
import logging, os, pathlib, time

def test_talks():
    mine, other = os.environ["MINE"], os.environ["OTHER"]
    for number in range(int(os.environ["FIRST"]), 40, 2):
        before = pathlib.Path(other) / f"said-{number - 1}"
        while number and not before.exists():
            time.sleep(0.001)
        logging.warning("word %d", number)
        (pathlib.Path(mine) / f"said-{number}").touch()
        time.sleep(0.02)
"""


def fleet(folder: Path, boxes: dict[str, sshd.Box]) -> tuple[Sandbox, Path]:
    """Two boxes that say a word in turn, each when it has seen the other's."""
    home = folder / "home"
    sandbox = Sandbox(home)
    (home / ".ssh").mkdir(mode=0o700)
    keys = "".join(f"IdentityFile {box.client_home}/.ssh/id_ed25519\n" for box in boxes.values())
    (home / ".ssh" / "config").write_text(f"{keys}IdentityAgent none\n")
    (home / ".ssh" / "known_hosts").write_text("".join(box.known_host for box in boxes.values()))
    lent = {name: sshd.lend_pytest(box) for name, box in boxes.items()}
    python = next(iter(lent.values()))[0]
    tables = "".join(
        f'[env.{name}]\nhost = "{box.address}"\nuser = "{box.user}"\nport = {box.port}\n'
        f'prepare = ["mkdir -p lib && cp -r {lent[name][1]}/. lib"]\nkeep = ["lib"]\n'
        for name, box in boxes.items()
    )
    suite = (
        f'[suite.it]\npython = "{python}"\nargs = ["-p", "no:cacheprovider"]\n'
        'env = { PYTHONPATH = "lib", PYTHONDONTWRITEBYTECODE = "1" }\n'
    )
    return sandbox, sandbox.project({"tracekit.toml": suite + tables})


def test_events__two_boxes_of_far_clocks__then_in_the_order_in_which_they_happened_with_the_bound(
    tmp_path: Path,
) -> None:
    ahead = ["unshare", "--time", "--monotonic", str(FAR), "--boottime", str(FAR), "--fork", "--kill-child"]
    with (
        # Not below pytest's own folder: any other pytest of this user shuts that one to everybody else when it starts.
        tempfile.TemporaryDirectory(prefix="tracekit-shared-", ignore_cleanup_errors=True) as shared,
        sshd.box(tmp_path / "a", settings=f"SetEnv MINE={shared} OTHER={shared} FIRST=0") as a,
        sshd.box(tmp_path / "b", settings=f"SetEnv MINE={shared} OTHER={shared} FIRST=1", inside=ahead) as b,
    ):
        Path(shared).chmod(0o777)
        sandbox, root = fleet(tmp_path, {"a": a, "b": b})
        (root / "test_it.py").write_text(TALKS)
        done = sandbox.run("run", root, "--env", "a,b", "--json")
        assert done.code == 0, done.err + done.out[-2000:]
        runs = [row["run"] for row in done.lines()[-1]["boxes"]]
        rows = sandbox.run("events", ",".join(runs), "kind=log", "--json").lines()
        said = [row for row in rows if re.fullmatch(r"word \d+", str(row.get("text")))]
        assert [row["text"] for row in said] == [f"word {number}" for number in range(40)]
        assert [row["box"] for row in said] == ["a", "b"] * 20
        bounds = {row["bound"] for row in said}
        assert all(0 < bound < 10**9 for bound in bounds), bounds
        # Their own clocks would have told another story.
        assert said[1]["m"] - said[0]["m"] > (FAR - 1000) * 10**9
        told = sandbox.run("events", ",".join(runs), "kind=log")
        assert re.search(r"# b: its clock is \d+\.\d{3} s (ahead|behind), ± \d+\.\d ms; run ", told.out), (
            told.out
        )
        assert sandbox.run("events", ",".join(runs), "--follow").code == 2


SLOW = """
import pathlib, time

def test_first():
    pass

def test_waits():
    (pathlib.Path(__file__).parent / "waits").touch()
    time.sleep(600)

def test_never():
    pass
"""


def test_run__box_restarts_under_it__then_said_in_words_and_no_test_has_failed(tmp_path: Path) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text(f"{uuid.uuid4()}\n")
    bound = f'mount --bind {boot} /proc/sys/kernel/random/boot_id && exec "$0" "$@"'
    inside = ["unshare", "--mount", "sh", "-c", bound]
    with sshd.box(tmp_path / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=5", inside=inside) as box:
        pair = Pair(box, tmp_path / "home", *sshd.lend_pytest(box))
        pair.project(SLOW)
        pair.trust()
        process = pair.sandbox.start("run", pair.here, "--env", "box7", "--json")
        until((pair.there / "waits").exists)
        # As when the power goes: nobody hears of it, and what comes up has another boot id.
        boot.write_text(f"{uuid.uuid4()}\n")
        uid = box.home.stat().st_uid
        for _ in range(2):
            for pid in sshd.processes_of(uid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
        out, err = process.communicate(timeout=120)
    lines = [json.loads(line) for line in out.splitlines()]
    (end,) = [line for line in lines if line["e"] == "run.ended"]
    assert end["reason"] == "rebooted", end
    verdicts = {
        line["scenario"].rpartition("::")[2]: line["verdict"]
        for line in lines
        if line["e"] == "attempt.ended"
    }
    assert verdicts == {"test_first": "passed", "test_waits": "cancelled"}
    assert process.returncode == 5, err.decode()
    said = pair.sandbox.run("show", end["run"])
    assert "the box was restarted while the run went on" in said.out, said.out
    assert f"tracekit rerun {end['run']} --outstanding" in said.out


def test_show__clock_of_the_box_was_set_meanwhile__then_said_beside_the_run(tmp_path: Path) -> None:
    with sshd.box(tmp_path / "box", settings="SetEnv TRACEKIT_AGENT_IDLE=1") as box:
        pair = Pair(box, tmp_path / "home", *sshd.lend_pytest(box))
        pair.project("def test_one(): pass\n")
        pair.trust()
        done = pair.sandbox.run("run", pair.here, "--env", "box7", "--json")
        assert done.code == 0, done.err
    folder = pair.sandbox.state / "runs" / done.run_id()
    (notes,) = folder.glob("console-*.ndjson")
    (asked, *_) = [json.loads(line) for line in notes.read_text().splitlines() if '"clock"' in line]
    assert abs(asked["box_t"] - asked["t"]) <= asked["bound"] + 10**6
    assert "its clock" not in pair.sandbox.run("show", done.run_id()).out
    # As a console notes it once somebody has set the clock there two hours back.
    later = {name: asked[name] + 10**9 for name in ("t", "m", "box_m")}
    with notes.open("a") as file:
        file.write(json.dumps({**asked, **later, "box_t": asked["box_t"] + 10**9 - 7200 * 10**9}) + "\n")
    said = pair.sandbox.run("show", done.run_id()).out
    assert re.search(
        r"box7: its clock is 7\d{3}\.\d{3} s behind, ± .* ms; it was set by -7200\.0 s meanwhile", said
    ), said
