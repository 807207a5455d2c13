"""A project here and on a box behind a real sshd, and a person who has both."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.support import sshd
from tests.support.cli import Sandbox

# What a line must not depend on: when and by which process it was told, and where its bytes lie.
_HIDDEN = frozenset(
    {
        "n",
        "t",
        "m",
        "m0",
        "src",
        "run",
        "d",
        "durations",
        "pid",
        "at",
        "offset",
        "length",
        "out",
        "console",
        "rusage",
    }
)
# What is the machine's, or this one launch's own.
_OWN = frozenset(
    {"environment", "plan_hash", "seed", "git", "fingerprint", "versions", "driver", "python_why"}
)
_COUNTED = re.compile(r"0x[0-9a-f]+|in \d+\.\d+s|pytest-\d+|tk-[0-9a-f]+")


class Pair:
    """A project on a box and here, and a person who has both."""

    def __init__(self, box: sshd.Box, home: Path, python: str, library: Path) -> None:
        self.box = box
        self.sandbox = Sandbox(home, {"HOME": str(box.client_home)})
        self.here = home / "project"
        self.there = box.home / home.name
        self._python, self._library = python, library
        config = box.client_home / ".ssh" / "config"
        config.write_text(f"IdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n")

    def project(self, source: Path | str, **environment: Any) -> None:
        """Put the same files on both sides."""
        for place in (self.here, self.there):
            if isinstance(source, Path):
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.mkdir()
                (place / "test_it.py").write_text(source)
        sshd.give(self.box, self.there)
        keys = {
            "host": "127.0.0.1",
            "user": self.box.user,
            "port": self.box.port,
            "how": "connect",
            **environment,
        }
        table = "".join(
            f"{key} = {value if isinstance(value, int) else chr(34) + value + chr(34)}\n"
            for key, value in keys.items()
        )
        (self.here / "tracekit.toml").write_text(
            f'[suite.it]\npython = "{self._python}"\nargs = ["-p", "no:cacheprovider"]\n'
            f'env = {{ PYTHONPATH = "{self._library}", PYTHONDONTWRITEBYTECODE = "1" }}\n'
            f'[env.box7]\n{table}path_map = {{ "{self.there}" = "." }}\n'
        )

    def trust(self, line: str | None = None) -> None:
        """Put a line into the person's own known_hosts."""
        (self.box.client_home / ".ssh" / "known_hosts").write_text(line or self.box.known_host)


def events(run: Path, box: str, project: Path) -> dict[str, list[str]]:
    """A recorded journal event by event, each source's in its order, without what no two runs share.

    Output is put together by whom it belongs to: how it was cut into pieces is nobody's fact.
    """
    found: dict[str, list[str]] = defaultdict(list)
    output = (run / box / "output.bin").read_bytes()
    printed: dict[str, bytes] = defaultdict(bytes)
    for raw in (run / box / "journal.ndjson").read_bytes().splitlines():
        line = json.loads(raw)
        role = line["src"].split("/")[1]
        if line["e"] in {"box.facts", "ingested"}:
            continue
        if line["e"] == "output":
            whose = f"{line.get('scenario')} {line.get('attempt')} {line['stream']} {line['attribution']}"
            printed[whose] += output[line["offset"] : line["offset"] + line["length"]]
            continue
        if line["e"] == "step.started" or (line["e"] == "step.ended" and _is_folded(line)):
            continue
        kept = {key: value for key, value in line.items() if key not in _HIDDEN | _OWN}
        found[role].append(_plain(json.dumps(kept, sort_keys=True), project))
    for whose, data in sorted(printed.items()):
        found["output"].append(f"{whose}: {_plain(data.decode(errors='replace'), project)}")
    return dict(found)


def _is_folded(line: dict[str, Any]) -> bool:
    """A phase is told by the attempt's end alone, unless it took its time; so is a fixture that is green."""
    kind = line.get("kind")
    return kind in {"setup", "call", "teardown"} or (kind == "fixture" and line.get("verdict") == "passed")


def _plain(text: str, project: Path) -> str:
    return _COUNTED.sub("*", text.replace(str(project), "ROOT"))
