"""unittest suites: found, run and told as unittest itself does, on old and new Pythons, without pytest."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import pythons
from tests.support.cli import Done, Sandbox
from tests.support.unavailable import unavailable

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
KINDS = {
    "A::test_error": "failed",
    "A::test_fail": "failed",
    "A::test_ok": "passed",
    "A::test_skip": "skipped",
    "A::test_skip_inside": "skipped",
    "A::test_sub": "failed",
    "A::test_sub ▸ [odd] (i=0)": "passed",
    "A::test_sub ▸ [odd] (i=1)": "failed",
    "A::test_sub ▸ [odd] (i=2)": "passed",
    "A::test_xf": "xfailed",
    "A::test_xp": "failed",
    "B::test_td": "error",
    "C::setUpClass": "error",
    "C::test_never": "notrun",
    "D::test_1": "passed",
    "D::test_2": "crashed",
    "D::test_3": "passed",
    "E::test_async": "passed",
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def project(sandbox: Sandbox, fixture: str, python: str = sys.executable, keys: str = "") -> Path:
    root = sandbox.home / fixture
    shutil.copytree(FIXTURES / fixture, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "tracekit.toml").write_text(f'[suite.u]\nrunner = "unittest"\npython = "{python}"\n{keys}')
    return root


def short(done: Done) -> dict[str, str]:
    return {name.partition(".py::")[2]: verdict for name, verdict in done.verdicts().items()}


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.11", "3.13"])
def test_run__every_kind_of_end__then_verdicts_output_and_evidence(sandbox: Sandbox, version: str) -> None:
    python = pythons.find(version) if version != "3.11" else sys.executable
    if python is None:
        unavailable(f"python{version}: not installed")
    done = sandbox.run("run", project(sandbox, "unittests", str(python)), "-s", "test_kinds.py", "--json")
    assert done.code == 1, done.err
    assert short(done) == KINDS
    texts: dict[str, str] = {}
    for line in done.of("output"):
        key = str(line.get("scenario", "")).rpartition("::")[2]
        texts[key] = texts.get(key, "") + line.get("text", "")
    assert texts["test_ok"] == "up\nhello\nfrom a child\n"
    (assertion,) = [line for line in done.of("assertion") if line["scenario"].endswith("test_fail")]
    assert (json.loads(assertion["actual"]), json.loads(assertion["expected"])) == ({"a": 1}, {"a": 2})
    failed = {line["scenario"].rpartition("::")[2]: line for line in done.of("failure")}
    assert failed["test_td"]["when"] == "teardown"
    assert [frame["function"] for frame in failed["test_error"]["chain"][0]["frames"]][-1].endswith(
        "test_error"
    )
    assert len(done.of("attempt.started")) == len(done.of("attempt.ended")) - 1, "all but what was not run"


def test_run__packages_generated_tests_and_load_tests__then_found_by_their_names(sandbox: Sandbox) -> None:
    root = project(sandbox, "unittests")
    found = [line["id"] for line in sandbox.run("list", root, "--json").lines()]
    assert "unittest@u:package/test_inside.py::Inside::test_imported_by_its_whole_name" in found
    assert "unittest@u:package/test_inside.py::Made::test_1 :: é" in found
    assert len([name for name in found if "FunctionTestCase" in name or "lambda" in name]) == 1
    done = sandbox.run("run", root, "-s", "package", "--json")
    assert (done.code, sorted(done.verdicts().values())) == (0, ["passed"] * 5), done.err


def test_rerun__one_failed_test__then_exactly_that_one_runs(sandbox: Sandbox) -> None:
    root = project(sandbox, "unittests")
    first = sandbox.run("run", root, "-s", "test_kinds.py", "--json")
    chosen = "unittest@u:test_kinds.py::A::test_fail"
    again = sandbox.run("rerun", first.run_id(), "-s", chosen, "--json")
    assert again.verdicts() == {chosen: "failed"}
    retried = sandbox.run("run", root, "-s", chosen, "--retries", "1", "--json")
    assert [line["attempt"] for line in retried.of("attempt.ended")] == [1, 2]


def test_run__module_that_cannot_be_imported__then_told_and_the_others_run(sandbox: Sandbox) -> None:
    done = sandbox.run("run", project(sandbox, "unittests_broken"), "--json")
    (failed,) = done.of("discover.failed")
    assert (failed["file"], failed["message"]) == (
        "test_bad.py",
        "ModuleNotFoundError: No module named 'nothing_here'",
    )
    assert "nothing_here" in failed["remedy"]
    assert (done.code, [*done.verdicts().values()]) == (1, ["passed"])


@pytest.mark.parametrize(
    ("keys", "code", "words"),
    [
        ('paths = ["nowhere"]\n', 4, "no tests were found"),
        ('args = ["--no-such-option"]\n', 1, "unrecognized arguments"),
    ],
)
def test_run__nothing_to_run_or_wrong_arguments__then_a_clear_word(
    sandbox: Sandbox, keys: str, code: int, words: str
) -> None:
    root = project(sandbox, "unittests", keys=keys)
    (root / "nowhere").mkdir()
    done = sandbox.run("run", root)
    assert words in done.out + done.err
    assert done.code == code


@pytest.mark.parametrize("keys", ['soft_timeout = "1s"\n', 'timeout = "1s"\n'])
def test_timeouts__test_hangs__then_only_it_is_timed_out(sandbox: Sandbox, keys: str) -> None:
    text = """
