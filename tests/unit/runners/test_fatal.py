"""Which death a fault handler's dump belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from tracekit.agent.runners.base import Exit, LaunchSpec, Progress
from tracekit.agent.runners.fatal import failures


def dump(function: str, line: int, *, path: str = "/work/tests/test_a.py", what: str = "Aborted") -> str:
    return (
        f"Fatal Python error: {what}\n\n"
        "Thread 0x00007f0000000001 (most recent call first):\n"
        '  File "/usr/lib/python3.11/threading.py", line 992 in run\n\n'
        "Current thread 0x00007f0000000002 (most recent call first):\n"
        f'  File "{path}", line {line} in {function}\n'
        '  File "/venv/lib/python3.11/site-packages/_pytest/python.py", line 187 in pytest_pyfunc_call\n\n'
        "Extension modules: numpy.core._multiarray_umath (total: 1)\n"
    )


def told(
    stderr: str,
    *,
    crashed: dict[str, int] | None = None,
    running: tuple[str, ...] = (),
    signal: int | None = None,
) -> dict[str, dict[str, Any]]:
    spec = LaunchSpec("L1", "", ("python",), "/work", {}, (), {}, "")
    progress = Progress(
        suite={"cwd": "/work"},
        launch=spec,
        crashed=crashed or {},
        running={name: {"attempt": 2} for name in running},
    )
    exit = Exit(None if signal else 0, signal, b"", stderr.encode())
    return {line["scenario"]: line for line in failures(progress, exit)}


def at(line: dict[str, Any]) -> int:
    return int(line["chain"][0]["frames"][-1]["line"])


ONE, TWO = "pytest:tests/test_a.py::test_one", "pytest:tests/test_a.py::TestC::test_two[x]"


def test_several_deaths__then_each_has_the_dump_that_names_its_function() -> None:
    found = told(dump("test_two", 9) + "noise\n" + dump("test_one", 5), crashed={ONE: 1, TWO: 3})

    assert {name: (line["attempt"], at(line)) for name, line in found.items()} == {ONE: (1, 5), TWO: (3, 9)}


def test_noise_behind_a_dump__then_it_is_not_the_failures_text() -> None:
    (line,) = told(dump("test_one", 5) + "secretive noise\n", crashed={ONE: 1}).values()

    assert line["text"].startswith("Fatal Python error: Aborted\n")
    assert line["text"].rstrip().endswith("pytest_pyfunc_call")


@pytest.mark.parametrize("lines", [(5, 5), (5, 6)])
def test_cases_of_one_function__then_they_are_told_only_where_their_dumps_say_the_same(
    lines: tuple[int, int],
) -> None:
    cases = {f"{ONE}[{name}]": 1 for name in "ab"}

    found = told("".join(dump("test_one", line) for line in lines), crashed=cases)

    assert sorted(found) == (sorted(cases) if lines == (5, 5) else [])


def test_a_function_of_that_name_in_another_file__then_it_is_not_its_dump() -> None:
    assert told(dump("test_one", 5, path="/work/other/test_a.py"), crashed={ONE: 1}) == {}


def test_death_in_a_fixture__then_the_only_dump_is_the_only_deaths() -> None:
    stderr = dump("connect", 7, path="/work/conftest.py", what="Segmentation fault")

    (line,) = told(stderr, running=(ONE,), signal=11).values()
    assert (line["attempt"], line["chain"][0]["message"], at(line)) == (2, "Segmentation fault", 7)


def test_exit_without_a_signal__then_a_childs_dump_is_nobodys() -> None:
    assert told(dump("main", 7, path="/work/tool.py"), running=(ONE,)) == {}


def test_dump_without_its_beginning__then_nothing_is_told() -> None:
    assert told(dump("test_one", 5).partition("\n")[2], crashed={ONE: 1}) == {}
