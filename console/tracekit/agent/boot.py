"""What stands as `__main__` in the agent's zip: unpack once by content hash into a cache, then run from there.

Importing from unpacked files is faster, and test processes find the probe there; where nothing is writable everything
runs from the zip itself. It runs alone, before anything of ours can be imported.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys


def _places() -> list[str]:
    home = os.path.expanduser("~")
    mine = f"tracekit-{os.getuid()}"
    places = [os.environ.get("XDG_CACHE_HOME", ""), os.path.join(home, ".cache") if home != "~" else ""]
    named = [os.path.join(place, "tracekit") for place in places if os.path.isabs(place)]
    # Persistent temporary folders before memory; both are everybody's, so the owner is checked.
    shared = ("/var/tmp", "/tmp", "/dev/shm")  # noqa: S108
    return [*named, *(os.path.join(place, mine) for place in shared)]


def _private(path: str) -> bool:
    os.makedirs(path, mode=0o700, exist_ok=True)
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _unpack(archive: str, target: str) -> None:
    import zipfile

    part = f"{target}.{os.getpid()}"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part, mode=0o700)
    try:
        with zipfile.ZipFile(archive) as file:
            file.extractall(part, [name for name in file.namelist() if name.startswith(("app/", "probe/"))])
        try:
            os.rename(part, target)
        except OSError:
            # Somebody else was quicker; theirs has the same bytes, or it is no directory of ours.
            if not os.path.isdir(target):
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def place(archive: str, digest: str) -> str:
    """The directory that holds this agent's files; inside the archive when nothing else can be written."""
    for base in _places():
        try:
            agents = os.path.join(base, "agent")
            if not _private(base) or not _private(agents):
                continue
            target = os.path.join(agents, digest)
            if not os.path.isfile(os.path.join(target, "app", "tracekit", "agent", "main.py")):
                _unpack(archive, target)
            if _private(target):
                return target
        except OSError:
            continue
    return archive


def run() -> int:
    """Find the files and hand over."""
    archive = os.path.abspath(sys.argv[0])
    digest = __loader__.get_data(os.path.join(archive, "HASH")).decode("ascii")  # type: ignore[name-defined]
    home = place(archive, digest)
    sys.path.insert(0, os.path.join(home, "app"))
    from tracekit.agent.main import main

    return main(probe=os.path.join(home, "probe"), agent=digest)


if __name__ == "__main__":
    sys.exit(run())
