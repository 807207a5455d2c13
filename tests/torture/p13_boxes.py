"""P13 with secrets on the box: its own variables, those that a launch brings, files that look like secrets, artefacts.

While the run goes on its replicated files are looked at, and the arguments of everything that the agent starts; at the
end everything that is left, there and here.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support import sshd
from tests.support.cli import Sandbox
from tests.torture.agents import wait
from tests.torture.boxes import PATIENCE, SETTINGS, Lent
from tests.torture.registry import Outcome
from tracekit.wire.secrets import forms

#: The box's own by a published pattern, ours by the profile's word, ours by pattern, and two that stand in files.
OWN, GIVEN, LEFT_OUT = "BOX_API_TOKEN", "SHOP_GREETING", ".env"
TEST = """\
import base64, os, pathlib, subprocess, sys, time, urllib.parse
import pytest

HERE = pathlib.Path(__file__).parent
SECRETS = [os.environ["BOX_API_TOKEN"], os.environ["SHOP_GREETING"]]

@pytest.mark.parametrize("secret", SECRETS, ids=["box", "given"])
def test_told_in_every_form(secret):
    raw = secret.encode()
    told = [secret, repr(secret), urllib.parse.quote(secret, safe=""), raw.hex()]
    told += [base64.b64encode(b"x" * before + raw + b"yz").decode() for before in range(3)]
    (HERE.parent / "out").mkdir(exist_ok=True)
    with (HERE.parent / "out" / "made.log").open("a") as made:
        for each in told:
            print("out", each)
            print("err", each, file=sys.stderr)
            print("made", each, file=made)
    for cut in range(1, len(secret), 3):
        os.write(1, b"two " + secret[:cut].encode())
        time.sleep(0.03)
        os.write(1, secret[cut:].encode() + b"\\n")
    subprocess.run([sys.executable, "-c", "import sys; print('child', sys.argv[1])", secret], check=True)
    raise RuntimeError(f"refused {secret}")

def test_left_out_files_are_not_there():
    assert not (HERE.parent / ".env").exists()
"""


class Round:
    """One project, one box and the canaries of this round."""

    def __init__(self, base: Path, outcome: Outcome) -> None:
        self.base, self.outcome = base, outcome
        self.values = {
            name: f"ca{secrets.token_hex(6)}/+é&{secrets.token_hex(4)}" for name in (OWN, GIVEN, LEFT_OUT)
        }
        # An sshd's settings file holds no quotes: the box's own is plain.
        self.values[OWN] = f"ca{secrets.token_hex(12)}"
        self.searched = 0

    def run(self) -> dict[str, int]:
        """The run, watched, and the search."""
        self.base.mkdir(parents=True, exist_ok=True)
        settings = SETTINGS.replace("SetEnv ", f"SetEnv {OWN}={self.values[OWN]} ")
        with sshd.box(self.base / "box", settings=settings) as box:
            lent = Lent(box, *sshd.lend_pytest(box), self.base)
            sandbox = self._project(lent)
            process = sandbox.start("run", sandbox.home / "project", "--env", "box7", "--json")
            watched = wait(lambda: self._watch(lent) and process.poll() is not None, PATIENCE)
            out, err = process.communicate()
            if not watched or process.returncode != 1:
                self.outcome.fault(f"box: the run ended with {process.returncode}: {err[-300:]!r}")
            self._search("box: what it printed", out + err)
            run = next(iter((sandbox.state / "runs").iterdir())).name
            for words in (["show", run], ["runs"], ["verify", run], ["events", run], ["box", "list"]):
                done = sandbox.run(*words, cwd=sandbox.home / "project")
                self._search(f"box: {' '.join(words)}", (done.out + done.err).encode())
            wait(lambda: not lent.processes(), PATIENCE)
            places = [sandbox.state, sandbox.home / "cache", sandbox.home / "config", *_there(lent)]
            for path in (path for place in places for path in place.rglob("*") if path.is_file()):
                if path.parts[-3:-1] == ("tree", "out"):
                    continue  # what a test writes into its own project stays its own
                self._search(f"box: {path}", path.read_bytes())
            self._search("box: the log of its sshd", (self.base / "box" / "sshd.log").read_bytes())
            if (
                "«redacted:".encode()
                not in next((sandbox.state / "runs").glob("*/box7/output.bin")).read_bytes()
            ):
                self.outcome.fault("box: nothing was redacted: the canaries were never there")
        return {"ssh_kib": self.searched // 1024}

    def _project(self, lent: Lent) -> Sandbox:
        client = lent.box.client_home / ".ssh"
        (client / "config").write_text(f"IdentityFile {client}/id_ed25519\nIdentityAgent none\n")
        (client / "known_hosts").write_text(lent.box.known_host)
        sandbox = Sandbox(self.base / "here", {"HOME": str(client.parent), "SOURCE": self.values[GIVEN]})
        profile = (
            f'[suite.it]\npaths = ["tests"]\npython = "{lent.python}"\nargs = ["-p", "no:cacheprovider"]\n'
            f'[suite.it.env]\nPYTHONPATH = "{lent.library}"\n'
            f'{GIVEN} = {{ secret = true, from = "env:SOURCE" }}\n'
            f'[env.box7]\nhost = "127.0.0.1"\nuser = "{lent.box.user}"\nport = {lent.box.port}\n'
            'artefacts = ["out/*.log"]\n'
        )
        files = {"tests/test_it.py": TEST, ".env": self.values[LEFT_OUT], "id_rsa": self.values[LEFT_OUT]}
        sandbox.project({"tracekit.toml": profile, **files})
        return sandbox

    def _watch(self, lent: Lent) -> bool:
        """What is replicated, and what everybody on the box can see of the agent."""
        for path in (lent.box.home / ".local").glob("state/tracekit/box/runs/*/box7/*"):
            if path.is_file():
                self._search(f"box, while it ran: {path.name}", path.read_bytes())
        for pid in lent.processes():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"child" not in words:  # the test's own argument is not ours to hide
                self._search(f"box: the arguments of {words[:60]!r}", words)
        return True

    def _search(self, name: str, data: bytes) -> None:
        self.searched += len(data)
        for value in self.values.values():
            for form in forms(value):
                if form in data:
                    self.outcome.fault(f"{name} holds {form!r}")


def _there(lent: Lent) -> Iterator[Path]:
    """Everything of the box's user: the home, and what other people's folders hold of it; the tests' library apart."""
    for path in lent.box.home.iterdir():
        if path != lent.library and path.is_dir() and not path.name.startswith("tracekit-sshd-"):
            yield path
    for place in ("/var/tmp", "/tmp", "/dev/shm"):
        found = Path(place) / f"tracekit-{lent.uid}"
        if found.is_dir() and found.stat().st_uid == lent.uid:
            yield found


def over_ssh(base: Path, rounds: int, outcome: Outcome) -> dict[str, int]:
    """So many rounds; gives the figures."""
    searched = 0
    for number in range(rounds):
        try:
            searched += Round(base / f"round{number}", outcome).run()["ssh_kib"]
        except (OSError, StopIteration, subprocess.SubprocessError) as fault:
            outcome.fault(f"box: {type(fault).__name__}: {fault}")
    return {"ssh_rounds": rounds, "ssh_kib": searched}
