"""`tracekit box` as a person types it: add a machine, look at it, run there, open a shell, take it away."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import threading
from pathlib import Path

import pytest

from tests.support import sshd
from tests.support.cli import PATIENCE, Sandbox
from tests.support.until import until

UNREACHABLE = 5


@pytest.fixture
def box(served: tuple[sshd.Box, str, Path]) -> sshd.Box:
    (served[0].client_home / ".ssh" / "config").write_text(
        f"IdentityFile {served[0].client_home}/.ssh/id_ed25519\nIdentityAgent none\n"
    )
    return served[0]


@pytest.fixture
def sandbox(box: sshd.Box, tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / re.sub(r"\W", "", tmp_path.name), {"HOME": str(box.client_home)})


def address(box: sshd.Box) -> str:
    return f"{box.user}@127.0.0.1:{box.port}"


def own_file(sandbox: Sandbox) -> Path:
    return sandbox.home / "config" / "tracekit" / "boxes.toml"


def test_add__machine_is_not_known__then_refused_and_nothing_is_kept(sandbox: Sandbox, box: sshd.Box) -> None:
    done = sandbox.run("box", "add", "lab", address(box))
    assert (done.code, "is not known" in done.err, "--accept-new" in done.err) == (UNREACHABLE, True, True)
    assert not own_file(sandbox).exists()


def test_add__then_list_check_run_and_remove(sandbox: Sandbox, served: tuple[sshd.Box, str, Path]) -> None:
    box, python, library = served
    prepare = f"{python} -m venv --without-pip .venv && cp -r {library}/. .venv/lib"
    added = sandbox.run(
        "box", "add", "lab", f"ssh://{address(box)}/", "--accept-new", "--prepare", prepare, "--keep", ".venv"
    )
    assert added.code == 0, added.err
    assert "python 3." in added.out
    assert oct(own_file(sandbox).parent.stat().st_mode)[-3:] == "700"
    listed = sandbox.run("box", "list", "--json")
    (row,) = listed.lines()
    assert (row["name"], row["host"], row["port"], row["how"]) == ("lab", "127.0.0.1", box.port, "sync")
    checked = sandbox.run("box", "check", "--json")
    (seen,) = checked.lines()
    assert (checked.code, seen["ok"], seen["live"]) == (0, True, [])
    assert seen["disk"]["free"] > 0
    assert abs(seen["clock"]["offset"]) <= seen["clock"]["error"] + 0.5
    # From a bare box to green with one line, from any project: the second run prepares nothing.
    project = sandbox.project(
        {
            "test_it.py": "def test_it(): pass\n",
            "tracekit.toml": '[suite.it]\npython = ".venv/bin/python"\n'
            'env = { PYTHONPATH = ".venv/lib" }\nargs = ["-p", "no:cacheprovider"]\n',
        }
    )
    for prepared in (1, 0):
        done = sandbox.run("run", project, "--env", "lab", "--json")
        assert done.code == 0, done.err + done.out[-2000:]
        reasons = [line["reason"] for line in done.of("phase.started")]
        assert reasons.count("prepare") == prepared
    removed = sandbox.run("box", "remove", "lab")
    assert removed.code == 0
    assert sandbox.run("box", "list", "--json").out == ""
    again = sandbox.run("box", "remove", "lab")
    assert (again.code, "no box of that name" in again.err) == (2, True)


def test_add__name_is_taken_or_the_address_is_none__then_refused(sandbox: Sandbox, box: sshd.Box) -> None:
    assert sandbox.run("box", "add", "lab", address(box), "--unseen").code == 0
    twice = sandbox.run("box", "add", "lab", "other", "--unseen")
    assert (twice.code, "there is a box of that name" in twice.err) == (2, True)
    for odd in ("-oProxyCommand=touch", "a b", ""):
        assert sandbox.run("box", "add", "--unseen", "x", "--", odd).code == 2
    assert sandbox.run("box", "add", "local", "h", "--unseen").code == 2
    assert [line["name"] for line in sandbox.run("box", "list", "--json").lines()] == ["lab"]


def test_remove__others_and_comments__then_stay_as_they_are(sandbox: Sandbox) -> None:
    file = own_file(sandbox)
    file.parent.mkdir(parents=True)
    kept = '# mine\n[env.a]\nhost = "a.lab"  # the first\n\n'
    file.write_text(f'{kept}[env.b]\nhost = "b.lab"\n[env.b.service.db]\nstart = ["db"]\n')
    assert sandbox.run("box", "remove", "b").code == 0
    assert file.read_text() == kept
    file.write_text('env = { a = { host = "a.lab" } }\n')
    by_hand = sandbox.run("box", "remove", "a")
    assert (by_hand.code, "by hand" in by_hand.err) == (2, True)


def test_check__one_answers_and_one_does_not__then_both_are_told_and_the_code_says_so(
    sandbox: Sandbox, box: sshd.Box
) -> None:
    assert sandbox.run("box", "add", "good", address(box), "--accept-new").code == 0
    assert sandbox.run("box", "add", "dead", "127.0.0.1:1", "--unseen").code == 0
    done = sandbox.run("box", "check", "--json")
    rows = {row["name"]: row for row in done.lines()}
    assert (done.code, rows["good"]["ok"], rows["dead"]["ok"]) == (UNREACHABLE, True, False)
    (problem,) = rows["dead"]["problems"]
    assert problem["code"] == "ssh.refused"
    said = sandbox.run("box", "check", "dead")
    assert (said.code, "nobody listens" in said.out) == (UNREACHABLE, True)
    unknown = sandbox.run("box", "check", "goood")
    assert (unknown.code, "known: dead, good" in unknown.err) == (2, True)


def test_check__services_are_declared__then_the_box_itself_asks_each_and_says_what_to_do(
    sandbox: Sandbox, box: sshd.Box, tmp_path: Path
) -> None:
    assert sandbox.run("box", "add", "seen", address(box), "--accept-new").code == 0
    with socket.create_server(("127.0.0.1", 0)) as up:
        port = up.getsockname()[1]
        project = sandbox.project({"test_it.py": "def test_it(): pass\n"})
        profile = f"""
