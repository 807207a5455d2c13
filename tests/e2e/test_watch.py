"""`run --watch`: real files are saved, real runs answer, stale ones are gone, and nothing loops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Sandbox, processes_with
from tests.support.until import until
from tracekit.engine.saves import NEW_ROW

GREEN = "def test_{name}(): ...\n"
RED = "def test_{name}(): assert 1 == 2\n"


class Watch:
    """A watching process, what it has said so far, and a hand that saves files."""

    def __init__(self, sandbox: Sandbox, root: Path, *words: str) -> None:
        self.root = root
        self.process = sandbox.start("run", root, "--watch", *words)
        self.out: list[str] = []
        self.err: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.out)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.err)),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream: Any, into: list[str]) -> None:
        with stream:
            into.extend(line.decode("utf-8", "replace").rstrip("\n") for line in stream)

    def save(self, name: str, text: str) -> None:
        """As an editor does: beside it, then in its place."""
        part = self.root / f"{name}.tmp~"
        part.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text)
        part.replace(self.root / name)

    def facts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in tuple(self.out) if line]

    def states(self) -> list[dict[str, Any]]:
        return [fact for fact in self.facts() if fact.get("schema") == "tracekit.watch/1"]

    def waits(self, times: int) -> list[dict[str, Any]]:
        """Until it has waited so often; gives what was said of saves."""
        until(lambda: [one["state"] for one in self.states()].count("waiting") >= times or self.ended())
        return [one for one in self.states() if one["state"] == "saved"]

    def verdicts(self) -> list[tuple[str, str]]:
        """Every verdict of every run, in order."""
        return [
            (fact["scenario"].rpartition("::")[2], fact["verdict"])
            for fact in self.facts()
            if fact.get("e") == "attempt.ended"
        ]

    def runs(self) -> list[str]:
        return [fact["run"] for fact in self.facts() if fact.get("e") == "run.started"]

    def ended(self) -> bool:
        assert self.process.poll() is None, (self.out[-20:], self.err[-20:])
        return False

    def stop(self, number: int = signal.SIGINT) -> int:
        """As ctrl-c does; gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(60)
        for thread in self._threads:
            thread.join()
        return code


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    found: list[Watch] = []
    yield found
    for watch in found:
        watch.stop(signal.SIGKILL)


def started(
    sandbox: Sandbox, watches: list[Watch], files: dict[str, str], *words: str, json_lines: bool = True
) -> Watch:
    root = sandbox.project(files)
    watch = Watch(sandbox, root, *(["--json"] if json_lines else []), *words)
    watches.append(watch)
    return watch


