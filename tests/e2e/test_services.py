"""A run whose environment declares services: it waits for them, and what is missing is nobody's red test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.cli import Done, Sandbox
from tests.support.pairs import Pair
from tests.support.sshd import free_port
from tests.support.until import until
from tracekit.model.fold import Fold

TESTS = """
import os, socket

def test_it_is_there():
    host, port = os.environ["API"].rsplit(":", 1)
    socket.create_connection((host, int(port)), 5).close()

def test_own_variable_stands():
    assert os.environ["LEVEL"] == "of the suite"
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def project(sandbox: Sandbox, port: int, ready: str) -> Path:
    profile = f"""
[suite.it]
env = {{ LEVEL = "of the suite" }}
[env.local.service.api]
start = ["./serve", "--port", "{port}"]
ready = {{ {ready} }}
export = {{ API = "127.0.0.1:{port}", LEVEL = "of the service", ROOM = "{{tmp}}/api" }}
"""
    return sandbox.project({"tracekit.toml": profile, "test_it.py": TESTS})


@pytest.fixture
def servers() -> Iterator[list[subprocess.Popen[bytes]]]:
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for each in found:
        each.terminate()
        each.wait(timeout=30)


def waits(done: Done) -> list[str]:
    return [line["reason"] for line in done.of("phase.started") if line["phase"] == "launch"]


def fold_of(sandbox: Sandbox, run: str) -> Fold:
    fold = Fold()
    fold.feed_bytes((sandbox.state / "runs" / run / "local" / "journal.ndjson").read_bytes())
    return fold


def test_run__service_is_not_well__then_no_test_is_red_and_it_ends_as_an_unhealthy_environment(
    sandbox: Sandbox, port: int
) -> None:
    root = project(sandbox, port, f'tcp = "127.0.0.1:{port}", within = "1s"')
    done = sandbox.run("run", root, "--json")
    assert done.code == 5, done.err
    assert waits(done) == ["services"]
    assert not done.verdicts()
    (unwell,) = done.of("service.unhealthy")
    assert (unwell["service"], "takes no connection" in unwell["why"]) == ("api", True)
    (failed,) = done.of("runner.failed_to_start")
    assert (failed["code"], failed["exit"]) == ("box.service", 1)
    assert f"`./serve --port {port}` starts it" in failed["remedy"]
    assert [line["code"] for line in done.of("suite.failed")] == ["suite.blocked"]
    said = sandbox.run("run", root)
    assert said.code == 5
    assert "a service that the tests need is not well" in said.out
    assert "nothing ran" in said.out
    # Before that it is told at once what no test begins for.
    waited = "waits for service api: 127.0.0.1:"
    assert said.out.index(waited) < said.out.index("a service that the tests need is not well")
    assert said.out.count(waited) == 1


def test_run__service_comes_while_it_waits__then_tests_run_and_have_what_it_exports(
    sandbox: Sandbox, port: int, tmp_path: Path, servers: list[subprocess.Popen[bytes]]
) -> None:
    # It is asked by a command of the project, which is what starts it: so it is never well at the first question.
    (tmp_path / "www").mkdir()
    root = project(sandbox, port, 'command = ["./ask"], within = "60s"')
    mark = tmp_path / "asked"
    ask = root / "ask"
    ask.write_text(
        f"#!{sys.executable}\nimport pathlib, socket, sys\npathlib.Path({str(mark)!r}).touch()\n"
        f"try:\n    socket.create_connection(('127.0.0.1', {port}), 2).close()\n"
        "except OSError as fault:\n    print('no', fault.strerror)\n    sys.exit(1)\n"
    )
    ask.chmod(0o755)
    late = f"import os, sys, time\nwhile not os.path.exists({str(mark)!r}): time.sleep(0.05)\n"
    serve = f"sys.argv[1:] = ['{port}', '--bind', '127.0.0.1', '-d', {str(tmp_path / 'www')!r}]\n"
    serve += "import runpy; runpy.run_module('http.server', run_name='__main__')\n"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    servers.append(subprocess.Popen([sys.executable, "-c", late + serve], **quiet))  # type: ignore[call-overload]
    done = sandbox.run("run", root, "--json")
    assert done.code == 0, done.out[-3000:]
    assert waits(done) == ["services", "all scenarios"]
    assert sorted(done.verdicts().values()) == ["passed", "passed"]
    (ready,) = done.of("service.ready")
    told = "".join(line.get("text", "") for line in done.of("output"))
    assert "waiting for service api: ./ask ends with 1" in told
    assert told.count("service api is well") == 1
    (facts,) = fold_of(sandbox, done.run_id()).state.run.services
    assert (facts.box, facts.name, facts.after, facts.why) == ("local", "api", ready["after"], "")
    # A rerun asks anew.
    (root / "test_it.py").write_text("def test_red():\n    assert False\n")
    red = sandbox.run("run", root, "--json")
    assert (red.code, waits(red)) == (1, ["services", "all scenarios"])
    servers[0].terminate()
    servers[0].wait(timeout=30)
    (root / "tracekit.toml").write_text((root / "tracekit.toml").read_text().replace('"60s"', '"1s"'))
    again = sandbox.run("rerun", red.run_id(), "--json")
    assert (again.code, waits(again)) == (5, ["services"]), again.err


