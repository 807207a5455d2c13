"""P13: secrets never leave. Canaries in every form and place; afterwards not one byte of them is anywhere.

A suite prints its secrets in every form that is promised (plain, JSON, repr, url, hex, base64 at three alignments),
by itself and from a child, over two writes cut at every place, in an exception's text, in an assertion, in a log, in
its own name's parameters. Then everything that the run left is searched: run directories, the catalogue and the cache,
what `run`, `run --json`, `show`, `replay`, `runs`, `events` and every export print, and the console's cells; and all
of it once more when the run has been packed, each packed file as what it holds.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.consoles import FakeView, press, settle, showing
from tests.support.journals import Journal
from tests.torture.p13_boxes import over_ssh
from tests.torture.registry import Outcome, scaled
from tools.tasks.common import tool
from tracekit.agent.system import Files
from tracekit.store import recorded
from tracekit.store.packing import pack
from tracekit.wire import lines
from tracekit.wire.names import JOURNAL_FILE, OUTPUT_FILE, PACKED
from tracekit.wire.secrets import forms

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 10
TABS = "123456"
RED_ROWS = 4
# By the published patterns (environment), and by the profile's own word.
BY_PATTERN = "SHOP_API_TOKEN"
BY_PROFILE = "SHOP_GREETING"
MARK = "«redacted:"
PROFILE = """\
[suite.shop]
paths = ["tests"]
[suite.shop.env]
SHOP_GREETING = { secret = true, from = "env:SOURCE_OF_GREETING" }
"""
TEST = """\
import base64, json, logging, os, subprocess, sys, time, urllib.parse

import pytest

SECRETS = [os.environ["SHOP_API_TOKEN"], os.environ["SHOP_GREETING"]]
NAMES = ["token", "greeting"]


def forms(value):
    raw = value.encode()
    yield value
    yield json.dumps(value)
    yield repr(value)
    yield urllib.parse.quote(value, safe="")
    yield raw.hex()
    yield raw.hex().upper()
    for before in range(3):
        yield base64.b64encode(b"x" * before + raw + b"yz").decode()
        yield base64.urlsafe_b64encode(b"x" * before + raw + b"yz").decode()


@pytest.mark.parametrize("secret", SECRETS, ids=NAMES)
def test_forms_are_printed(secret):
    for form in forms(secret):
        print("out", form)
        print("err", form, file=sys.stderr)
        logging.warning("log %s", form)


@pytest.mark.parametrize("secret", SECRETS, ids=NAMES)
def test_two_writes(secret):
    for cut in range(1, len(secret)):
        os.write(1, b"two " + secret[:cut].encode())
        if cut % 5 == 0:
            time.sleep(0.04)  # so that the halves come in two readings
        os.write(1, secret[cut:].encode() + b"\\n")


@pytest.mark.parametrize("secret", SECRETS, ids=NAMES)
def test_child_prints(secret):
    subprocess.run([sys.executable, "-c", "import sys; print('child', sys.argv[1])", secret], check=True)
    subprocess.run(["env"], check=True)


@pytest.mark.parametrize("secret", SECRETS, ids=NAMES)
def test_exception_text(secret):
    local = {"password": secret, "nested": [secret]}
    try:
        raise KeyError(secret)
    except KeyError as cause:
        raise RuntimeError(f"refused {secret}") from cause


@pytest.mark.parametrize("secret", SECRETS, ids=NAMES)
def test_assertion(secret):
    assert {"given": secret} == {"given": secret[::-1], "more": secret.encode()}


@pytest.mark.parametrize("secret", SECRETS)
def test_own_name(secret):
    assert secret
