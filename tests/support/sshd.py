"""A real sshd on loopback with throw-away keys, and a user of its own where we are root; both are gone afterwards."""

from __future__ import annotations

import contextlib
import getpass
import importlib.util
import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.unavailable import unavailable
from tests.support.until import until

_SHARED = ("/var/tmp", "/tmp", "/dev/shm")
_BOXES = itertools.count(1)
SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass(frozen=True)
class Network:
    """A network of its own, with one machine in it and one cable to it."""

    name: str
    address: str

    @property
    def inside(self) -> list[str]:
        """What stands before a command that is to run in there."""
        return ["ip", "netns", "exec", self.name]

    def pull_the_plug(self) -> None:
        """Nothing comes through any more, not even the end of a connection."""
        subprocess.run(["ip", "link", "set", self.name, "down"], check=True)


def _free_block(number: int) -> str:
    """Addresses that no network here has: other tests may be making theirs at the same time."""
    told = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True).stdout
    first = os.getpid()
    blocks = (f"10.{160 + (first + step) % 90}.{number}" for step in range(90))
    return next(block for block in blocks if f" {block}." not in told)


@contextlib.contextmanager
def network(number: int) -> Iterator[Network]:
    """One of several; only root may make it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        unavailable("network namespaces: only root may make them, with iproute2")
    name = f"tk{os.getpid() % 100000}n{number}"
    block = _free_block(number)
    ours, theirs = (f"{block}.{each}" for each in (1, 2))
    commands = [
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name {name}p",
        f"ip link set {name}p netns {name}",
        f"ip addr add {ours}/30 dev {name}",
        f"ip link set {name} up",
        f"ip netns exec {name} ip addr add {theirs}/30 dev {name}p",
        f"ip netns exec {name} ip link set {name}p up",
        f"ip netns exec {name} ip link set lo up",
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True, capture_output=True)
        yield Network(name, theirs)
    finally:
        subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


@dataclass(frozen=True)
class Box:
    """A running server and what is needed to get in."""

    home: Path
    user: str
    port: int
    client_home: Path
    host_key: Path
    pid: int
    address: str = "127.0.0.1"

    @property
    def known_host(self) -> str:
        """The line of a known_hosts file that trusts this server."""
        kind, key = self.host_key.with_suffix(".pub").read_text().split()[:2]
        return f"[{self.address}]:{self.port} {kind} {key}\n"


@contextlib.contextmanager
def box(
    folder: Path,
    *,
    settings: str | Callable[[Path], str] = "",
    shell: str = "/bin/sh",
    terminals: bool = False,
    network: Network | None = None,
    inside: Sequence[str] = (),
) -> Iterator[Box]:
    """Serve one; `settings` are lines of sshd_config, or what makes them of the host key's file.

    `shell` is the login shell of the user that is made for it. Only a server of root's gives `terminals`. With a
    `network` it is the only machine there. `inside` stands before its command: namespaces that root enters.
    """
    if not Path(SSHD).is_file():
        unavailable("sshd: not installed")
    if terminals and os.geteuid() != 0:
        unavailable("sshd gives terminals to root's servers only")
    with _user(shell) as (user, home):
        # sshd wants folders that nobody else may write, and its user must reach them.
        place = Path(tempfile.mkdtemp(prefix="tracekit-sshd-", dir=home))
        client = folder / "client"
        (client / ".ssh").mkdir(parents=True, mode=0o700)
        host_key, user_key = place / "host", client / ".ssh" / "id_ed25519"
        for key in (host_key, user_key):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        authorized = place / "authorized_keys"
        authorized.write_text(user_key.with_suffix(".pub").read_text())
        port = free_port()
        address = network.address if network else "127.0.0.1"
        settings = settings if isinstance(settings, str) else settings(host_key)
        config = place / "sshd_config"
        config.write_text(
            f"ListenAddress {address}\nPort {port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\n"
            f"PidFile {place / 'pid'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n{settings}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
            subprocess.run(["chown", "-R", user, str(place)], check=True)
        if inside and os.geteuid() != 0:
            unavailable("namespaces: only root may make them")
        own = os.geteuid() == 0 and not terminals and not inside
        command = [*(network.inside if network else ()), *inside, SSHD, "-D", "-e", "-f", str(config)]
        log = (folder / "sshd.log").open("wb")
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=user if own and network is None else None,
            group=pwd.getpwnam(user).pw_gid if own and network is None else None,
            extra_groups=[] if own and network is None else None,
        )
        try:
            until(lambda: listens(port, address) or server.poll() is not None)
            if server.poll() is not None:
                raise RuntimeError((folder / "sshd.log").read_text())
            yield Box(home, user, port, client, host_key, server.pid, address)
        finally:
            # Who waits in front of namespaces hears nothing else.
            server.send_signal(9 if inside else 15)
            server.wait(timeout=30)
            log.close()
            shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _user(shell: str) -> Iterator[tuple[str, Path]]:
    if os.geteuid() != 0:
        yield getpass.getuser(), Path.home()
        return
    name = f"tkbox{os.getpid() % 100000}x{next(_BOXES)}"
    home = Path(tempfile.mkdtemp(prefix="tracekit-home-"))
    subprocess.run(
        ["useradd", "--no-create-home", "--home-dir", str(home), "--shell", shell, "--password", "*", name],
        check=True,
    )
    account = pwd.getpwnam(name)
    os.chown(home, account.pw_uid, account.pw_gid)
    try:
        yield name, home
    finally:
        _end_processes_of(account.pw_uid)
        subprocess.run(["userdel", name], check=False, capture_output=True)
        # An agent that found no better place was in everybody's folders.
        for place in (home, *(Path(shared) / f"tracekit-{account.pw_uid}" for shared in _SHARED)):
            shutil.rmtree(place, ignore_errors=True)


def processes_of(uid: int) -> list[int]:
    """The processes of a user that was made for a test."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if entry.stat().st_uid == uid:
                    found.append(int(entry.name))
    return found


