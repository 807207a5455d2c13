from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import tracekit
from tracekit import _native

ROOT = Path(__file__).parents[3]


def test_version__of_cargo_wheel_native_and_package__then_one() -> None:
    cargo = tomllib.loads((ROOT / "native/Cargo.toml").read_text(encoding="utf-8"))
    version = cargo["workspace"]["package"]["version"]
    assert tracekit.__version__ == version
    assert version == _native.VERSION
    assert metadata.version("tracekit") == version


def test_version__of_every_crate__then_the_workspaces() -> None:
    manifests = sorted((ROOT / "native").glob("*/Cargo.toml"))
    assert manifests
    for manifest in manifests:
        assert tomllib.loads(manifest.read_text(encoding="utf-8"))["package"]["version"] == {
            "workspace": True
        }
