"""What is remembered of a project tells whose paths it names, and is nobody's recording."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tracekit.engine.discovery import inventory_key
from tracekit.engine.engine import Engine
from tracekit.engine.places import Places
from tracekit.engine.requests import Discover
from tracekit.store.inventory import Inventory, InventoryStore
from tracekit.store.survey import Survey
from tracekit.ui.screens.console import link_word

PATIENCE = 60.0
PROFILE = f"""
[suite.one]
runner = 'pytest'
python = '{sys.executable}'
paths = ['test_one.py']
[env.here]
[env.box7]
host = "box7.invalid"
"""


@pytest.mark.parametrize(("environment", "elsewhere"), [("local", False), ("here", False), ("box7", True)])
def test_remembered__found_here_or_on_a_box__then_only_a_boxs_paths_are_elsewhere_and_no_link_is_told(
    tmp_path: Path, environment: str, elsewhere: bool
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "tracekit.toml").write_text(PROFILE)
    environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    places = Places(tmp_path / "state", tmp_path / "cache", environ, agent_idle=1.0)
    kept = Inventory(str(root), Survey("g", {}), (), ())
    InventoryStore(places.cache).save(kept, inventory_key(None, environment))
    with Engine(places) as engine:
        view = engine.submit(Discover(str(root), environment=environment, at_once=True)).result(PATIENCE)
        view.shown.set()
        assert view.elsewhere is elsewhere
        for link in ("attached", "ended"):
            view.mark(link)
            assert link_word(view) == ""
