"""Records the golden samples of other tools' reports, by running those tools over the fixture projects of our tests.

A sample says what its tool really writes; paths and addresses of this machine are taken out of it. It judges nothing:
`tests/unit/hosts/test_golden_reports.py` says what must be read out of each.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.node import copied, installed
from tools.tasks.common import ROOT, say

FIXTURES = ROOT / "tests" / "fixtures"
TARGET = FIXTURES / "reports"
_PLACE = "/srv/project"


def _run(command: list[str], cwd: Path, **more: str) -> str:
    environ = {**os.environ, "NO_COLOR": "1", "CI": "1", **more}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    return done.stdout


def _scripts(kind: str, work: Path) -> Path:
    root = work / f"js_{kind}"
    if not root.exists():
        copied(f"js_{kind}", work)
        for name in ("exits", "broken"):
            for file in root.glob(f"test*/{name}*"):
                file.unlink()
    return root


def junit_pytest(work: Path) -> str:
    """Pytest's own dialect."""
    root = Path(shutil.copytree(FIXTURES / "verdicts", work / "verdicts"))
    _run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=out.xml"], root)
    return (root / "out.xml").read_text()


def junit_vitest(work: Path) -> str:
    """Vitest's."""
    program = str(installed() / "vitest" / "vitest.mjs")
    return _run(["node", program, "run", "--reporter=junit"], _scripts("vitest", work))


def junit_mocha(work: Path) -> str:
    """mocha's, which it calls xunit."""
    program = str(installed() / "mocha" / "bin" / "mocha.js")
    root = _scripts("mocha", work)
    _run(["node", program, "--reporter=xunit", "--reporter-option=output=out.xml"], root)
    return (root / "out.xml").read_text()


def tap_node(work: Path) -> str:
    """Node's own, with sub-tests."""
    return _run(["node", "--test", "--test-reporter=tap"], _scripts("node", work))


def tap_mocha(work: Path) -> str:
    """Mocha's."""
    program = str(installed() / "mocha" / "bin" / "mocha.js")
    return _run(["node", program, "--reporter=tap"], _scripts("mocha", work))


def tap_vitest(work: Path) -> str:
    """vitest's, nested."""
    program = str(installed() / "vitest" / "vitest.mjs")
    return _run(["node", program, "run", "--reporter=tap"], _scripts("vitest", work))


def gotest_go(work: Path) -> str:
    """go's, with a package that does not compile."""
    root = Path(shutil.copytree(FIXTURES / "go_module", work / "go"))
    return _run(["go", "test", "-json", "./..."], root)


def libtest_cargo(work: Path) -> str:
    """libtest's, which only nightly gives without being asked like this."""
    root = Path(
        shutil.copytree(FIXTURES / "cargo_workspace", work / "cargo", ignore=shutil.ignore_patterns("target"))
    )
    words = ["--lib", "--no-fail-fast", "--", "-Zunstable-options", "--format=json", "--report-time"]
    return _run(["cargo", "test", "--offline", "--workspace", *words], root, RUSTC_BOOTSTRAP="1")


def ctrf_ours(work: Path) -> str:
    """Ours: what `tracekit export --ctrf` writes of an imported report."""
    home = {name: str(work / name) for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    command = [sys.executable, "-m", "tracekit.cli.main"]
    _run([*command, "import", str(TARGET / "tap-mocha.tap")], work, **home)
    return _run([*command, "export", "last", "--ctrf", "-"], work, **home)


SAMPLES: dict[str, Callable[[Path], str]] = {
    "junit-pytest.xml": junit_pytest,
    "junit-vitest.xml": junit_vitest,
    "junit-mocha.xml": junit_mocha,
    "tap-node.tap": tap_node,
    "tap-mocha.tap": tap_mocha,
    "tap-vitest.tap": tap_vitest,
    "gotest-go.ndjson": gotest_go,
    "libtest-cargo.ndjson": libtest_cargo,
    "ctrf-ours.json": ctrf_ours,
}


def _cleaned(text: str, work: Path) -> str:
    for place in sorted({str(work), os.path.realpath(work), str(ROOT), str(installed().parent)}, key=len):
        text = text.replace(place, _PLACE)
    text = re.sub(r"/[\w./-]*/(?:site-packages|\.rustup|go/src)/", "/usr/lib/", text)
    return re.sub(r'(hostname=")[^"]*', r"\1box", text)


def main() -> int:
    """Record all, or those that are named."""
    TARGET.mkdir(exist_ok=True)
    for name in sys.argv[1:] or SAMPLES:
        with tempfile.TemporaryDirectory(prefix="tracekit-record-") as place:
            text = _cleaned(SAMPLES[name](Path(place)), Path(place))
        if name.endswith(".json"):
            text = json.dumps(json.loads(text), indent=1) + "\n"
        (TARGET / name).write_text(text)
        say(f"{name}: {len(text)} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
