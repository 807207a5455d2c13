"""What a console wants to hear, and how often, is said with its attach."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from tracekit.agent.client import Client
from tracekit.engine.box import Box
from tracekit.engine.follow import Follower
from tracekit.engine.view import RunView
from tracekit.link.pipes import Opener


@pytest.mark.parametrize("pace", [0.0, 0.07])
def test_attach__a_console_has_a_pace__then_the_agent_is_told_of_it(tmp_path: Path, pace: float) -> None:
    box = Box(cast("Opener", None), "console", pace=pace)
    view = RunView("01J00000000000000000000000", "", tmp_path, link="connecting")
    client = Client("console")
    box._attach(Follower(view, lambda _: None))(client)
    assert (b'"pace":0.07' in client.take()) is (pace > 0)
