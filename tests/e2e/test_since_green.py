"""A red scenario that was green before: which run that was, and which files of the project are different since."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Sandbox

TEST = (
    "from shop import price\n\ndef test_price():\n    assert price(2) == 4\n\ndef test_other():\n    pass\n"
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "home")


def test_show__red_after_green__then_the_green_run_and_the_files_that_changed(sandbox: Sandbox) -> None:
    shop = "def price(n):\n    return n * 2\n"
    root = sandbox.project({"test_shop.py": TEST, "shop.py": shop, "conftest.py": ""})
    green = sandbox.run("run", root, "--json").run_id()
    (root / "shop.py").write_text(shop.replace("2", "3"))
    (root / "tax.py").write_text("RATE = 19\n")
    sandbox.run("run", root)
    said = sandbox.run("show", "last", "test_price").out
    assert f"green last in {green}" in said
    assert [line.split() for line in said.splitlines() if line.startswith("    ") and ".py" in line][-2:] == [
        ["changed", "shop.py"],
        ["new", "tax.py"],
    ]
    (line,) = sandbox.run("show", "last", "test_price", "--json").lines()
    assert line["green"]["run"] == green
    assert line["changed"] == [["changed", "shop.py"], ["new", "tax.py"]]


def test_show__green_or_never_green__then_nothing_is_explained(sandbox: Sandbox) -> None:
    root = sandbox.project({"test_shop.py": TEST, "shop.py": "def price(n):\n    return 0\n"})
    sandbox.run("run", root)
    assert "green last" not in sandbox.run("show", "last", "test_price").out
    (line,) = sandbox.run("show", "last", "test_price", "--json").lines()
    assert line["green"] is None
    assert "green" not in sandbox.run("show", "last", "test_other", "--json").lines()[0]
