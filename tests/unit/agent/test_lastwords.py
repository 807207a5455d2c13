"""What a process printed and did not tell is found whenever it died: its files were sent before its first test."""

from __future__ import annotations

import array
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tracekit.agent.lastwords import WORDS, LastWords
from tracekit.agent.progress import Facts
from tracekit.agent.system import System
from tracekit.wire.lines import decode

CONSOLE = Path(__file__).parents[3] / "console"
PROCESS = """
import os, sys, tempfile
from _tkprobe.capture import Marks, leave
from _tkprobe.spool import Spool
spool = Spool(sys.argv[1], "main")
files = [tempfile.TemporaryFile() for _ in range(2)]
path = spool.base + ".held"
words = Marks(path).words
for number, one in enumerate(files):
    words[2 * number + 1] = 0
    words[2 * number] = one.fileno()
leave(path, [one.fileno() for one in files])
spool.add_now('"session.started"')
os.write(files[0].fileno(), b"last words\\n")
os.write(files[1].fileno(), b"to the other stream\\n")
print(spool.base, flush=True)
os._exit(3)
"""


def died(directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, str(directory)],
        env={**os.environ, "PYTHONPATH": str(CONSOLE)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    return done.stdout.strip()


def printed(base: str) -> dict[str, str]:
    cap = Path(f"{base}.cap").read_bytes()
    lines = [decode(line) for line in Path(f"{base}.ndjson").read_bytes().splitlines(keepends=True)]
    return {
        line["stream"]: cap[line["cap"] : line["cap"] + line["length"]].decode()
        for line in lines
        if line["e"] == "output"
    }


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def send(directory: Path, name: bytes, files: list[int]) -> None:
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with own:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        own.sendmsg([name], rights, 0, str(directory / WORDS))


def test_words__the_process_was_gone_before_anybody_looked__then_found(tmp_path: Path) -> None:
    words = LastWords(System(), str(tmp_path))
    base = died(tmp_path)
    words.tell("l1", [f"{base}.held"], Facts)
    words.close()
    assert printed(base) == {"stdout": "last words\n", "stderr": "to the other stream\n"}


def test_words__in_a_folder_deeper_than_a_socket_s_path__then_found(tmp_path: Path) -> None:
    deep = tmp_path / ("a" * 100) / ("b" * 100)
    deep.mkdir(parents=True)
    words = LastWords(System(), str(deep))
    base = died(deep)
    words.tell("l1", [f"{base}.held"], Facts)
    words.close()
    assert printed(base)["stdout"] == "last words\n"


def test_words__the_agent_that_listened_is_gone__then_the_process_goes_on(tmp_path: Path) -> None:
    LastWords(System(), str(tmp_path)).close()
    base = died(tmp_path)
    words = LastWords(System(), str(tmp_path))
    words.tell("l1", [f"{base}.held"], Facts)
    words.close()
    assert not Path(f"{base}.cap").exists()


@pytest.mark.parametrize("way", ["another name", "a file with a name", "a pipe", "one file", "no file"])
def test_words__sent_what_no_probe_sends__then_closed_and_not_held(tmp_path: Path, way: str) -> None:
    words = LastWords(System(), str(tmp_path))
    before = descriptors()
    with (
        tempfile.TemporaryFile() as first,
        tempfile.TemporaryFile() as second,
        (tmp_path / "n").open("w") as named,
    ):
        pipe = os.pipe()
        files = {"a file with a name": [first.fileno(), named.fileno()], "a pipe": [first.fileno(), pipe[0]]}
        files |= {"one file": [first.fileno()], "no file": []}
        name = b"../main-1-2" if way == "another name" else b"main-1-2"
        send(tmp_path, name, files.get(way, [first.fileno(), second.fileno()]))
        for end in pipe:
            os.close(end)
        words.meet([])
    assert descriptors() == before
    words.close()


def test_words__sent_under_a_name_that_no_launch_asks_for__then_let_go_with_the_run(tmp_path: Path) -> None:
    before = descriptors()
    words = LastWords(System(), str(tmp_path))
    with tempfile.TemporaryFile() as first, tempfile.TemporaryFile() as second:
        send(tmp_path, b"main-1-2", [first.fileno(), second.fileno()])
        words.meet([])
        words.tell("l1", [str(tmp_path / "other-3-4.held")], Facts)
    assert descriptors() != before
    words.close()
    assert descriptors() == before
