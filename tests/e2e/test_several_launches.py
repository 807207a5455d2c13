"""One run that starts several processes of hosts, one behind the other: what each tells is of its own launch alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox
from tests.support.node import installed

_NODE = """import {{ test }} from 'node:test';
import assert from 'node:assert';
import fs from 'node:fs';
test('{name} holds', () => {{ console.log('from {name}'); }});
test('{name} breaks', () => {{
  fs.appendFileSync(process.env.FIXTURE_RAN, '{name}\\n');
  assert.equal(1, 2);
}});
"""
_MOCHA = """const fs = require('fs');
it('{name} holds', () => {{}});
it('{name} breaks', () => {{ fs.appendFileSync(process.env.FIXTURE_RAN, '{name}\\n'); throw new Error('no'); }});
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home", {"FIXTURE_RAN": str(tmp_path / "ran")})


def _project(sandbox: Sandbox, suites: dict[str, str], text: str, file: str) -> Path:
    root = sandbox.home / "project"
    root.mkdir(parents=True)
    profile = ""
    for name, runner in suites.items():
        place = root / name / file
        place.parent.mkdir(parents=True)
        place.write_text(text.format(name=name))
        (root / name / "package.json").write_text('{"name": "one"}')
        if runner == "mocha":
            (root / name / "node_modules").symlink_to(installed())
        profile += f'[suite.{name}]\nrunner = "{runner}"\ncwd = "{name}"\n'
    (root / "tracekit.toml").write_text(profile)
    return root


@pytest.mark.parametrize("runner", ["node", "mocha"])
def test_run__two_suites_of_one_runner__then_each_tells_only_its_own(sandbox: Sandbox, runner: str) -> None:
    installed()
    file = "test/cart.test.mjs" if runner == "node" else "test/cart.js"
    text = _NODE if runner == "node" else _MOCHA
    root = _project(sandbox, {"first": runner, "second": runner}, text, file)
    done = sandbox.run("run", root, "--json")
    assert done.code == 1, done.err
    assert done.verdicts() == {
        f"{runner}@{suite}:{file}::{suite} {what}": verdict
        for suite in ("first", "second")
        for what, verdict in (("holds", "passed"), ("breaks", "failed"))
    }
    # Places are told from the project's root on, wherever a suite's files lie.
    for told in (sandbox.run("run", root).out, sandbox.run("show", "last", "second breaks").out):
        assert f" second/{file}:" in told
    run = done.lines()[0]["run"]
    for kind, told in (("junit", f'file="second/{file}"'), ("ctrf", f'"filePath": "second/{file}"')):
        sandbox.run("export", run, f"--{kind}", sandbox.home / "out")
        assert told in (sandbox.home / "out").read_text()
    listed = sandbox.run("list", root)
    assert sorted(listed.out.splitlines()) == sorted(done.verdicts())


@pytest.mark.parametrize("runner", ["node", "mocha"])
def test_retries__a_red_test_again__then_as_many_attempts_as_it_ran(sandbox: Sandbox, runner: str) -> None:
    installed()
    file = "test/cart.test.mjs" if runner == "node" else "test/cart.js"
    text = _NODE if runner == "node" else _MOCHA
    root = _project(sandbox, {"first": runner}, text, file)
    done = sandbox.run("run", root, "--json", "--retries", "2")
    assert done.code == 1, done.err
    ran = Path(sandbox.environ["FIXTURE_RAN"]).read_text().splitlines()
    ends = [(line["scenario"].rpartition("::")[2], line["attempt"]) for line in done.of("attempt.ended")]
    assert sorted(ends) == [("first breaks", 1), ("first breaks", 2), ("first breaks", 3), ("first holds", 1)]
    assert ran == ["first"] * 3


_TAP = """import os, pathlib
place = pathlib.Path(os.environ["FIXTURE_RAN"])
first = not place.exists()
with place.open("a") as ran:
    ran.write("once\\n")
if first:
    pathlib.Path("out.tap").write_text("1..2\\nok 1 - holds\\nnot ok 2 - breaks\\n")
raise SystemExit(1)
"""


@pytest.mark.parametrize("report", ["tap", "junit"])
def test_retries__a_command_that_writes_no_report_again__then_the_one_before_is_not_taken(
    sandbox: Sandbox, report: str
) -> None:
    root = sandbox.home / "project"
    root.mkdir(parents=True)
    text = _TAP
    if report == "junit":
        document = (
            '<testsuite><testcase name="holds"/><testcase name="breaks"><failure/></testcase></testsuite>'
        )
        text = text.replace('"1..2\\nok 1 - holds\\nnot ok 2 - breaks\\n"', repr(document))
    (root / "check.py").write_text(text)
    (root / "tracekit.toml").write_text(
        '[suite.all]\nrunner = "command"\nrun = ["python3", "check.py"]\n'
        f'report = {{ {report} = "out.tap" }}\nonly = ["{{names}}"]\n'
    )
    done = sandbox.run("run", root, "--json", "--retries", "1")
    ends = [
        (line["scenario"].rpartition(":")[2], line["attempt"], line["verdict"])
        for line in done.of("attempt.ended")
    ]
    assert [one for one in ends if one[0] == "holds"] == [("holds", 1, "passed")]
    assert ("breaks", 1, "failed") in ends
    assert ("breaks", 2, "failed") not in ends
    assert Path(sandbox.environ["FIXTURE_RAN"]).read_text() == "once\n" * 2