"""


class Place:
    """One project with its own state, cache and configuration, and the canaries of this round."""

    def __init__(self, base: Path) -> None:
        self.base = base
        # A mixture of letters that every form writes differently.
        self.values = [f'ca{secrets.token_hex(6)}/+"é?&{secrets.token_hex(4)}' for _ in range(2)]
        self.project = base / "project"
        (self.project / "tests").mkdir(parents=True)
        (self.project / "tests" / "test_secrets.py").write_text(TEST, encoding="utf-8")
        (self.project / "tracekit.toml").write_text(PROFILE, encoding="utf-8")
        self.env = {**os.environ, "NO_COLOR": "1", "VIRTUAL_ENV": sys.prefix, "TRACEKIT_AGENT_IDLE": "1"}
        self.env |= {BY_PATTERN: self.values[0], "SOURCE_OF_GREETING": self.values[1]}
        for name in ("STATE_HOME", "CACHE_HOME", "CONFIG_HOME", "RUNTIME_DIR"):
            folder = base / name.lower()
            folder.mkdir(mode=0o700)
            self.env[f"XDG_{name}"] = str(folder)

    def call(self, *words: str) -> tuple[int, bytes]:
        """A command's exit code and everything it said."""
        done = subprocess.run(
            [tool("tracekit"), *words],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        return done.returncode, done.stdout

    def recorded(self, run: str) -> Path:
        """Where a run's journal and output are."""
        return Path(self.env["XDG_STATE_HOME"]) / "tracekit" / "runs" / run / "local"

    def hits(self, data: bytes) -> list[str]:
        """The forms of canaries that these bytes hold."""
        return [
            form.decode(errors="replace") for value in self.values for form in forms(value) if form in data
        ]


def kept_files(base: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that a run leaves in its places, as it reads; the project's own files are the user's."""
    for name in ("state_home", "cache_home", "config_home", "runtime_dir"):
        for path in sorted((base / name).rglob("*")):
            if path.is_file():
                yield str(path.relative_to(base)), path.read_bytes()
                if path.suffix == PACKED:
                    yield f"{path.relative_to(base)} unpacked", whole(path.with_suffix(""))


def whole(file: Path) -> bytes:
    """A journal or an output, plain or packed."""
    with recorded.opened(file) as opened:
        return opened.read()


def cells(place: Place, run: str) -> bytes:
    """Every pane of the console on this run, on a screen so large that little is cut off."""
    folder = place.recorded(run)
    journal = Journal(run=run, root=str(place.project))
    journal.lines = [lines.decode(line) for line in whole(folder / JOURNAL_FILE).splitlines()]
    journal.output = bytearray(whole(folder / OUTPUT_FILE))
    shown = showing(FakeView(journal))
    seen: list[str] = []

    async def look() -> None:
        async with shown.app.run_test(size=(240, 100)) as pilot:
            await settle(pilot, shown)
            for _ in range(RED_ROWS):
                for key in TABS:
                    await press(pilot, shown, key)
                    seen.append(shown.screen_text())
                await press(pilot, shown, "J")

    asyncio.run(look())
    return "\n".join(seen).encode()


def bundled(place: Place, run: str, outcome: Outcome) -> dict[str, bytes]:
    """Every file of the run's bundle, unpacked: packed, a secret would not be found."""
    file = place.base / "run.bundle"
    file.unlink(missing_ok=True)
    code, told = place.call("export", run, "--bundle", str(file))
    if code:
        outcome.fault(f"no bundle was written: {told[-500:]!r}")
        return {"export --bundle": told}
    with zipfile.ZipFile(file) as packed:
        return {f"bundle:{name}": packed.read(name) for name in packed.namelist()}


def one_round(base: Path, outcome: Outcome) -> dict[str, int]:
    """A run with canaries, then the search."""
    place = Place(base)
    said: dict[str, bytes] = {}
    code, said["run --json"] = place.call("run", "--json")
    if code != 1:
        outcome.fault(f"the run ended with {code}, not 1: {said['run --json'][-500:]!r}")
        return {}
    run = next(json.loads(line)["run"] for line in said["run --json"].splitlines() if line.startswith(b"{"))
    said["run"] = place.call("run")[1]
    figures = {"files": 0, "kib": 0}
    said["the console"] = cells(place, run)
    for state in ("plain", "packed"):
        if state == "packed":
            # The console has what it shows from the same bytes: it is not looked at again.
            before = whole(place.recorded(run) / JOURNAL_FILE), whole(place.recorded(run) / OUTPUT_FILE)
            pack(place.recorded(run), Files(), smallest=0)
            after = whole(place.recorded(run) / JOURNAL_FILE), whole(place.recorded(run) / OUTPUT_FILE)
            if (place.recorded(run) / JOURNAL_FILE).exists() or before != after:
                outcome.fault("the run was not packed as it was")
        looked(place, run, said, outcome)
        kept = list(kept_files(base))
        search(place, state, [*said.items(), *kept], outcome)
        figures["files"] += len(kept)
        figures["kib"] += sum(len(data) for _, data in [*said.items(), *kept]) // 1024
        # Read through the seam: if it showed nothing, nothing was looked at.
        for name in ("run --json", "export --json", "show exception_text[token]", "the console"):
            if MARK.encode() not in said[name] and json.dumps(MARK)[1:-1].encode() not in said[name]:
                outcome.fault(f"{name}, {state}, holds no redacted value: the canaries were never there")
    return figures


def looked(place: Place, run: str, said: dict[str, bytes], outcome: Outcome) -> None:
    """Every command that reads a recorded run."""
    for words in (
        ["show", run],
        ["show", run, "exception_text[token]"],
        ["replay", run, "--headless"],
        ["events", run],
        ["events", run, "--json"],
        *(["export", run, form, "-"] for form in ("--junit", "--ctrf", "--json", "--chrome", "--perfetto")),
    ):
        said[" ".join(word for word in words if word not in {run, "-"})] = place.call(*words)[1]
    for words in (
        ["runs"],
        ["list"],
        ["config", "--show-origin"],
        ["doctor"],
        ["verify", run],
        ["recover", run],
        ["history", "own_name"],
        ["history", "exception_text[token]", "--json"],
        ["compare", run, "last", "--json"],
        ["gc", "--json"],
    ):
        said[" ".join(words)] = place.call(*words)[1]
    said.update(bundled(place, run, outcome))


def search(place: Place, state: str, data: list[tuple[str, bytes]], outcome: Outcome) -> None:
    """Every form of every canary, in everything."""
    for name, held in data:
        for form in place.hits(held):
            outcome.fault(f"{name}, {state}, holds {form!r}")


def main(scale: float) -> Outcome:
    """Rounds with new canaries each."""
    outcome = Outcome()
    total: dict[str, int] = {}
    rounds = scaled(ROUNDS, scale)
    for _ in range(rounds):
        base = Path(tempfile.mkdtemp(prefix="tracekit-p13-"))
        try:
            for name, value in one_round(base, outcome).items():
                total[name] = total.get(name, 0) + value
        finally:
            shutil.rmtree(base, ignore_errors=True)
    base = Path(tempfile.mkdtemp(prefix="tracekit-p13-"))
    try:
        total |= over_ssh(base, rounds, outcome)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    outcome.figures = {"rounds": rounds, **total, "hits": len(outcome.faults)}
    return outcome
