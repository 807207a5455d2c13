"""`make check`: everything that can be judged without running the product.

Must never change a file. `tools/check NAME…` runs only the named stages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tasks import house, notices
from tools.tasks.common import BIN, NATIVE, ROOT, Stages, run, say, tool, tracked_files

if TYPE_CHECKING:
    from collections.abc import Callable

PYTHON_FOLDERS = ("console", "tests", "tools")


def _python_folders() -> list[str]:
    return [name for name in PYTHON_FOLDERS if (ROOT / name).is_dir()]


def _cargo(*arguments: str) -> int:
    if not (NATIVE / "Cargo.toml").is_file():
        say("native/Cargo.toml is missing")
        return 1
    if shutil.which("cargo") is None:
        say("cargo is missing: install a Rust toolchain (see README)")
        return 127
    return run(["cargo", *arguments], cwd=NATIVE)


def ruff_format() -> int:
    """Python is formatted."""
    return run([tool("ruff"), "format", "--check", "."])


def ruff_lint() -> int:
    """Python has no lint."""
    return run([tool("ruff"), "check", "--output-format", "concise", "."])


def cargo_format() -> int:
    """Rust is formatted."""
    return _cargo("fmt", "--all", "--", "--check")


def clippy() -> int:
    """Rust has no lint."""
    return _cargo("clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings")


def types() -> int:
    """Python is typed, strictly, code and tests."""
    return run([tool("mypy"), *_python_folders()])


def demo_types() -> int:
    """The bundled profiles are typed too; each is a program of its own, so each is checked alone."""
    # PROFILES is a symlink at the top: mypy is pointed at the real folder, from inside it, so that
    # `conftest` of one profile is never taken for `conftest` of another.
    code = 0
    for profile in sorted((ROOT / "console" / "tracekit" / "profiles").iterdir()):
        if next(profile.rglob("*.py"), None) is not None:
            cache = ["--cache-dir", str(ROOT / ".mypy_cache" / profile.name)]
            options = ["--strict", "--explicit-package-bases", "--config-file", "", *cache]
            code = run([tool("mypy"), *options, "."], cwd=profile) or code
    return code


def contracts() -> int:
    """Imports only point down."""
    return run([tool("lint-imports")])


def stubs() -> int:
    """The stub of the native module says what the built module has."""
    return run([tool("stubtest"), "tracekit._native"])


def generated() -> int:
    """The generated references say what the code says."""
    return run([sys.executable, "-m", "tools.tasks.generate", "--check"])


def shell() -> int:
    """Shell scripts parse."""
    code = 0
    for path in tracked_files():
        if path.suffix in {"", ".sh"}:
            with path.open("rb") as handle:
                first = handle.readline()
            if first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"bash")):
                shell_name = "bash" if b"bash" in first else "sh"
                code = subprocess.run([shell_name, "-n", str(path)], check=False).returncode or code
    return code


def house_rules() -> int:
    """Module sizes, words, paths and links."""
    faults = house.all_faults()
    for fault in faults:
        say(fault)
    return 1 if faults else 0


def licence_notices() -> int:
    """What is linked into the wheel stands in its notices."""
    faults = notices.check()
    for fault in faults:
        say(fault)
    return 1 if faults else 0


STAGES: dict[str, Callable[[], int]] = {
    "ruff-format": ruff_format,
    "ruff-lint": ruff_lint,
    "cargo-fmt": cargo_format,
    "clippy": clippy,
    "types": types,
    "profile-types": demo_types,
    "contracts": contracts,
    "stubs": stubs,
    "generated": generated,
    "shell": shell,
    "house": house_rules,
    "notices": licence_notices,
}


def main(arguments: list[str]) -> int:
    """Run the named stages, or all of them."""
    unknown = [name for name in arguments if name not in STAGES]
    if unknown:
        say(f"unknown stage {', '.join(unknown)}; stages: {', '.join(STAGES)}")
        return 2
    if not Path(tool("ruff")).exists():
        say(f"no development tools in {BIN}: run `make setup`")
        return 2
    stages = Stages("check")
    for name in arguments or STAGES:
        stages.stage(name, STAGES[name])
    return stages.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
