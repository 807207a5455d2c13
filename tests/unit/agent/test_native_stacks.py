"""Stacks of compiled code, as gdb, the kernel and Go's runtime tell them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.until import until
from tracekit.agent.hosts import goroutines
from tracekit.agent.native_stacks import NativeStacks, parse
from tracekit.agent.system import System

GDB = """\
[New LWP 5]
Thread 2 (Thread 0x7f6 (LWP 5) "hangs"):
#0  0x00007f in __GI___wait4 (pid=1, options=0) at ../sysdeps/wait4.c:30
#1  api::wait<i32, fn() -> ()> (...) at tests/api.rs:44
#2  0x00007f in api::hangs::h00112233445566ff () at tests/api.rs:40
#3  0x00005609d7af54af in ?? ()
#4  0x00007f in clone () from /lib/libc.so.6

Thread 1 (process 4 "api-7da1"):
#0  main () at /elsewhere/main.rs:2
[Inferior 1 (process 4) detached]
"""
GO = """\
SIGQUIT: quit
goroutine 0 gp=0x6d m=0 mp=0x6d [idle]:
runtime.netpoll(0x1a)
\t/usr/go/src/runtime/netpoll.go:119 +0xd4 fp=0x7ff sp=0x7fe pc=0x7fd

goroutine 7 [sleep]:
time.Sleep(0xe8)
\t/usr/go/src/runtime/time.go:363 +0x165
x.(*Shop).open(...)
\t/work/shop.go:9
x.TestHangs.func1(0x1)
\t/work/a_test.go:33 +0x6c
created by testing.(*T).Run in goroutine 1
\t/usr/go/src/testing/testing.go:2101 +0x4c5

goroutine 9 [select]:
x.wait()
\t/work/shop.go:3 +0x1

rax    0x0
"""


def test_parse__what_gdb_prints__then_threads_frames_and_files_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "api.rs").write_text("")
    first, second = parse(GDB, str(tmp_path))
    assert (first["thread"], first["name"], second["thread"], second["name"]) == (
        "5",
        "hangs",
        "4",
        "api-7da1",
    )
    own = str(tmp_path / "tests" / "api.rs")
    told = [(frame["function"], frame["file"], frame["line"]) for frame in first["frames"]]
    assert told == [
        ("__GI___wait4", "../sysdeps/wait4.c", 30),
        ("api::wait<i32, fn() -> ()>", own, 44),
        ("api::hangs", own, 40),
        ("??", "", 0),
        ("clone", "", 0),
    ]


def test_parse__a_program_without_shared_libraries__then_its_threads_too() -> None:
    (thread,) = parse('Thread 2 (LWP 3440 "hangs"):\n#0  0x0000460105 in sleep ()\n')
    assert (thread["thread"], thread["name"], thread["frames"][0]["function"]) == ("3440", "hangs", "sleep")


def test_answer__no_debugger__then_the_kernels_word_on_each_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        comm = Path(f"/proc/{process.pid}/comm")
        until(lambda: comm.read_text().startswith("python"))
        name = comm.read_text().strip()
        answer = NativeStacks(System(), process.pid, str(tmp_path), debugger=True).answer(name)
    finally:
        process.kill()
        process.communicate()
    assert answer is not None
    assert [(one["thread"], one["name"], one["current"]) for one in answer] == [
        (str(process.pid), name, True)
    ]
    assert "no debugger looked" in answer[0]["frames"][0]["function"]


def test_debugger__variables_of_a_project__then_it_has_none_of_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    debugger, told = tmp_path / "gdb", tmp_path / "told"
    debugger.write_text(f"#!/bin/sh\nenv > {told}.part\nmv {told}.part {told}\n")
    debugger.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LANGUAGE", "de")
    stacks = NativeStacks(System(), os.getpid(), str(tmp_path), debugger=True)
    until(lambda: stacks.answer("") is not None)
    names = {line.partition("=")[0] for line in told.read_text().splitlines()}
    assert {"PATH", "LC_ALL"} <= names
    assert names.isdisjoint({"PYTHONPATH", "LANGUAGE", "HOME"})


TWO = """\
Thread 3 (Thread 0x7f6 (LWP 7) "shop::tests::op"):
#0  0x00007f in shop::tests::helper () at src/shop.rs:9

Thread 2 (Thread 0x7f6 (LWP 6) "shop::tests::op"):
#0  0x00007f in shop::tests::opens () at src/shop.rs:20

Thread 1 (Thread 0x7f6 (LWP 5) "shop::tests::op"):
#0  0x00007f in api::shop::tests::opens_late::h00112233445566ff () at src/shop.rs:30
"""


def test_answer__several_tests_of_one_process__then_each_hears_of_its_own_thread(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    debugger = tmp_path / "gdb"
    debugger.write_text(f"#!/bin/sh\ncat <<'END'\n{TWO}[Inferior 1 (process 5) detached]\nEND\n")
    debugger.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    stacks = NativeStacks(System(), os.getpid(), str(tmp_path), debugger=True)
    until(lambda: stacks.answer("") is not None)
    for test, thread in (("shop::tests::opens", "6"), ("shop::tests::opens_late", "5")):
        told = stacks.answer(test) or []
        assert [one["thread"] for one in told if one["current"]] == [thread]
        assert told[0]["thread"] == thread


@pytest.mark.parametrize("before", [False, True])
def test_answer__debugger_dies_while_it_holds_the_process__then_that_is_as_it_was_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: bool
) -> None:
    debugger = tmp_path / "gdb"
    debugger.write_text('#!/bin/sh\nwhile [ "$1" != -p ]; do shift; done\nkill -STOP "$2"; kill -KILL $$\n')
    debugger.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    system = System()

    def state() -> str:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    try:
        until(lambda: state() == "S")
        if before:
            process.send_signal(signal.SIGSTOP)
            until(lambda: state() == "T")
        stacks = NativeStacks(system, process.pid, str(tmp_path), debugger=True)
        assert len(system.processes.helpers) == 1
        until(lambda: stacks.answer("test") is not None)
        until(lambda: state() == ("T" if before else "S"))
        assert not system.processes.helpers
    finally:
        process.kill()
        process.communicate()


def test_goroutines__then_the_tests_own_first_and_none_of_the_runtime() -> None:
    own, other = goroutines.parse(GO, "TestHangs")
    assert (own["name"], own["current"], other["name"]) == (
        "goroutine 7 [sleep]",
        True,
        "goroutine 9 [select]",
    )
    assert [(frame["function"], frame["line"]) for frame in own["frames"]] == [
        ("time.Sleep", 363),
        ("x.(*Shop).open", 9),
        ("x.TestHangs.func1", 33),
        ("testing.(*T).Run", 2101),
    ]