def _end_processes_of(uid: int) -> None:
    for pid in processes_of(uid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    until(lambda: not processes_of(uid))


def connections(box: Box) -> list[int]:
    """The server's processes that serve connections: of one that is let in, the monitor and who carries its bytes."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,comm="],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    servers = {int(pid): int(parent) for pid, parent, name in rows if name.startswith("sshd")}
    found: set[int] = {box.pid}
    while more := {pid for pid, parent in servers.items() if parent in found} - found:
        found |= more
    return sorted(found - {box.pid})


def cut(box: Box) -> int:
    """Break every connection to the box; gives how many processes died by it."""
    found = connections(box)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    return len(found)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def listens(port: int, address: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def lend_pytest(box: Box) -> tuple[str, Path]:
    """A Python that the box's user may run, and a folder of theirs that holds pytest."""
    python = next((path for path in PYTHONS if _runs(box.user, path)), None)
    if python is None:
        unavailable("no Python 3.9 or newer that another user may run")
    target = box.home / "lib"
    target.mkdir()
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py"):
        found = importlib.util.find_spec(name)
        if found is not None and found.origin and not found.submodule_search_locations:
            shutil.copy(found.origin, target)
        for place in (found.submodule_search_locations or ()) if found else ():
            shutil.copytree(place, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for told in Path(pytest.__file__).parents[1].glob("pluggy-*.dist-info"):
        shutil.copytree(told, target / told.name)  # it asks for its own version
    give(box, target)
    return python, target


PYTHONS = [
    f"{folder}/python3{minor}"
    for minor in ("", ".13", ".12", ".11", ".10", ".9")
    for folder in ("/usr/bin", "/usr/local/bin")
]


def give(box: Box, place: Path) -> None:
    """Make a tree the box's user's own."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", box.user, str(place)], check=True)


def _runs(user: str, python: str) -> bool:
    if not Path(python).is_file():
        return False
    check = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]
    account = {"user": user, "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        check, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", check=False, **account
    )  # type: ignore[call-overload]
    return bool(done.returncode == 0)
