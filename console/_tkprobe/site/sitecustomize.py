# ruff: noqa: INP001 - a folder that is put on a path, and no package
"""Starts the tracer in Python children of traced tests: this folder, and nothing else, is on their path for it.

It takes itself off the path again, lets the next `sitecustomize` do what it would have done, and never fails: without
the tracer's variables in the environment it does nothing at all.
"""

from __future__ import annotations

import os
import sys


def _step_aside() -> None:
    """The next module of this name takes this one's place, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != here]
    own = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        if own is not None:
            sys.modules.setdefault("sitecustomize", own)


def _trace() -> None:
    if os.environ.get("TRACEKIT_TRACE") not in ("default", "calls") or not os.environ.get("TRACEKIT_RINGS"):
        return
    from importlib.util import module_from_spec, spec_from_file_location

    file = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tracing.py")
    spec = spec_from_file_location("_tkprobe.tracing", file)
    if spec is None or spec.loader is None:
        return
    tracing = module_from_spec(spec)
    spec.loader.exec_module(tracing)
    tracing.start_child(dict(os.environ))


try:
    _trace()
except Exception:
    pass
_step_aside()
