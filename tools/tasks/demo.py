"""`make demo`: the bundled demo, in the console with a terminal, headless without one.

Succeeds when the planted fault was found and its root exception and place were shown; `tracekit demo` itself
ends with 1 then, as any run with a red scenario. Must never call a demo a success that shows anything else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import tracekit
from tools.tasks.common import BIN, ROOT, say, tool

# The installed demo's own table: from this tree, or from a wheel.
TABLE = Path(tracekit.__file__).parent / "profiles" / "demo" / "faults.toml"
RED = 1


def planted() -> list[dict[str, Any]]:
    """The faults that are in the demo's code as it stands."""
    faults: list[dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["fault"]
    return [fault for fault in faults if fault.get("planted")]


def missing(shown: str) -> list[str]:
    """What a person would need to see, and does not."""
    return [
        wanted
        for fault in planted()
        for wanted in (*fault["scenarios"], fault["root"], fault["place"])
        if wanted not in shown
    ]


def console() -> int:
    """Open the console on the demo; the person decides when it ends."""
    return subprocess.run([tool("tracekit"), "demo"], cwd=ROOT, env=environment(), check=False).returncode


def environment() -> dict[str, str]:
    """The caller's, with the project's own as the active one: the demo's tests run in it, and it has pytest."""
    return {**os.environ, "VIRTUAL_ENV": str(BIN.parent)}


def headless() -> int:
    """Run it, show its output as it comes, and judge it."""
    shown: list[str] = []
    command = [tool("tracekit"), "demo", "--headless"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**environment(), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            shown.append(line)
    if process.returncode != RED:
        say(f"demo: ended with {process.returncode}, where a run with one red scenario ends with {RED}")
        return 1
    if lacking := missing("".join(shown)):
        say(f"demo: not shown: {', '.join(lacking)}")
        return 1
    for fault in planted():
        say(f"demo: found {fault['name']}: {fault['root']} at {fault['place']}")
    return 0


def main(arguments: list[str]) -> int:
    """Console with a terminal, else (or with --headless) headless."""
    seen = sys.stdin.isatty() and sys.stdout.isatty() and "--headless" not in arguments
    if not seen:
        return headless()
    code = console()
    return 0 if code == RED else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
