"""Who imports what, by the text of the files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.engine.imports import MAX_FILES, importers

FILES = {
    "src/shop/__init__.py": "",
    "src/shop/db.py": "import json, sqlite3\n",
    "src/shop/orders.py": "from . import db\n",
    "src/shop/api/__init__.py": "",
    "src/shop/api/http.py": "from ..orders import (\n    place,\n    cancel,\n)\n",
    "src/shop/alone.py": "x = 1\n",
    "tests/conftest.py": "from helpers import x\n",
    "tests/test_db.py": "import shop.db as d\n",
    "tests/test_orders.py": "from shop import orders, alone\n",
    "tests/test_http.py": "def test():\n    from shop.api.http import x  # late\n",
    "tests/test_none.py": "import json\n",
    "tests/deep/test_x.py": "def broken(:\n  import shop.alone\n",
    "helpers.py": "",
    "other/test_y.py": "s = 'import shop.alone'\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("src/shop/db.py", ["test_db", "test_http", "test_orders"]),
        ("src/shop/orders.py", ["test_http", "test_orders"]),
        ("src/shop/api/http.py", ["test_http"]),
        ("src/shop/alone.py", ["test_orders", "test_x"]),
        ("src/shop/__init__.py", ["test_db", "test_http", "test_orders", "test_x"]),
        ("helpers.py", ["test_db", "test_http", "test_none", "test_orders", "test_x"]),
        ("tests/conftest.py", ["test_db", "test_http", "test_none", "test_orders", "test_x"]),
        ("gone/away.py", []),
    ],
)
def test_importers__a_changed_file__then_whoever_leads_to_it(
    root: Path, changed: str, tests: list[str]
) -> None:
    found = importers(str(root), FILES, [changed])
    assert found is not None
    assert sorted(Path(path).stem for path in found if "test_" in path) == tests
    assert changed in found


def test_importers__a_circle__then_an_end(root: Path) -> None:
    (root / "src/shop/db.py").write_text("from shop import orders\n")
    found = importers(str(root), FILES, ["src/shop/db.py"])
    assert found is not None
    assert "src/shop/orders.py" in found


def test_importers__too_many_files__then_no_guess(root: Path) -> None:
    assert importers(str(root), [f"m{number}.py" for number in range(MAX_FILES + 1)], ["m1.py"]) is None
