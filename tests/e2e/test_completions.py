"""Completions in real shells: what is offered is what the command then understands, quoted as it must be."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import PATIENCE, Sandbox
from tests.support.unavailable import unavailable
from tracekit.cli import registry

SUITE = """
import pytest

@pytest.mark.parametrize("text", ["plain", "a b", "$HOME 'x'", "(1, 2)"])
def test_odd(text): ...

class TestJoin:
    def test_join(self): ...
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    sandbox = Sandbox(tmp_path / "home")
    sandbox.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{sandbox.environ['PATH']}"
    sandbox.environ["LC_ALL"] = "C.UTF-8"
    return sandbox


@pytest.fixture
def root(sandbox: Sandbox) -> Path:
    root = sandbox.project({"tests/test_it.py": SUITE, "tracekit.toml": "[env.box7]\nhost = 'box7.lab'\n"})
    assert sandbox.run("list", root).code == 0
    return root


class Bash:
    """An interactive bash on a terminal, with the completions loaded."""

    def __init__(self, sandbox: Sandbox, root: Path) -> None:
        self._main, child = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            cwd=root,
            env={**sandbox.environ, "TERM": "dumb", "PS1": "", "INPUTRC": "/dev/null"},
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
        )
        os.close(child)
        self._said = b""
        # `args` tells what a command would have been given.
        self._line("args() { printf '<%s>' \"$@\"; echo; }; bind 'set enable-bracketed-paste off'")
        self._line(
            'bind "set bell-style none"; bind "set completion-query-items 0"; bind "set page-completions off"'
        )
        self._line('source <(tracekit completions bash); echo "loa""ded"')
        self._until(b"loaded")

    def completed(self, line: str) -> list[str]:
        """The words of a command after its last one was completed."""
        self._said = b""
        # Then the line's beginning becomes `args`, and it is executed.
        os.write(self._main, line.encode() + b"\t" + b"\x01args \x05\n")
        told = self._until(b">\r\n").rpartition(b"\n<")[2]
        return re.findall(r"<?([^<>]*)>", told.decode())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._main)

    def _line(self, text: str) -> None:
        os.write(self._main, text.encode() + b"\n")

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._said:
            ready, _, _ = select.select([self._main], [], [], PATIENCE)
            assert ready, self._said
            self._said += os.read(self._main, 65536)
        return self._said


@pytest.fixture
def bash(sandbox: Sandbox, root: Path) -> Iterator[Bash]:
    shell = Bash(sandbox, root)
    yield shell
    shell.close()


def test_bash__words_of_a_command__then_completed_to_what_the_program_is_given(
    bash: Bash, sandbox: Sandbox, root: Path
) -> None:
    run = sandbox.run("run", root, "--json").run_id()
    it = "tests/test_it.py"
    for line, words in (
        ("tracekit sho", ["show"]),
        ("tracekit quarantine rem", ["quarantine", "remove"]),
        ("tracekit run --detac", ["run", "--detach"]),
        ("tracekit run --env bo", ["run", "--env", "box7"]),
        ("tracekit run --env=bo", ["run", "--env=box7"]),
        (f"tracekit run --select={it}::TestJ", ["run", f"--select={it}::TestJoin::test_join"]),
        ("tracekit run --profile dem", ["run", "--profile", "demo"]),
        ("tracekit ci init --provider g", ["ci", "init", "--provider", "github"]),
        ("tracekit-tui --glyphs a", ["--glyphs", "ascii"]),
        (f"tracekit show {run[:22]}", ["show", run]),
        (f"tracekit show last {it}::TestJ", ["show", "last", f"{it}::TestJoin::test_join"]),
        (
            "tracekit show last pytest:tests/test_it.py::TestJ",
            ["show", "last", f"pytest:{it}::TestJoin::test_join"],
        ),
        (f"tracekit run -s {it}::test_odd\\[a", ["run", "-s", f"{it}::test_odd[a b]"]),
        (f"tracekit run -s {it}::test_odd\\[\\$", ["run", "-s", f"{it}::test_odd[$HOME 'x']"]),
        (f"tracekit run -s '{it}::test_odd[(", ["run", "-s", f"{it}::test_odd[(1, 2)]"]),
        ("tracekit run -s stat", ["run", "-s", "status:"]),
        ("tracekit run tes", ["run", "tests/"]),
        ("tracekit run -- pyt", ["run", "--", "pytest.ini"]),
    ):
        assert bash.completed(line)[1:] == words, line