import time, unittest

class T(unittest.TestCase):
    def tearDown(self):
        print("torn down")

    def test_1_hangs(self):
        print("last words")
        time.sleep(600)

    def test_2(self): ...
"""
    root = sandbox.project({"test_it.py": text, "tracekit.toml": f'[suite.u]\nrunner = "unittest"\n{keys}'})
    done = sandbox.run("run", root, "--json")
    assert [*done.verdicts().values()] == ["timedout", "passed"], done.err
    printed = "".join(line.get("text", "") for line in done.of("output") if line.get("scenario"))
    assert printed.startswith("last words\n")
    assert ("torn down" in printed.partition("test_2")[0]) is True


def test_implicit__unittests_and_an_interpreter_without_pytest__then_found_and_run_without_configuration(
    sandbox: Sandbox,
) -> None:
    bare = sandbox.home / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    environ = {**sandbox.environ, "VIRTUAL_ENV": str(bare)}
    case = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self): print('said')\n"
    root = sandbox.home / "project"
    for name in ("pkg/__init__.py", "pkg/test_a.py", "tests/test_b.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("" if "__init__" in name else case)
    ids = {"unittest:pkg/test_a.py::T::test_a", "unittest:tests/test_b.py::T::test_a"}

    listed = sandbox.run("list", root, "--json", env=environ)
    done = sandbox.run("run", root, "--json", env=environ)
    told = sandbox.run("doctor", root, env=environ)

    assert {line["id"] for line in listed.lines() if "id" in line} == ids
    assert done.verdicts() == dict.fromkeys(ids, "passed"), done.err
    assert f"its tests use unittest, and {bare}/bin/python has no pytest" in told.out
    again = sandbox.run("rerun", "--all", "--json", env=environ)
    assert again.verdicts() == dict.fromkeys(ids, "passed")


BROKEN = """
import os, unittest

class Broken(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists("mended"):
            raise RuntimeError("no service")
    def test_a(self): open("ran", "a").write("a")
    def test_b(self): open("ran", "a").write("b")
"""


def test_rerun__class_could_not_be_set_up__then_its_tests_run_and_what_is_gone_is_not_green(
    sandbox: Sandbox,
) -> None:
    root = sandbox.home / "project"
    root.mkdir()
    (root / "tracekit.toml").write_text(f'[suite.u]\nrunner = "unittest"\npython = "{sys.executable}"\n')
    (root / "test_u.py").write_text(BROKEN)
    first = sandbox.run("run", root, "--json")
    assert first.code == 1
    (root / "mended").touch()
    again = sandbox.run("rerun", first.run_id(), "--json")
    assert (again.code, short(again)) == (0, {"Broken::test_a": "passed", "Broken::test_b": "passed"})
    assert (root / "ran").read_text() == "ab"
    (root / "test_u.py").write_text(BROKEN.replace("test_b", "test_c"))
    gone = sandbox.run("rerun", again.run_id(), "--all")
    assert (gone.code, "not found any more" in gone.out) == (1, True), gone.out


DIES = """
import os, signal, unittest

class It(unittest.TestCase):
    def test_a_ok(self): ...

    def test_b_segfaults(self):
        os.close(2)
        os.kill(os.getpid(), signal.SIGSEGV)

    def test_c_ok(self): ...

    def test_d_aborts(self):
        os.abort()
"""


def test_run__tests_take_their_process_down__then_each_says_where_it_was_and_the_rest_has_its_verdict(
    sandbox: Sandbox,
) -> None:
    files = {"test_dies.py": DIES, "tracekit.toml": '[suite.u]\nrunner = "unittest"\n'}
    done = sandbox.run("run", sandbox.project(files), "--json")
    assert [verdict for _, verdict in sorted(short(done).items())] == [
        "passed",
        "crashed",
        "passed",
        "crashed",
    ]
    told = {line["scenario"].rpartition("::")[2]: line for line in done.of("failure")}
    for name, what, line in (("test_b_segfaults", "Segmentation fault", 9), ("test_d_aborts", "Aborted", 14)):
        (died,) = told[name]["chain"]
        assert (told[name]["cause"], died["type"], died["message"]) == ("crash", "Fatal Python error", what)
        last = died["frames"][-1]
        assert (last["file"], last["line"], last["function"], last["own"]) == (
            "test_dies.py",
            line,
            name,
            True,
        )


def test_run__tests_that_look_at_what_they_were_loaded_by__then_it_is_unittests_own(sandbox: Sandbox) -> None:
    root = sandbox.home / "loaded"
    text = (
        "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        {}\n\n\n"
        "def load_tests(loader, tests, pattern):\n"
        "    assert loader is unittest.defaultTestLoader\n    return tests\n"
    )
    for place in ("one", "two"):
        (root / place).mkdir(parents=True)
        body = f"self.assertIn('{place}', unittest.defaultTestLoader._top_level_dir or '{place}')"
        (root / place / f"test_{place}.py").write_text(text.format(body if place == "two" else "pass"))
    (root / "tracekit.toml").write_text('[suite.u]\nrunner = "unittest"\npaths = ["one", "two"]\n')
    done = sandbox.run("run", root, "--json", env={"VIRTUAL_ENV": sys.prefix})
    assert short(done) == {"T::test_a": "passed"}, done.err
    assert (done.code, len(done.verdicts())) == (0, 2)