def test_run__service_that_is_slow_to_answer_stays_unwell__then_told_is_what_it_says_and_not_that_time_was_short(
    sandbox: Sandbox, port: int
) -> None:
    # The last answer comes when the time is over, whenever the one before it came.
    root = project(
        sandbox, port, 'command = ["sh", "-c", "sleep 0.4; echo it migrates; exit 1"], within = "1s"'
    )
    done = sandbox.run("run", root, "--json")
    assert done.code == 5, done.err
    (unwell,) = done.of("service.unhealthy")
    assert unwell["why"] == "sh ends with 1: it migrates"


def test_list__service_is_not_well__then_scenarios_are_listed_all_the_same(
    sandbox: Sandbox, port: int
) -> None:
    root = project(sandbox, port, f'tcp = "127.0.0.1:{port}"')
    done = sandbox.run("list", root)
    assert done.code == 0, done.err
    assert "test_it_is_there" in done.out


@pytest.mark.parametrize("what", ["the line is cut", "the console is killed"])
def test_run__on_a_box_that_waits_for_a_service__then_it_goes_on_when_the_service_comes(
    served: tuple[sshd.Box, str, Path], tmp_path: Path, what: str
) -> None:
    box, python, library = served
    secret = "what-the-check-reads-there"
    pair = Pair(box, tmp_path / f"it{len(what)}", python, library)
    pair.sandbox.environ["DB_PASSWORD"] = secret
    pair.project("def test_it(): pass\n")
    pair.trust()
    (pair.there / "pw").write_text(secret)
    sshd.give(box, pair.there / "pw")
    asks = '["sh", "-c", "test -e ready && exit; echo not with `cat pw`; exit 1"]'
    profile = pair.here / "tracekit.toml"
    known = profile.read_text().replace(
        "env = {", 'env = { PASS = { secret = true, from = "env:DB_PASSWORD" },'
    )
    profile.write_text(f'{known}[env.box7.service.db]\nstart = ["db"]\nready = {{ command = {asks} }}\n')
    process = pair.sandbox.start("run", pair.here, "--env", "box7", "--json")
    until(lambda: list(pair.sandbox.state.glob("runs/*/box7/journal.ndjson")))
    (journal,) = pair.sandbox.state.glob("runs/*/box7/journal.ndjson")
    until(lambda: b"waits for service db: sh ends with 1" in journal.read_bytes())
    folder = journal.parents[1]
    if what == "the line is cut":
        assert sshd.cut(box)
        until(lambda: any(b"box.resumed" in each.read_bytes() for each in folder.glob("console-*.ndjson")))
    else:
        process.kill()
        process.communicate()
    assert b"service.ready" not in journal.read_bytes()
    (pair.there / "ready").touch()
    if process.poll() is None:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        done = Done(0, out.decode(), err.decode())
    else:
        done = pair.sandbox.run("attach", folder.name, "--json")
    assert (done.code, list(done.verdicts().values())) == (0, ["passed"]), done.err
    assert waits(done) == ["services", "all scenarios"]
    assert [line["service"] for line in done.of("service.ready")] == ["db"]
    assert pair.sandbox.run("verify", folder.name).code == 0
    exported = [tmp_path / kind for kind in ("bundle", "junit", "ctrf", "json", "chrome")]
    for file in exported:
        assert pair.sandbox.run("export", f"--{file.name}", file, folder.name).code == 0
    kept = [each for each in pair.sandbox.state.rglob("*") if each.is_file()]
    assert kept
    for text in (done.out.encode(), *(each.read_bytes() for each in [*kept, *exported])):
        assert secret.encode() not in text
