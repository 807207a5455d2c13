"""The agent's command line: `bridge`, `daemon`, `version`. It parses and hands over, and does nothing itself."""

from __future__ import annotations

import binascii
import os
import sys
from collections.abc import Sequence
from typing import Optional

from tracekit.agent.system import System
from tracekit.wire.names import PROTOCOL_MAJOR, PROTOCOL_MINOR

USAGE = """\
usage: agent (bridge|daemon) [--state DIR] [--cache DIR] [--probe DIR] [--agent HASH] [--idle SECONDS] [--early WORDS]
       agent version
"""
_OPTIONS = ("--state", "--cache", "--probe", "--agent", "--idle", "--early")


def default_cache() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "tracekit")


def default_state() -> str:
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "tracekit")


def _options(words: Sequence[str]) -> Optional[dict[str, str]]:
    found: dict[str, str] = {}
    rest = list(words)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name not in _OPTIONS or not (equals or rest):
            return None
        found[name] = value if equals else rest.pop(0)
    return found


def main(
    arguments: Optional[Sequence[str]] = None,
    *,
    probe: str = "",
    agent: str = "source",
    system: Optional[System] = None,
) -> int:
    """Run one command; gives the exit code. Where it runs from a zip, the zip says where the probe is and its hash."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words.pop(0) if words else ""
    options = _options(words)
    if command == "version" and not words:
        sys.stdout.write(f"tracekit-agent protocol {PROTOCOL_MAJOR}.{PROTOCOL_MINOR} {agent}\n")
        return 0
    if command not in {"bridge", "daemon"} or options is None:
        sys.stderr.write(USAGE)
        return 2
    from tracekit.agent.paths import IDLE, REMEMBERED, Settings

    idle = options.get("--idle") or os.environ.get("TRACEKIT_AGENT_IDLE") or ""
    settings = Settings(
        state=os.path.abspath(options.get("--state") or default_state()),
        cache=os.path.abspath(options.get("--cache") or default_cache()),
        probe=options.get("--probe") or probe,
        agent=options.get("--agent") or agent,
        idle=_seconds(idle, IDLE),
        remembered=_seconds(os.environ.get("TRACEKIT_AGENT_REMEMBERED") or "", REMEMBERED),
    )
    if command == "bridge":
        from tracekit.agent import bridge

        early = binascii.a2b_base64(options.get("--early", ""))
        return bridge.run(system or System(), settings, early=early)
    from tracekit.agent import daemon

    return daemon.serve(system or System(), settings)


def _seconds(text: str, default: float) -> float:
    try:
        return max(0.05, float(text)) if text else default
    except ValueError:
        return default


if __name__ == "__main__":
    sys.exit(main())
