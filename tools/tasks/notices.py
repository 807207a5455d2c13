"""The notices of what is linked into the wheel: every crate whose licence asks to be shown stands in one file.

It reads what cargo says of the crates; it must never judge whether a licence may come in (native/deny.toml does).
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

from tools.tasks.common import NATIVE

NOTICES = NATIVE / "LICENSE-THIRD-PARTY"
# The crates whose code is in the wheel: the native module, and the library for boxes that it carries.
SHIPPED = ("tracekit-python", "tracekit-box")
# A choice of one of these asks for nothing beyond the licences of the project itself.
FREE = {"Apache-2.0", "Unlicense"}


def asks(licence: str) -> bool:
    """Whether using a crate asks for a notice, by what its licence offers to choose from."""
    return "AND" in licence.split() or not FREE.intersection(licence.replace("/", " ").split())


def linked(metadata: dict[str, Any]) -> dict[str, str]:
    """The crates that others wrote and whose code is in the wheel, each with its licence."""
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [key for key, package in packages.items() if package["name"] in SHIPPED]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        # A macro runs in the compiler: nothing of it is in the wheel.
        macro = any("proc-macro" in target["kind"] for target in packages[key]["targets"])
        if key in seen or macro:
            continue
        seen.add(key)
        waiting += [
            each["pkg"]
            for each in nodes[key]["deps"]
            if any(kind["kind"] is None for kind in each["dep_kinds"])
        ]
    return {packages[key]["name"]: packages[key]["license"] or "" for key in seen if packages[key]["source"]}


def faults(crates: dict[str, str], notices: str) -> list[str]:
    """What is missing from the notices, and what stands there for nothing."""
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^-{9,}\n(.*)$", notices, re.MULTILINE))))
    wanted = {name for name, licence in crates.items() if asks(licence)}
    where = NOTICES.name
    lacking = [f"{where}: nothing of {name} ({crates[name]})" for name in sorted(wanted - named)]
    return lacking + [f"{where}: {name} is not linked in" for name in sorted(named & crates.keys() - wanted)]


def check() -> list[str]:
    """What is wrong with the notices of the tree."""
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    target = host.partition("host: ")[2].split()[0]
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    told = subprocess.run(command, cwd=NATIVE, capture_output=True, text=True, check=True).stdout
    return faults(linked(json.loads(told)), NOTICES.read_text(encoding="utf-8"))
