"""What runs before anything of ours can be imported: on a box to fetch the agent's zip, and as that zip's `__main__`.

On a box the console hands these lines to a bare Python, which runs the zip from its cache or asks for it. The zip
unpacks itself once by content hash: importing from files is faster, and test processes find the probe there; where
nothing is writable everything runs from the zip itself.
"""

from __future__ import annotations

import os
import stat
import sys

#: What is written to the console, between whatever the box's shell prints.
NEED = b"\0tracekit-need/1\0"
NEED_LIBRARY = b"\0tracekit-need-library/1\0"
NO_PLACE = b"\0tracekit-no-place/1\0"
_MOST = 64 << 20
#: What of a package travels: its modules, and what node loads of it.
CARRIED = (".py", ".cjs", ".mjs")
#: The last word for a bridge that was started before anybody knew whether it is needed.
WAITS = "--waits"
#: What such a bridge loads meanwhile, in the order of need: its daemon is forked off it, and every run off that.
AHEAD = (
    "tracekit.agent.main",
    "tracekit.agent.bridge",
    "tracekit.agent.daemon",
    "ctypes",
    "tracekit.agent.runners.pytest",
    "tracekit.agent.runners.pytest_ends",
)
#: Where libraries are kept, by the hash of their bytes: agents come and go, and theirs stays the same.
LIBRARY = "library"


def _hash(data: bytes, size: int = 64) -> str:
    """The hash of some bytes, without the library that hashes in every other way, too."""
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    found: str = blake2b(data, digest_size=size).hexdigest()
    return found


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
    import shutil
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
    return _hand_over(home, sys.argv[1:], digest)


def target() -> str:
    """What code this machine runs."""
    try:
        glibc = bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (ValueError, OSError):
        glibc = False
    return f"{os.uname().machine}-{'gnu' if glibc else 'musl'}"


def kept_library(name: str) -> str:
    """Where the library of this name is, or nothing; one that code may be mapped from comes first."""
    found = [
        path for path in (os.path.join(base, LIBRARY, name) for base in places()) if os.path.isfile(path)
    ]
    return next((path for path in found if runs(os.path.dirname(path))), found[0] if found else "")


def runs(directory: str) -> bool:
    """Whether files there may be mapped as code."""
    try:
        return not os.statvfs(directory).f_flag & os.ST_NOEXEC
    except OSError:
        return True


def arrive(name: str, digest: str, *offered: str) -> int:
    """On a box: run the zip of this name, asking for its bytes where no cache has them.

    `offered` are the libraries that the console could send, each as `TARGET:HASH`; one that fits is kept by its hash.
    With `early:` in front it is what the console has to say to the agent, before it is asked.
    """
    early = next((text.partition(":")[2] for text in offered if text.startswith("early:")), "")
    wanted = [text.partition(":")[2] for text in offered if text.partition(":")[0] == target()]
    asked = wanted[0] if wanted and not kept_library(f"{wanted[0]}.so") else ""
    if asked:
        # Asked for in one breath with the zip: it comes in front of that.
        os.write(1, NEED_LIBRARY)
    data = b""
    for base in places():
        try:
            agents = os.path.join(base, "agent")
            if not private(base) or not private(agents):
                continue
            path = os.path.join(agents, f"{name}.pyz")
            if not os.path.isfile(path):
                if not data:
                    os.write(1, NEED)
                    asked = _keep(asked)
                data = data or _receive(digest)
                part = f"{path}.{os.getpid()}.part"
                with open(part, "wb") as file:
                    file.write(data)
                os.rename(part, path)
            with open(path, "rb") as file:
                if _hash(file.read()) != digest:
                    os.unlink(path)  # damaged: the next place, or the next visit, gets a sound one
                    continue
            asked = _keep(asked)
            state = _state(base)
            words = [path, "bridge", "--state", state, "--early", early]
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
    sys.argv[:] = words
    return _hand_over(place(words[0], name), words[1:], name)


def _hand_over(home: str, words: list[str], name: str) -> int:
    """Run the agent's own program; where its daemon is up, a bridge needs hardly anything of it."""
    sys.path.insert(0, os.path.join(home, "app"))
    if words[:2] == ["bridge", "--state"]:
        if words[-1] == WAITS and words.pop() and not _wanted(words[2]):
            return 0
        import binascii

        from tracekit.agent.carry import straight

        early = words[4] if words[3:4] == ["--early"] else ""
        if straight(words[2], name, binascii.a2b_base64(early)):
            return 0
    from tracekit.agent.main import main

    return main(words, probe=os.path.join(home, "probe"), agent=name)


def _wanted(state: str) -> bool:
    """Load what will be needed, and hear whether it is: until then nothing is started and nothing is written.

    A console that goes on needing us writes one byte; one that turns out to have no use for us, or dies, closes.
    """
    if not _served(state):
        # There is none yet, so that a bridge will start one. By their names: as names they would be unused.
        import contextlib
        import importlib
        import select

        heard = select.poll()
        heard.register(0, select.POLLIN)
        for name in AHEAD:
            if heard.poll(0):
                break
            with contextlib.suppress(ImportError):  # whoever needs it says so
                importlib.import_module(name)
    return bool(os.read(0, 1))


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


def _keep(asked: str) -> str:
    """Take the library that was asked for, and put it where code may be mapped; without a place nothing is traced."""
    if not asked:
        return ""
    import zlib

    size = int.from_bytes(_exactly(8), "big")
    try:
        data = zlib.decompress(_exactly(min(size, _MOST)))
    except zlib.error:
        return ""
    if _hash(data, 16) != asked:
        return ""
    # A file system that runs nothing comes last.
    for base in sorted(places(), key=lambda base: not runs(base)):
        try:
            folder = os.path.join(base, LIBRARY)
            if not private(base) or not private(folder):
                continue
            path = os.path.join(folder, f"{asked}.so")
            part = f"{path}.{os.getpid()}.part"
            with open(part, "wb") as file:
                file.write(data)
            os.rename(part, path)
        except OSError:
            continue
        break
    return ""


def _receive(digest: str) -> bytes:
    size = int.from_bytes(_exactly(8), "big")
    data = _exactly(min(size, _MOST))
    if _hash(data) != digest:
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
    code = arrive(*sys.argv[3:]) if sys.argv[2:3] == ["arrive"] else run()
    # Somebody waits for us, and for an interpreter to take itself apart is longer than all that a bridge does.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
