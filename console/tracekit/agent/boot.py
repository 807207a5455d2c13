"""What runs before anything of ours can be imported: on a box to fetch the agent's zip, and as that zip's `__main__`.

On a box the console hands these lines to a bare Python, which runs the zip from its cache or asks for it. The zip
unpacks itself once by content hash: importing from files is faster, and test processes find the probe there; where
nothing is writable everything runs from the zip itself.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys

#: What is written to the console, between whatever the box's shell prints.
NEED = b"\0tracekit-need/1\0"
NO_PLACE = b"\0tracekit-no-place/1\0"
_MOST = 64 << 20


def places() -> list[str]:
    """Where the agent may keep its files, the best first."""
    home = os.path.expanduser("~")
    mine = f"tracekit-{os.getuid()}"
    places = [os.environ.get("XDG_CACHE_HOME", ""), os.path.join(home, ".cache") if home != "~" else ""]
    named = [os.path.join(place, "tracekit") for place in places if os.path.isabs(place)]
    # Persistent temporary folders before memory; both are everybody's, so the owner is checked.
    shared = ("/var/tmp", "/tmp", "/dev/shm")  # noqa: S108
    return [*named, *(os.path.join(place, mine) for place in shared)]


def private(path: str) -> bool:
    """Make a directory; whether it is ours and nobody else may write there."""
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
            file.extractall(
                part, [name for name in file.namelist() if name.startswith(("app/", "probe/", "lib/"))]
            )
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
    for base in places():
        try:
            agents = os.path.join(base, "agent")
            if not private(base) or not private(agents):
                continue
            target = os.path.join(agents, digest)
            if not os.path.isfile(os.path.join(target, "app", "tracekit", "agent", "main.py")):
                _unpack(archive, target)
            if private(target):
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


def arrive(name: str, digest: str) -> int:
    """On a box: run the zip of this name, asking for its bytes where no cache has them."""
    import hashlib

    data = b""
    for base in places():
        try:
            agents = os.path.join(base, "agent")
            if not private(base) or not private(agents):
                continue
            path = os.path.join(agents, f"{name}.pyz")
            if not os.path.isfile(path):
                data = data or _receive(digest)
                part = f"{path}.{os.getpid()}.part"
                with open(part, "wb") as file:
                    file.write(data)
                os.rename(part, path)
            with open(path, "rb") as file:
                if hashlib.blake2b(file.read()).hexdigest() != digest:
                    os.unlink(path)  # damaged: the next place, or the next visit, gets a sound one
                    continue
            state = _state(base)
            words = [path, "bridge", "--state", state]
            if _served(state):
                # Somebody is there to talk to: a second start of Python would be most of the time that this takes.
                return _here(words, name)
            os.execv(sys.executable, [sys.executable, "-I", "-S", *words])  # noqa: S606 - our own file
        except OSError:
            continue
    os.write(1, NO_PLACE)
    return 87


def _served(state: str) -> bool:
    """Whether a daemon has left word where it is; whether it lives, its bridge finds out."""
    agents = os.path.join(state, "agent")
    try:
        return any(os.path.isfile(os.path.join(agents, name, "daemon.json")) for name in os.listdir(agents))
    except OSError:
        return False


def _here(words: list[str], name: str) -> int:
    """Be the zip's own program, in this very process."""
    home = place(words[0], name)
    sys.argv[:] = words
    sys.path.insert(0, os.path.join(home, "app"))
    from tracekit.agent.main import main

    return main(probe=os.path.join(home, "probe"), agent=name)


def _state(cache: str) -> str:
    """Where runs of other consoles are kept here: never among the runs of a console of this very user."""
    home = os.path.expanduser("~")
    named = [
        os.environ.get("XDG_STATE_HOME", ""),
        os.path.join(home, ".local", "state") if home != "~" else "",
    ]
    for base in named:
        if os.path.isabs(base):
            try:
                place = os.path.join(base, "tracekit", "box")
                if private(place) and os.access(place, os.W_OK):
                    return place
            except OSError:
                continue
    return os.path.join(cache, "box")


def _receive(digest: str) -> bytes:
    import hashlib

    os.write(1, NEED)
    size = int.from_bytes(_exactly(8), "big")
    data = _exactly(min(size, _MOST))
    if hashlib.blake2b(data).hexdigest() != digest:
        sys.exit(88)
    return data


def _exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(0, min(size - len(data), 1 << 18))
        if not piece:
            sys.exit(89)
        data += piece
    return data


if __name__ == "__main__":
    # Handed over as text there are arguments behind our own source; as a zip there is a command.
    code = arrive(*sys.argv[3:5]) if sys.argv[2:3] == ["arrive"] else run()
    # Somebody waits for us, and for an interpreter to take itself apart is longer than all that a bridge does.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
