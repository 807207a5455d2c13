"""A trace of a process that has raised: written by the tracer itself, taken out by the drain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tracekit import _native

WRITER = """\
import json, sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
library, rings, told = sys.argv[1:]
box = module_from_spec(spec_from_loader("_tkbox", ExtensionFileLoader("_tkbox", library)))
box.open(rings, 0, 0, 0, 0, 0)
for name, raised in json.loads(told).items():
    scenario = box.text(name)
    box.scenario(scenario, 1)
    for kind, words, file, line, count in raised:
        for number in range(count):
            box.exception(kind, words.replace("#", str(number)), file, line)
    box.scenario(scenario, box.text("failed"), True)
box.close()
"""

#: Type, words (with # for a number), file, line, how often.
Raised = tuple[str, str, str, int, int]


def traced(place: Path, told: dict[str, list[Raised]]) -> Path:
    """A box's folder with that trace."""
    place.mkdir(parents=True, exist_ok=True)
    library = place / "box.so"
    library.write_bytes(_native.box_library())
    words = [os.fspath(library), os.fspath(place / "rings"), json.dumps(told)]
    command = [sys.executable, "-c", WRITER, *words]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    _native.recover_trace(place / "rings", place, [])
    return place
