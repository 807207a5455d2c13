"""`make test`: everything that must pass. Rust, Python (screens and security among them), a short torture.

Must never hide a failure behind an earlier one: each stage runs, the table at the end tells.
"""

from __future__ import annotations

import os
import sys

from tools.tasks import needs
from tools.tasks.common import NATIVE, ROOT, Stages, run, tool


def rust() -> int:
    """The workspace's own tests; those that drive Python are left to the Python stage."""
    if not (NATIVE / "Cargo.toml").is_file():
        return 1
    return run(["cargo", "test", "--workspace", "--locked"], cwd=NATIVE, env={"TRACEKIT_NESTED": "1"})


def python() -> int:
    """Every test under tests/, and then the bundled profiles' own rules."""
    # Thousands of processes of ours start in there, where nothing may write compiled files.
    run([tool("python"), "-m", "compileall", "-q", "console", "tests"])
    workers = os.environ.get("TEST_WORKERS") or str(min(4, os.cpu_count() or 1))
    spread = ["-n", workers, "--dist", "worksteal"] if workers != "1" else []
    return run([tool("pytest"), "-q", "--durations=15", *spread, "tests"])


def torture() -> int:
    """The promises at a tenth of their figures."""
    return run([sys.executable, "-m", "tests.torture"], env={"SCALE": os.environ.get("SCALE") or "ci"})


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
