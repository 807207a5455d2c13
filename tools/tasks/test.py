"""`make test`: everything that must pass. Rust, Python (screens and security among them), a short torture.

Must never hide a failure behind an earlier one: each stage runs, the table at the end tells.
"""

from __future__ import annotations

import json
import os
import sys

from tools.tasks import needs
from tools.tasks.common import NATIVE, ROOT, Stages, run, tool

# So many tests that failed among all others are tried once more alone.
SECOND_TRIES = 4
# Seconds after which a part waits for something that does not come; on two cores it takes about half of that.
RUST_PATIENCE, PYTHON_PATIENCE, TORTURE_PATIENCE = 900, 3600, 2400
FAILED_BEFORE = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"


def rust() -> int:
    """The workspace's own tests; those that drive Python are left to the Python stage."""
    if not (NATIVE / "Cargo.toml").is_file():
        return 1
    return run(
        ["cargo", "test", "--workspace", "--locked"],
        cwd=NATIVE,
        env={"TRACEKIT_NESTED": "1"},
        patience=RUST_PATIENCE,
    )


def python() -> int:
    """Every test under tests/, and then the bundled profiles' own rules."""
    # Thousands of processes of ours start in there, where nothing may write compiled files.
    run([tool("python"), "-m", "compileall", "-q", "console", "tests"])
    workers = os.environ.get("TEST_WORKERS") or str(min(4, os.cpu_count() or 1))
    spread = ["-n", workers, "--dist", "worksteal"] if workers != "1" else []
    FAILED_BEFORE.unlink(missing_ok=True)
    code = run([tool("pytest"), "-q", "--durations=15", *spread, "tests"], patience=PYTHON_PATIENCE)
    return second_try() if code == 1 else code


def second_try() -> int:
    """The few that failed, once more and alone: a red that stays is a failure, one that goes is named as unsteady.

    Two full cores and thousands of processes bring out races of a test with the machine; more than a few at once are
    no such thing.
    """
    names = sorted(json.loads(FAILED_BEFORE.read_text())) if FAILED_BEFORE.is_file() else []
    if not 0 < len(names) <= SECOND_TRIES:
        return 1
    print(f"== test: {len(names)} failed; once more, one after the other", flush=True)
    code = run([tool("pytest"), "-q", "--last-failed", "--last-failed-no-failures", "none", "tests"])
    for name in names if code == 0 else ():
        print(f"== test: UNSTEADY, failed among all and passed alone: {name}", flush=True)
    return code


def torture() -> int:
    """The promises at a tenth of their figures."""
    scale = {"SCALE": os.environ.get("SCALE") or "ci"}
    return run([sys.executable, "-m", "tests.torture"], env=scale, patience=TORTURE_PATIENCE)


def main(arguments: list[str]) -> int:
    """Run the named stages, or all of them."""
    work = {"needs": needs.install, "rust": rust, "python": python, "torture": torture}
    unknown = [name for name in arguments if name not in work]
    if unknown:
        print(f"unknown stage {', '.join(unknown)}; stages: {', '.join(work)}")
        return 2
    stages = Stages("test")
    os.chdir(ROOT)
    for name in arguments or work:
        stages.stage(name, work[name])
    return stages.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
