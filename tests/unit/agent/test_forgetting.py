"""What a daemon that lives for days holds of runs that are over: nothing, and without waiting for a look at garbage."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.agents.driving import box, fake_agent
from tests.support.until import until

COUNTS = """
import collections, gc, os, signal
gc.disable()

def count(*_):
    found = collections.Counter(type(each).__name__ for each in gc.get_objects())
    text = " ".join(str(found[name]) for name in ("LiveRun", "Pump", "Driver", "Recording"))
    with open({place!r} + ".part", "w") as file:
        file.write(text)
    os.rename({place!r} + ".part", {place!r})

signal.signal(signal.SIGUSR2, count)
"""


def test_daemon__runs_are_over__then_nothing_of_them_is_held_though_nobody_looks_for_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEKIT_AGENT_REMEMBERED", "0.05")
    place = tmp_path / "counted"
    with box(tmp_path, fake_agent(COUNTS.format(place=str(place))), idle=60) as made:
        link = made.link()
        link.hello()

        def held() -> str:
            place.unlink(missing_ok=True)
            os.kill(made.daemon_pid(), signal.SIGUSR2)
            until(place.exists)
            return place.read_text()

        assert held() == "0 0 0 0"
        for _ in range(3):
            message = made.start_message({"tests": 2})
            link.client.start(message)
            link.client.attach(message["plan"]["run"])
            assert link.end_of(message["plan"]["run"])["reason"] == "finished"
        until(lambda: held() == "0 0 0 0")
