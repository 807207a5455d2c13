"""A project that is only on this machine, and a box that has nothing of it."""

from __future__ import annotations

from pathlib import Path

from tests.support import sshd
from tests.support.cli import Done, Sandbox

SECRET = "s3cret-value-of-the-token"


class Here:
    """A project on this machine, and an environment whose box has nothing of it."""

    def __init__(self, box: sshd.Box, python: str, library: Path, home: Path) -> None:
        self.box, self.python, self.library = box, python, library
        self.sandbox = Sandbox(home, {"HOME": str(box.client_home), "DEPLOY_TOKEN": SECRET})
        self.root = home / "project"
        self.root.mkdir()
        (box.client_home / ".ssh" / "config").write_text(
            f"IdentityFile {box.client_home}/.ssh/id_ed25519\nIdentityAgent none\n"
        )
        (box.client_home / ".ssh" / "known_hosts").write_text(box.known_host)

    def files(self, **files: str) -> None:
        for name, text in files.items():
            path = self.root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def profile(self, *lines: str, python: str | None = None) -> None:
        chosen = python or self.python
        (self.root / "tracekit.toml").write_text(
            f'[suite.it]\npython = "{chosen}"\nargs = ["-p", "no:cacheprovider"]\n'
            f'env = {{ PYTHONPATH = "{self.library}", PYTHONDONTWRITEBYTECODE = "1", '
            'DEPLOY_TOKEN = { secret = true, from = "env:DEPLOY_TOKEN" } }\n'
            f'[env.box7]\nhost = "127.0.0.1"\nuser = "{self.box.user}"\nport = {self.box.port}\n'
            + "".join(f"{line}\n" for line in lines)
        )

    def run(self, *words: str) -> Done:
        return self.sandbox.run("run", self.root, "--env", "box7", "--json", *words)


def launches(done: Done) -> list[str]:
    """Why each process of the run was started."""
    return [line["reason"] for line in done.of("phase.started") if line["phase"] == "launch"]


def outputs(done: Done) -> str:
    return "".join(line.get("text", "") for line in done.of("output"))