[env.lab]
host = "127.0.0.1"
user = "{box.user}"
port = {box.port}
[env.lab.service.up]
start = ["up"]
health = {{ tcp = "127.0.0.1:{port}" }}
[env.lab.service.runs]
start = ["runs"]
ready = {{ tcp = "127.0.0.1:{{port}}" }}
"""
        (project / "tracekit.toml").write_text(profile)
        well = sandbox.run("box", "check", "lab", cwd=project)
        assert (well.code, well.out.count("\n")) == (0, 1), well.out + well.err
        assert "services 1 of 1 well, runs not asked: its port or directory is each run's own" in well.out
        # Who asks is the user there, at home there.
        asks = '["sh", "-c", "echo down for $USER at $PWD; exit 3"]'
        (project / "tracekit.toml").write_text(
            f'{profile}[env.lab.service.down]\nstart = ["down"]\nhealth = {{ command = {asks} }}\n'
        )
        unwell = sandbox.run("box", "check", "lab", cwd=project)
        (row,) = sandbox.run("box", "check", "lab", "--json", cwd=project).lines()
    assert (unwell.code, "✗ lab" in unwell.out) == (UNREACHABLE, True)
    assert f"service down: sh ends with 3: down for {box.user} at {box.home}" in unwell.out
    assert "→ start it there" in unwell.out
    assert [(each["name"], each["state"]) for each in row["services"]] == [
        ("up", "well"),
        ("runs", "unasked"),
        ("down", "unwell"),
    ]
    assert (row["ok"], [problem["code"] for problem in row["problems"]]) == (False, ["box.service"])


def test_check__service_says_a_secret__then_nobody_reads_it_here(tmp_path: Path) -> None:
    own, theirs = "known-to-this-machine-alone", "known-to-the-box-alone"
    with sshd.box(tmp_path / "box", settings=f"SetEnv OF_THE_BOX_TOKEN={theirs}") as box:
        home = {"HOME": str(box.client_home), "DB_PASSWORD": own}
        sandbox = Sandbox(tmp_path / "home", home)
        (box.client_home / ".ssh" / "known_hosts").write_text(box.known_host)
        (box.home / "pw").write_text(own)
        sshd.give(box, box.home / "pw")
        profile = f"""