def test_fish__words_of_a_command__then_the_same_is_offered(sandbox: Sandbox, root: Path) -> None:
    if shutil.which("fish") is None:
        unavailable("fish is not installed")
    run = sandbox.run("run", root, "--json").run_id()
    script = sandbox.home / "tracekit.fish"
    script.write_text(sandbox.run("completions", "fish").out)

    def offered(line: str) -> list[str]:
        quoted = line.replace("\\", "\\\\").replace("'", "\\'")
        command = ["fish", "--no-config", "-c", f"source {script}; complete -C '{quoted}'"]
        done = subprocess.run(
            command, cwd=root, env=sandbox.environ, check=False, capture_output=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == 0, done.stderr
        return [row.partition("\t")[0] for row in done.stdout.decode().splitlines()]

    assert set(offered("tracekit ")) == set(registry.SUMMARIES)
    assert offered("tracekit quarantine ") == ["add", "list", "remove"]
    assert offered("tracekit show ") == [run, "last"]
    assert offered("tracekit show last tests/test_it.py::TestJ") == ["tests/test_it.py::TestJoin::test_join"]
    assert "tests/test_it.py::test_odd[a b]" in offered("tracekit run -s tests/test_it.py::test_odd")
    assert offered("tracekit run --env ") == ["box7", "local"]
    assert offered("tracekit run --env=b") == ["--env=box7"]
    assert "--detach" in offered("tracekit run --d")
    assert offered("tracekit-tui --glyphs ") == ["ascii", "unicode"]


def test_zsh__its_script__then_read_without_a_fault(sandbox: Sandbox, root: Path) -> None:
    if shutil.which("zsh") is None:
        unavailable("zsh is not installed")
    script = sandbox.home / "_tracekit"
    script.write_text(sandbox.run("completions", "zsh").out)
    asked = f"""
autoload -U compinit; compinit -u -D
source {script}
asked() {{
    local options takes places verbs kind cur program=tracekit every={",".join(registry.SUMMARIES)}
    _tracekit_wanted "$@"
    print -r -- "$kind"; _tracekit_values
}}
asked show last tests/test_it.py::TestJ
asked quar
"""
    done = subprocess.run(
        ["zsh", "-f", "-c", asked], cwd=root, env=sandbox.environ, check=False, capture_output=True
    )
    every = ",".join(registry.SUMMARIES)
    told = f"scenarios\ntests/test_it.py::TestJoin::test_join\n={every}\nquarantine\n"
    assert (done.stdout.decode(), done.stderr) == (told, b"")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script__each_shell__then_it_names_every_command_and_option(shell: str, sandbox: Sandbox) -> None:
    text = sandbox.run("completions", shell).out
    for name in registry.SUMMARIES:
        assert name in text
    for option in ("detach", "fail-on-flaky", "owner", "provider"):
        assert option in text
    assert "SUPPRESS" not in text


def test_values__many_scenarios__then_their_beginnings(sandbox: Sandbox, root: Path) -> None:
    for name in ("a", "b"):
        body = "\n".join(f"def test_{number}(): ..." for number in range(60))
        (root / "tests" / f"test_{name}.py").write_text(body)
    assert sandbox.run("list", root).code == 0

    def values(prefix: str) -> list[str]:
        return sandbox.run(
            "completions", "--values", "scenarios", f"--prefix={prefix}", cwd=root
        ).out.splitlines()

    assert values("te") == ["tests/"]
    assert sorted(values("tests/")) == ["tests/test_a.py::", "tests/test_b.py::", "tests/test_it.py::"]
    assert "tests/test_a.py::test_7" in values("tests/test_a.py::")
    assert values("tests/test_a.py::test_59") == ["tests/test_a.py::test_59"]
    assert values("pytest:tests/test_a.py::test_59") == ["pytest:tests/test_a.py::test_59"]


@pytest.mark.parametrize("kind", ["runs", "scenarios", "selectors", "profiles", "environments"])
def test_values__nothing_kept_or_a_faulty_project__then_quiet(kind: str, sandbox: Sandbox) -> None:
    root = sandbox.project({"tracekit.toml": "no toml"})
    done = sandbox.run("completions", "--values", kind, cwd=root)
    assert (done.code, done.err) == (0, "")


def test_values__json__then_lines_with_a_schema(sandbox: Sandbox) -> None:
    (line,) = sandbox.run("completions", "--values", "profiles", "--prefix=dem", "--json").lines()
    assert line == {"schema": "tracekit.completion/1", "kind": "profiles", "value": "demo"}


def test_completions__no_shell__then_2(sandbox: Sandbox) -> None:
    assert sandbox.run("completions").code == 2


@pytest.mark.parametrize("kind", ["runs", "scenarios", "selectors"])
def test_values__asked_at_each_keypress__then_nothing_heavy_is_loaded(
    kind: str, root: Path, sandbox: Sandbox
) -> None:
    code = (
        "import sys, json; from tracekit.cli.main import main; main(sys.argv[1:]);"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    done = sandbox.run(command=[sys.executable, "-c", code, "completions", "--values", kind], cwd=root)
    loaded = set(json.loads(done.err))
    assert not loaded & {"textual", "rich", "asyncssh", "anyio", "asyncio", "sqlite3", "tomli"}
