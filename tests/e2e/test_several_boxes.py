"""One launch on several boxes: the same on each with its differences, one suite shared, and one of them lost."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.support.until import until

TESTS = 24
UNREACHABLE = 5
SUITE = """
import os, pathlib, time
import pytest

HOME = pathlib.Path(os.path.expanduser("~"))

@pytest.mark.parametrize("number", range({tests}))
def test_it(number):
    with open(HOME / "count", "a") as file:
        file.write(f"{{number}}\\n")
    while not (HOME / "gate").exists() and number % 4 == 3:
        time.sleep(0.02)
"""


class Fleet:
    """Some boxes, one person, one project."""

    def __init__(
        self, boxes: dict[str, sshd.Box], home: Path, python: str, libraries: dict[str, Path]
    ) -> None:
        self.boxes = boxes
        self.sandbox = Sandbox(home)
        ssh = home / ".ssh"
        ssh.mkdir(mode=0o700)
        keys = "".join(f"IdentityFile {box.client_home}/.ssh/id_ed25519\n" for box in boxes.values())
        (ssh / "config").write_text(f"{keys}IdentityAgent none\n")
        (ssh / "known_hosts").write_text("".join(box.known_host for box in boxes.values()))
        self.python, self.libraries = python, libraries
        self.root = home / "project"

    def project(self, source: str, *, idempotent: bool = False) -> None:
        tables = "".join(
            f'[env.{name}]\nhost = "{box.address}"\nuser = "{box.user}"\nport = {box.port}\n'
            f'prepare = ["mkdir -p lib && cp -r {self.libraries[name]}/. lib"]\nkeep = ["lib"]\n'
            for name, box in self.boxes.items()
        )
        suite = (
            f'[suite.it]\npython = "{self.python}"\nidempotent = {str(idempotent).lower()}\n'
            'args = ["-p", "no:cacheprovider"]\nenv = { PYTHONPATH = "lib", PYTHONDONTWRITEBYTECODE = "1" }\n'
        )
        self.sandbox.project({"test_it.py": source, "tracekit.toml": suite + tables})

    def count(self, name: str) -> list[int]:
        file = self.boxes[name].home / "count"
        return [int(line) for line in file.read_text().splitlines()] if file.exists() else []

    def open_gates(self, *names: str) -> None:
        for name in names:
            (self.boxes[name].home / "gate").touch()


@contextlib.contextmanager
def fleet(
    folder: Path, *names: str, networks: bool = False
) -> Iterator[tuple[Fleet, dict[str, sshd.Network]]]:
    with contextlib.ExitStack() as stack:
        boxes: dict[str, sshd.Box] = {}
        nets: dict[str, sshd.Network] = {}
        lent = {}
        for number, name in enumerate(names, 1):
            if networks:
                nets[name] = stack.enter_context(sshd.network(number))
            box = sshd.box(folder / name, settings="SetEnv TRACEKIT_AGENT_IDLE=5", network=nets.get(name))
            boxes[name] = stack.enter_context(box)
            lent[name] = sshd.lend_pytest(boxes[name])
        python = lent[names[0]][0]
        yield (
            Fleet(boxes, folder / "home", python, {name: library for name, (_, library) in lent.items()}),
            nets,
        )


def verdict_lines(lines: list[dict[str, Any]]) -> list[str]:
    return [line["scenario"] for line in lines if line.get("e") == "attempt.ended"]


def test_run__same_suite_on_two_boxes__then_the_difference_is_told(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as (made, _):
        if made.boxes["a"].home == made.boxes["b"].home:
            pytest.fail("the boxes must not be one")
        made.project(
            "import os, pathlib\n"
            "def test_same(): pass\n"
            "def test_of_a(): assert (pathlib.Path(os.path.expanduser('~')) / 'is-a').exists()\n"
        )
        (made.boxes["a"].home / "is-a").touch()
        done = made.sandbox.run("run", made.root, "--env", "a,b", "--json")
        told = done.lines()[-1]
        assert (done.code, told["schema"]) == (1, "tracekit.boxes/1"), done.err
        assert told["differing"] == {"pytest@it:test_it.py::test_of_a": {"a": "passed", "b": "failed"}}
        assert [row["state"] for row in told["boxes"]] == ["ended", "ended"]
        said = made.sandbox.run("run", made.root, "--env", "a,b")
        assert "≠ pytest@it:test_it.py::test_of_a  a: passed, b: failed" in said.out


def test_run__service_of_one_box_is_not_well__then_that_box_says_so_and_the_other_has_its_verdicts(
    tmp_path: Path,
) -> None:
    with fleet(tmp_path, "a", "b") as (made, _):
        made.project("def test_it(): pass\n")
        profile = made.root / "tracekit.toml"
        asks = '["sh", "-c", "test -e ~/ready"]'
        services = "".join(
            f'[env.{name}.service.db]\nstart = ["db"]\nready = {{ command = {asks}, within = "1s" }}\n'
            for name in "ab"
        )
        profile.write_text(profile.read_text() + services)
        (made.boxes["a"].home / "ready").touch()
        done = made.sandbox.run("run", made.root, "--env", "a,b", "--json")
        told = done.lines()[-1]
        assert done.code == UNREACHABLE, done.err
        assert [row["verdicts"] for row in told["boxes"]] == [{"passed": 1}, {}]
        assert told["boxes"][1]["why"] == "a service that the tests need is not well"
        # What b has is not known, since nothing was started there.
        assert (told["differing"], told["facts"]) == ({}, {})
        said = made.sandbox.run("run", made.root, "--env", "a,b")
        assert "b                ended    nothing: a service that the tests need is not well" in said.out


def test_share__two_boxes__then_every_test_ran_once(tmp_path: Path) -> None:
    with fleet(tmp_path, "a", "b") as (made, _):
        made.project(SUITE.format(tests=TESTS))
        made.open_gates("a", "b")
        done = made.sandbox.run("run", made.root, "--env", "a,b", "--share", "--json")
        assert done.code == 0, done.err
        assert sorted(made.count("a") + made.count("b")) == list(range(TESTS))
        assert made.count("a")
        assert made.count("b")
        assert len(verdict_lines(done.lines())) == TESTS
        # A box that is not there gives its share to the others, before anything has begun.
        text = (made.root / "tracekit.toml").read_text()
        dead = text.replace(f"port = {made.boxes['b'].port}", "port = 1")
        (made.root / "tracekit.toml").write_text(dead)
        again = made.sandbox.run("run", made.root, "--env", "a,b", "--share", "--json")
        assert again.out, again.err
        told = again.lines()[-1]
        assert (again.code, told["missing"]) == (0, []), again.err
        assert len(verdict_lines(again.lines())) == TESTS


@pytest.mark.parametrize("idempotent", [False, True])
def test_share__three_networks_and_one_box_is_killed__then_every_test_ran_once_or_says_why_not(
    tmp_path: Path, idempotent: bool
) -> None:
    with fleet(tmp_path, "a", "b", "c", networks=True) as (made, nets):
        made.project(SUITE.format(tests=TESTS), idempotent=idempotent)
        command = ("run", made.root, "--env", "a,b,c", "--share", "--lost-after", "2", "--json")
        process = made.sandbox.start(*command)
        until(lambda: all(made.count(name) for name in "abc"))
        nets["b"].pull_the_plug()
        uid = made.boxes["b"].home.stat().st_uid
        for pid in sshd.processes_of(uid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        made.open_gates("a", "c")
        out, err = process.communicate(timeout=200)
        lines = [json.loads(line) for line in out.splitlines()]
        told = lines[-1]
        ended = verdict_lines(lines)
        missing = [each["scenario"] for each in told["missing"]]
        assert sorted([*ended, *missing]) == sorted(
            f"pytest@it:test_it.py::test_it[{number}]" for number in range(TESTS)
        ), err.decode()
        states = {row["box"]: row["state"] for row in told["boxes"]}
        assert (states["a"], states["b"], states["c"]) == ("ended", "lost", "ended")
        counted = [number for name in "abc" for number in made.count(name)]
        again = {number for number in counted if counted.count(number) > 1}
        if not idempotent:
            assert not again
        # What ran a second time had begun on the box that is gone, and nowhere else.
        assert again <= set(made.count("b"))
        if idempotent:
            assert (process.returncode, missing) == (0, [])
        else:
            assert process.returncode == 5
            assert missing
            assert all("b was lost" in each["why"] for each in told["missing"])


def test_several__flags_that_are_for_one__then_refused(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    text = '[suite.it]\n[env.a]\nhost = "a"\n[env.b]\nhost = "b"\n'
    project = sandbox.project({"test_it.py": "", "tracekit.toml": text})
    for flag in ("--watch", "--detach"):
        assert sandbox.run("run", project, "--env", "a,b", flag).code == 2
    assert sandbox.run("run", project, "--env", "a,a").code == 2
