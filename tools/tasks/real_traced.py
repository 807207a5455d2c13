"""`tools/real-suites --trace`: what the tracer does to the verdicts of real suites, level by level.

Each suite is run natively and through the product with tracing off, at its default and with every call recorded; each
verdict is compared by the test's id, on an interpreter whose calls come from the frame evaluator and on one with
`sys.monitoring`. A few published tests are not steady by themselves: where something differs, the suite is run natively
some times more, and a verdict that its own runner gives, too, is named as unsteady and is no difference. What was done
is kept. Must never take a verdict that no native run has given for the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from tools.tasks import real_runs
from tools.tasks.common import say
from tools.tasks.real_runs import Result, Suite
from tools.tasks.real_suites import SUITES, Kept, page, prepared, version_of, written

MARK = "<!-- traced -->"
HEAD = (
    "| suite | interpreter | trace | tests | natively | here | differences | recorded | lost |",
    "|---|---|---|---|---|---|---|---|---|",
)
LEVELS = ("off", "default", "calls")
#: Sockets, asynchronous loops and threads; two workers with code that is made while it runs; and terminals.
#: httpx of this version comes to no end on 3.13, natively.
CASES = (("httpx", "3.11"), ("attrs", "3.11"), ("attrs", "3.13"), ("click", "3.13"))
#: How often a suite is asked natively at most, while a verdict of ours is none of its own.
NATIVE_RUNS = 5


@dataclass(frozen=True)
class Case:
    """One suite on one interpreter."""

    suite: Suite
    version: str

    @property
    def key(self) -> str:
        """What it is called on the command line and in the kept results."""
        return f"{self.suite.key}@{self.version}"


def cases(names: list[str]) -> list[Case]:
    """Those of the named suites; `attrs` is on every interpreter, `attrs@3.13` on one."""
    known = {suite.key: suite for suite in SUITES}
    all_of_them = [Case(known[key], version) for key, version in CASES]
    return [case for case in all_of_them if not names or {case.suite.key, case.key} & {*names}]


def strange(natives: list[Result], other: Result) -> list[str]:
    """The tests whose verdicts here no native run has given."""
    known = [run.verdicts for run in natives]
    ids = sorted({*other.verdicts, *(test for one in known for test in one)})
    return [
        test
        for test in ids
        if all(sorted(one.get(test, [])) != sorted(other.verdicts.get(test, [])) for one in known)
    ]


def unsteady(natives: list[Result]) -> list[str]:
    """The tests that one native run judged otherwise than the next."""
    ids = {test for run in natives for test in run.verdicts}
    return sorted(
        test for test in ids if len({tuple(sorted(run.verdicts.get(test, []))) for run in natives}) > 1
    )


def compare(case: Case, kept: Kept) -> dict[str, Any]:
    """One suite natively and at each level."""
    found: dict[str, Any] = kept.of(case.suite).setdefault("levels", {}).setdefault(case.version, {})
    if found:
        say(f"{case.key}: known")
        return found
    source, python = prepared(case.suite, case.version)
    natives = [real_runs.native(case.suite, source, python)]
    say(f"{case.key}: native: {natives[0].counts()}")
    here = {}
    for level in LEVELS:
        here[level] = real_runs.traced(case.suite, source, python, level)
        say(f"{case.key}: {level}: {here[level].counts()}: {recorded(here[level])} recorded")
    while len(natives) < NATIVE_RUNS and any(strange(natives, run) for run in here.values()):
        natives.append(real_runs.native(case.suite, source, python))
        say(f"{case.key}: natively once more: {natives[-1].counts()}")
    rows = {level: facts(natives, run) for level, run in here.items()}
    for level, row in rows.items():
        for fault in row["faults"]:
            say(f"  {level}: {fault}")
    found |= {
        "place": f"{case.version}, pytest {version_of(python, 'pytest')}",
        "tests": len(natives[0].verdicts),
        "native": natives[0].counts(),
        "natives": len(natives),
        "rows": rows,
    }
    kept.save()
    return found


def facts(natives: list[Result], run: Result) -> dict[str, Any]:
    """What the page says of one level."""
    faults = strange(natives, run)
    if not run.verdicts:
        faults.append("no verdicts at all")
    # Of those that are not steady, the ones that the first native run judged otherwise.
    told = [test for test in strange(natives[:1], run) if test in unsteady(natives) and test not in faults]
    return {
        "here": run.counts(),
        "faults": faults,
        "unsteady": told,
        "recorded": recorded(run),
        "lost": run.trace.get("lost", 0),
    }


def recorded(run: Result) -> int:
    """How many events the run's trace has."""
    return int(run.trace.get("records", 0))


def rows(case: Case, found: dict[str, Any]) -> list[str]:
    """The lines of the table for one suite on one interpreter."""
    lines = []
    for level, row in found["rows"].items():
        steady = "none" if not row["faults"] else str(len(row["faults"]))
        names = ", ".join(f"`{test.rpartition('::')[2]}`" for test in row["unsteady"])
        cells = [
            f"{case.suite.name} {case.suite.version}",
            found["place"],
            level,
            str(found["tests"]),
            found["native"],
            row["here"],
            steady + (f"; not steady natively: {names}" if names else ""),
            str(row["recorded"]),
            str(row["lost"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main(arguments: list[str]) -> int:
    """Compare the named suites, or all; exit 1 when a verdict differs, or with --check the page."""
    names = [word for word in arguments if not word.startswith("-")]
    chosen, kept = cases(names), Kept()
    if "--fresh" in arguments:
        for case in chosen:
            kept.of(case.suite).pop("levels", None)
    results = [compare(case, kept) for case in chosen]
    code = 1 if any(row["faults"] for found in results for row in found["rows"].values()) else 0
    if names:
        return code
    table = [line for case, found in zip(chosen, results, strict=True) for line in rows(case, found)]
    return written(page(table, MARK, HEAD), "--check" in arguments) or code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