def test_watch__saves__then_failed_first_else_the_changed_file_until_ctrl_c(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    watch = started(
        sandbox, watches, {"test_a.py": GREEN.format(name="a"), "test_b.py": GREEN.format(name="b")}
    )
    watch.waits(1)
    watch.save("test_a.py", RED.format(name="a"))
    watch.waits(2)
    watch.save("test_b.py", GREEN.format(name="b") + "\n")
    watch.waits(3)
    watch.save("test_a.py", GREEN.format(name="a"))
    watch.waits(4)
    watch.save("test_b.py", GREEN.format(name="b") + GREEN.format(name="new"))
    saved = watch.waits(5)
    assert [(one["saved"], one["why"], one["scenarios"]) for one in saved] == [
        (["test_a.py"], "changed", 1),
        (["test_b.py"], "failed", 1),
        (["test_a.py"], "failed", 1),
        (["test_b.py"], "changed", 2),
    ]
    assert watch.verdicts() == [
        ("test_a", "passed"),
        ("test_b", "passed"),
        ("test_a", "failed"),
        ("test_a", "failed"),
        ("test_a", "passed"),
        ("test_b", "passed"),
        ("test_new", "passed"),
    ]
    assert watch.stop() == 128 + signal.SIGINT
    until(lambda: not processes_with(str(sandbox.home)))


def test_watch__a_test_is_written_while_another_is_red__then_both_run(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    watch = started(sandbox, watches, {"test_a.py": RED.format(name="a")})
    watch.waits(1)
    watch.save("test_a.py", GREEN.format(name="a") + RED.format(name="new"))
    (saved,) = watch.waits(2)
    assert (saved["why"], saved["scenarios"]) == ("failed", 2)
    assert watch.verdicts()[1:] == [("test_a", "passed"), ("test_new", "failed")]
    assert watch.stop() == 128 + signal.SIGINT


def test_watch__a_save_while_a_run_goes_on__then_it_is_cancelled_and_gone_first(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    hangs = (
        "import subprocess, sys, pathlib\n"
        "def test_a():\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'])\n"
        "    pathlib.Path(__file__).with_name('pid.txt').write_text(str(child.pid))\n"
        "    child.wait()\n"
    )
    watch = started(sandbox, watches, {"test_a.py": hangs, "test_b.py": GREEN.format(name="b")})
    pid = watch.root / "pid.txt"
    until(lambda: pid.exists() and pid.read_text())
    watch.save("test_a.py", GREEN.format(name="a"))
    (saved,) = watch.waits(1)
    assert saved["saved"] == ["test_a.py"]
    assert not Path(f"/proc/{pid.read_text()}").exists()
    facts = watch.facts()
    first, second = watch.runs()
    ended = next(i for i, fact in enumerate(facts) if fact.get("e") == "run.ended" and fact["run"] == first)
    begun = next(
        i for i, fact in enumerate(facts) if fact.get("e") == "run.started" and fact["run"] == second
    )
    assert facts[ended]["reason"] == "cancelled"
    assert ended < begun
    assert watch.verdicts()[-1] == ("test_a", "passed")


def test_watch__tests_that_write_into_their_own_tree__then_no_loop(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    writes = (
        "import pathlib, time\n"
        "here = pathlib.Path(__file__).parent\n"
        "def test_a():\n"
        "    (here / 'out.json').write_text(str(time.time_ns()))\n"
        "    (here / 'same.py').write_text('x = 1\\n')\n"
        "    (here / 'made.py').write_text(f'x = {time.time_ns()}\\n')\n"
    )
    watch = started(sandbox, watches, {"test_a.py": writes})
    saved = watch.waits(1)
    # What it makes anew each time is taken for a person's at first, since it is Python, and then no more.
    assert len(saved) == NEW_ROW
    assert [name for one in saved for name in one["saved"]].count("made.py") == NEW_ROW
    assert {
        name for one in watch.states() if one["state"] == "written-by-tests" for name in one["files"]
    } == {
        "out.json",
        "made.py",
    }
    runs = len(watch.runs())
    watch.save("test_a.py", writes + "\n")
    saved = watch.waits(2)
    assert saved[-1]["saved"] == ["test_a.py"]
    assert len(watch.runs()) == runs + 1


def test_watch__a_syntax_error__then_told_and_the_next_save_goes_on(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    watch = started(
        sandbox, watches, {"test_a.py": GREEN.format(name="a"), "test_b.py": GREEN.format(name="b")}
    )
    watch.waits(1)
    watch.save("test_a.py", "def test_a(:\n")
    (saved,) = watch.waits(2)
    assert (saved["why"], saved["scenarios"]) == ("nothing", 0)
    assert [one["file"] for one in saved["problems"]] == ["test_a.py"]
    assert "SyntaxError" in saved["problems"][0]["what"]
    watch.save("test_a.py", GREEN.format(name="a"))
    saved = watch.waits(3)[-1]
    assert (saved["why"], saved["scenarios"]) == ("changed", 1)


def test_watch__files_come_and_go__then_followed(sandbox: Sandbox, watches: list[Watch]) -> None:
    watch = started(
        sandbox, watches, {"test_a.py": RED.format(name="a"), "test_b.py": GREEN.format(name="b")}
    )
    watch.waits(1)
    (watch.root / "test_a.py").unlink()
    saved = watch.waits(2)[-1]
    assert (saved["deleted"], saved["why"]) == (["test_a.py"], "nothing")
    watch.save("deep/er/test_c.py", GREEN.format(name="c"))
    saved = watch.waits(3)[-1]
    assert (saved["saved"], saved["why"]) == (["deep/er/test_c.py"], "changed")
    assert watch.verdicts()[-1] == ("test_c", "passed")
    watch.save("deep/er/test_c.py", RED.format(name="c"))
    watch.waits(4)
    assert watch.verdicts()[-1] == ("test_c", "failed")
    # A test that is not there any more does not stay red for ever.
    watch.save("deep/er/test_c.py", GREEN.format(name="other"))
    watch.waits(5)
    watch.save("test_b.py", GREEN.format(name="b") + "\n")
    assert watch.waits(6)[-1]["why"] == "changed"


def test_watch__a_module__then_the_tests_that_import_it(sandbox: Sandbox, watches: list[Watch]) -> None:
    files = {
        "pytest.ini": "[pytest]\npythonpath = .\n",
        "shop/__init__.py": "",
        "shop/price.py": "VAT = 1\n",
        "shop/order.py": "from shop import price\n",
        "shop/loose.py": "",
        "test_a.py": "from shop.order import price\ndef test_a(): assert price.VAT == 1\n",
        "test_b.py": GREEN.format(name="b"),
    }
    watch = started(sandbox, watches, files)
    watch.waits(1)
    watch.save("shop/loose.py", "x = 1\n")
    saved = watch.waits(2)[-1]
    assert (saved["why"], saved["scenarios"]) == ("everything", None)
    assert "no test is seen to import shop/loose.py" in saved["what"]
    watch.save("shop/price.py", "VAT = 2\n")
    saved = watch.waits(3)[-1]
    assert (saved["why"], saved["scenarios"]) == ("importers", 1)
    assert watch.verdicts()[-1] == ("test_a", "failed")


def test_watch__its_own_output_goes_into_the_project__then_no_loop(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_a.py": GREEN.format(name="a")})
    out = root / "out.txt"

    def waited(times: int) -> None:
        until(lambda: out.read_text().count("waiting for a save") >= times)

    with out.open("wb") as file:
        process = sandbox.start("run", root, "--watch", stdout=file)
    try:
        for number, name in enumerate(("again", "once_more"), 1):
            waited(number)
            # Time enough to be woken by its own words.
            for _ in range(3):
                assert sandbox.run("list", root).code == 0
            (root / "test_a.py").write_text(GREEN.format(name=name))
        waited(3)
        assert out.read_text().count("saved:") == 2
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def test_watch__what_is_ignored__then_never_a_run(sandbox: Sandbox, watches: list[Watch]) -> None:
    sandbox.environ["XDG_STATE_HOME"] = str(sandbox.home / "project" / "state")
    files = {
        "test_a.py": GREEN.format(name="a"),
        ".gitignore": "out/\n*.log\n",
        ".git/HEAD": "x",
        "src/x.py": "",
    }
    watch = started(sandbox, watches, files, "--junit", str(sandbox.home / "project" / "report.xml"))
    assert watch.waits(1) == []
    for name in (
        "out/a.py",
        "a.log",
        ".git/index.py",
        "__pycache__/a.py",
        ".venv/a.py",
        "state/tracekit/x.py",
        "src/.#x.py",
    ):
        (watch.root / name).parent.mkdir(exist_ok=True)
        (watch.root / name).write_text("x = 1\n")
    watch.save("test_a.py", GREEN.format(name="a") + "\n")
    (saved,) = watch.waits(2)
    assert saved["saved"] == ["test_a.py"]
    assert (watch.root / "report.xml").is_file()
    assert len(watch.runs()) == 2


def test_watch__many_files_at_once__then_one_run(sandbox: Sandbox, watches: list[Watch]) -> None:
    watch = started(sandbox, watches, {"test_a.py": GREEN.format(name="a")})
    watch.waits(1)
    for number in range(40):
        (watch.root / f"test_n{number}.py").write_text(GREEN.format(name=f"n{number}"))
    saved = watch.waits(2)
    assert {name for one in saved for name in one["saved"]} == {f"test_n{number}.py" for number in range(40)}
    assert len({name for name, _ in watch.verdicts()}) == 41


def test_watch__a_faulty_profile_is_saved__then_told_and_mended_by_the_next(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    files = {"test_a.py": GREEN.format(name="a"), "tracekit.toml": '[suite.one]\nrunner = "pytest"\n'}
    watch = started(sandbox, watches, files)
    watch.waits(1)
    watch.save("tracekit.toml", "[suite.one]\nrunner = 'nobody'\n")
    watch.waits(2)
    until(lambda: any("tracekit.toml:2:suite.one.runner" in line for line in tuple(watch.err)))
    watch.save("tracekit.toml", '[suite.one]\nrunner = "pytest"\n')
    watch.waits(3)
    assert len(watch.runs()) == 2


def test_watch__ctrl_c_in_a_run__then_130_and_nothing_is_left(sandbox: Sandbox, watches: list[Watch]) -> None:
    waits = (
        "import pathlib, threading\ndef test_a():\n    pathlib.Path(__file__).with_name('x.txt').touch()\n"
    )
    watch = started(sandbox, watches, {"test_a.py": f"{waits}    threading.Event().wait()\n"})
    until((watch.root / "x.txt").exists)
    assert watch.stop() == 130
    assert [fact["reason"] for fact in watch.facts() if fact.get("e") == "run.ended"] == ["cancelled"]
    until(lambda: not processes_with(str(sandbox.home)))


def test_watch__words__then_a_line_for_each_save_and_each_wait(
    sandbox: Sandbox, watches: list[Watch]
) -> None:
    watch = started(sandbox, watches, {"test_a.py": GREEN.format(name="a")}, json_lines=False)

    def said(text: str) -> bool:
        return any(text in line for line in tuple(watch.out)) or watch.ended()

    until(lambda: said("waiting for a save"))
    watch.save("test_a.py", RED.format(name="a"))
    until(lambda: said("saved: test_a.py → 1 scenario of test_a.py"))
    until(lambda: said("1 failed"))
    watch.save("test_a.py", "def test_a(:\n")
    until(lambda: said("→ 1 scenario that failed"))
    until(lambda: said("SyntaxError"))
    assert watch.stop(signal.SIGTERM) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("words", "told"), [(("--env", "box7"), "another one"), (("--detach",), "not allowed")]
)
def test_watch__what_cannot_be_watched__then_2(sandbox: Sandbox, words: tuple[str, ...], told: str) -> None:
    boxed = "[env.box7]\nhost = 'box7.invalid'\nhow = 'connect'\npath_map = { '/srv' = '.' }\n"
    root = sandbox.project({"test_a.py": GREEN.format(name="a"), "tracekit.toml": boxed})
    done = sandbox.run("run", root, "--watch", *words)
    assert done.code == 2, done.err
    assert told in done.err


def test_watch__nobody_reads_any_more__then_it_ends(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_a.py": GREEN.format(name="a")})
    reader, writer = os.pipe()
    process = sandbox.start("run", root, "--watch", stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    os.close(reader)
    assert process.wait(60) in {128 + signal.SIGPIPE, -signal.SIGPIPE}
