"""What tests need beyond the development environment: other Pythons, small system programs.

Must never fail a run by itself: what cannot be had is said, and the test that needs it says `unavailable`.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from tools.tasks import pythons
from tools.tasks.common import say

# The oldest the probe and the agent promise, and the newest.
VERSIONS = ("3.8", "3.9", "3.13")
# Program -> Debian package. Each is used by tests that name it.
PROGRAMS = {
    "git": "git",
    "tmux": "tmux",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "zsh": "zsh",
    "fish": "fish",
}


def programs(wanted: dict[str, str]) -> list[str]:
    """Install the packages of missing programs where that is possible; gives the programs still missing."""
    missing = {name: package for name, package in wanted.items() if shutil.which(name) is None}
    if missing and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *sorted(set(missing.values()))],
        ):
            done = subprocess.run(
                command, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
            if done.returncode:
                tail = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
                say(f"{' '.join(command[:2])} failed: {' '.join(tail)}")
    return [name for name in missing if shutil.which(name) is None]


def install() -> int:
    """Get everything that can be got; what cannot be is named."""
    for name in programs(PROGRAMS):
        say(f"unavailable: {name} (no such program, and no rights or packages to install it)")
    for version in VERSIONS:
        found = pythons.find(version, fetch=True)
        say(f"python{version}: {found or 'unavailable'}")
    return 0
