"""The command line as a user has it: a process, an environment of its own, and nothing left behind.

Every sandbox has its own state, cache and configuration, so its own agent, which ends by itself a second after its
last run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Far beyond anything that a busy machine needs; reached only by something that hangs.
PATIENCE = 300


@dataclass(frozen=True)
class Done:
    """An ended command."""

    code: int
    out: str
    err: str

    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        """The journal lines of one event."""
        return [line for line in self.lines() if line.get("e") == event]

    def verdicts(self) -> dict[str, str]:
        """The last verdict of each scenario in a journal."""
        return {line["scenario"]: line["verdict"] for line in self.of("attempt.ended")}

    def run_id(self) -> str:
        """The run a journal is of."""
        return str(self.lines()[0]["run"])


class Started(subprocess.Popen[bytes]):
    """A process that is waited for, and not for ever."""

    def communicate(
        self, input: bytes | None = None, timeout: float | None = PATIENCE
    ) -> tuple[bytes, bytes]:
        """Wait for its end, and give what it said."""
        try:
            return super().communicate(input, timeout)
        except subprocess.TimeoutExpired as hangs:
            self.kill()
            said = [(part or b"").decode(errors="replace")[-2000:] for part in (hangs.stdout, hangs.stderr)]
            raise AssertionError(f"hangs after {timeout:g} s: {self.args!r}\n" + "\n".join(said)) from None

    def wait(self, timeout: float | None = PATIENCE) -> int:
        """Wait for its end, and give its code; who waits in vain is told for what."""
        return super().wait(timeout)


@dataclass
class Sandbox:
    """A place for runs that is nobody else's."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        names = ("PATH", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        self.environ = {
            **kept,
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "VIRTUAL_ENV": sys.prefix,
            "TRACEKIT_AGENT_IDLE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.environ,
        }

    @property
    def state(self) -> Path:
        """Where its runs are."""
        return self.home / "state" / "tracekit"

    def project(self, files: dict[str, str], name: str = "project") -> Path:
        """Make a project of these files."""
        root = self.home / name
        for place, text in {"pytest.ini": "[pytest]\n", **files}.items():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_text(text)
        return root

    def daemons(self) -> list[int]:
        """The living processes that own this person's runs."""
        notes = [json.loads(note.read_text()) for note in (self.state / "agent").glob("*/daemon.json")]
        return [note["pid"] for note in notes if Path(f"/proc/{note['pid']}").exists()]

    def start(self, *words: object, command: list[str] | None = None, **options: Any) -> Started:
        """Start `tracekit` with these words, or another command, and hand its process over."""
        return Started(
            command or [sys.executable, "-m", "tracekit.cli.main", *map(str, words)],
            **{
                "env": self.environ,
                "cwd": self.home,
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **options,
            },
        )

    def run(self, *words: object, **options: Any) -> Done:
        """Run a command to its end."""
        process = self.start(*words, **options)
        out, err = process.communicate()
        return Done(
            process.returncode, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace")
        )


def processes_with(token: str) -> list[int]:
    """The processes of this machine whose environment holds a text; zombies hold none."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if token.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