[suite.it]
env = {{ OTHER = {{ secret = true, from = "env:NOT_SET" }}, ACCESS = {{ secret = true, from = "env:DB_PASSWORD" }} }}
[env.lab]
host = "127.0.0.1"
user = "{box.user}"
port = {box.port}
[env.lab.service.db]
start = ["db"]
ready = {{ command = ["sh", "-c", "echo of $OF_THE_BOX_TOKEN with `cat ~/pw`; exit 1"] }}
"""
        project = sandbox.project({"test_it.py": "def test_it(): pass\n", "tracekit.toml": profile})
        said = sandbox.run("box", "check", "lab", cwd=project)
        told = sandbox.run("box", "check", "lab", "--json", cwd=project)
    for done in (said, told):
        assert done.code == UNREACHABLE, done.err
        assert own not in done.out + done.err
        assert theirs not in done.out + done.err
        assert "of «redacted:OF_THE_BOX_TOKEN» with «redacted:ACCESS»" in done.out.replace(
            "\\u00ab", "«"
        ).replace("\\u00bb", "»")


def test_check__several_that_say_nothing__then_all_are_looked_at_at_once(sandbox: Sandbox) -> None:
    first, second = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    met: list[bool] = []

    def serve() -> None:
        one, _ = first.accept()
        one.settimeout(PATIENCE)
        # It hangs up only when the other one is asked too; whoever asks one after the other gives this one up before.
        second.settimeout(PATIENCE)
        other, _ = second.accept()
        one.setblocking(False)
        try:
            while said := one.recv(4096):
                assert said
            met.append(False)
        except BlockingIOError:
            met.append(True)
        one.close()
        other.close()

    with first, second:
        for name, server in (("one", first), ("two", second)):
            port = server.getsockname()[1]
            sandbox.run("box", "add", name, f"ci@127.0.0.1:{port}", "--unseen")
        server_thread = threading.Thread(target=serve)
        server_thread.start()
        done = sandbox.run("box", "check")
        server_thread.join(PATIENCE)
    assert met == [True]
    assert done.code == UNREACHABLE
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("✗")] == ["one", "two"]


def test_shell__of_a_run__then_in_its_directory_with_its_variables(
    sandbox: Sandbox, served: tuple[sshd.Box, str, Path], tmp_path: Path
) -> None:
    box, python, library = served
    assert sandbox.run("box", "add", "lab", address(box), "--accept-new").code == 0
    project = sandbox.project(
        {
            "test_it.py": "def test_it(): pass\n",
            "tracekit.toml": f'[suite.it]\npython = "{python}"\nenv = {{ PYTHONPATH = "{library}", WORD = "it\'s" }}\n',
        }
    )
    run = sandbox.run("run", project, "--env", "lab", "--json").run_id()
    script = tmp_path / "script"
    script.write_text("pwd; echo $WORD; exit 7\n")
    with script.open() as typed:
        done = sandbox.run("box", "shell", "lab", run, stdin=typed)
    place, word = done.out.splitlines()
    assert (done.code, word) == (7, "it's"), done.err
    assert re.search(r"/projects/\w+/1/tree$", place)


def test_shell__at_a_terminal__then_there_is_one_on_the_box_too(tmp_path: Path) -> None:
    with sshd.box(tmp_path / "box", terminals=True) as box:
        (box.client_home / ".ssh" / "config").write_text("IdentityAgent none\n")
        _terminal(Sandbox(tmp_path / "home", {"HOME": str(box.client_home)}), box)


def _terminal(sandbox: Sandbox, box: sshd.Box) -> None:
    assert sandbox.run("box", "add", "lab", address(box), "--accept-new").code == 0
    ours, theirs = pty.openpty()
    process = sandbox.start("box", "shell", "lab", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    heard = b""
    os.write(ours, b"tty && echo in-$((40+2)); exit 3\n")

    def answered() -> bool:
        nonlocal heard
        try:
            heard += os.read(ours, 4096)
        except OSError:  # everybody on the other side has gone
            return True
        return False

    until(answered)
    os.close(ours)
    assert (process.wait(timeout=60), b"in-42" in heard, b"/dev/pts/" in heard) == (3, True, True), heard


def test_check__in_json__then_every_line_names_its_schema(sandbox: Sandbox, box: sshd.Box) -> None:
    done = sandbox.run("box", "add", "lab", address(box), "--accept-new", "--json")
    assert [json.loads(line)["schema"] for line in done.out.splitlines()] == ["tracekit.box/1"]
