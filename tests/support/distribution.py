"""A box whose root is another release of the distribution: its packages unpacked, its own sshd, a network of its own.

The packages come from the mirrors that this machine's apt is set to, and are kept in the cache. Nothing of them is
installed here: the root is a folder, its processes are in namespaces, and both are gone afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support import sshd
from tests.support.unavailable import unavailable
from tests.support.until import until
from tools.tasks.common import cache
from tools.tasks.pythons import get, mirrors

SUITE, PYTHON = "trixie", "3.13"
# Fixed when this is loaded, before a test moves the cache.
KEPT = cache() / "roots"
# What a small machine of that release has; no compiler, no package of any suite.
_WANTED = (
    "base-files", "dash", "coreutils", "libc-bin", "openssh-server", "grep", "sed",
    "python3-minimal", f"python{PYTHON}", f"python{PYTHON}-venv", "ca-certificates",
)  # fmt: skip
# Asked for by what sets a package up, which nobody does here; or of no use without an init of its own.
_LEFT_OUT = re.compile(
    r"debconf.*|adduser|ucf|init-system-helpers|runit-helper|lsb-base|perl-base|procps|systemd.*|"
    r"sysvinit.*|opensysusers|tzdata|media-types|netbase|dpkg|libpam-.*|passwd|login.*|sensible-utils"
)
_UID = 61_000
_DOCUMENTS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/i18n", "usr/lib/locale")


def _entries(site: str) -> dict[str, dict[str, str]]:
    """Every package of the suite, by its name and by what it provides, checked against the suite's sums."""
    command = ["dpkg", "--print-architecture"]
    machine = subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()
    packed = get(f"{site}/dists/{SUITE}/main/binary-{machine}/Packages.xz")
    if f" {hashlib.sha256(packed).hexdigest()} " not in get(f"{site}/dists/{SUITE}/Release").decode():
        raise ValueError(f"the index of {SUITE} does not match its sums")
    found: dict[str, dict[str, str]] = {}
    provided: dict[str, dict[str, str]] = {}
    for entry in lzma.decompress(packed).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and line[0] != " ")
        if "Package" in fields:
            found.setdefault(fields["Package"], fields)
            for name in _names(fields.get("Provides", "")):
                provided.setdefault(name, fields)
    return {**provided, **found}


def _names(text: str) -> list[str]:
    """The first of every alternative that a field names."""
    return [re.split(r"[\s(:|]", part.strip(), maxsplit=1)[0] for part in text.split(",") if part.strip()]


def _closure(entries: dict[str, dict[str, str]], wanted: Iterable[str]) -> dict[str, dict[str, str]]:
    chosen: dict[str, dict[str, str]] = {}
    pending = list(wanted)
    while pending:
        entry = entries.get(name := pending.pop())
        if entry is None or _LEFT_OUT.fullmatch(name) or entry["Package"] in chosen:
            continue
        chosen[entry["Package"]] = entry
        pending += _names(entry.get("Depends", "")) + _names(entry.get("Pre-Depends", ""))
    return chosen


def _root() -> Path:
    """The unpacked release, made once."""
    final = KEPT / SUITE
    if (final / "etc" / "os-release").exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{SUITE}-", dir=final.parent))
    try:
        site = next(iter(mirrors()))
        # What the others' links lead through comes first.
        chosen = _closure(_entries(site), _WANTED)
        for entry in sorted(chosen.values(), key=lambda entry: entry["Package"] != "base-files"):
            data = get(f"{site}/{entry['Filename']}")
            if hashlib.sha256(data).hexdigest() != entry["SHA256"]:
                raise ValueError(f"{entry['Package']} does not match its sum")
            file = part / "package.deb"
            file.write_bytes(data)
            subprocess.run(["dpkg-deb", "-x", str(file), str(part)], check=True, capture_output=True)
            file.unlink()
        # What setting that package up would make; a pip begins with it even where it needs no network.
        known = sorted((part / "usr" / "share" / "ca-certificates").rglob("*.crt"))
        (part / "etc" / "ssl" / "certs").mkdir(parents=True, exist_ok=True)
        together = part / "etc" / "ssl" / "certs" / "ca-certificates.crt"
        together.write_bytes(b"".join(file.read_bytes() for file in known))
        for folder in _DOCUMENTS:
            shutil.rmtree(part / folder, ignore_errors=True)
        part.chmod(0o755)
        part.rename(final)
    except (OSError, ValueError, StopIteration, subprocess.CalledProcessError) as fault:
        shutil.rmtree(part, ignore_errors=True)
        unavailable(f"packages of {SUITE}: {fault}")
    return final


@contextlib.contextmanager
def other_release(folder: Path, number: int) -> Iterator[sshd.Box]:
    """Serve one; only root may."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "chroot", "dpkg-deb", "apt-get"))):
        unavailable("a root of another release: only root may enter one, with dpkg and apt")
    whole = _root()
    with sshd.network(number) as network:
        place = Path(tempfile.mkdtemp(prefix="tracekit-root-"))
        root = place / "root"
        server = None
        try:
            subprocess.run(["cp", "-a", str(whole), str(root)], check=True)
            box = _furnished(root, folder, network)
            server = _served(root, folder, network)
            until(lambda: sshd.listens(box.port, box.address) or server.poll() is not None)
            if server.poll() is not None:
                raise RuntimeError((folder / "sshd.log").read_text())
            yield sshd.Box(
                box.home, box.user, box.port, box.client_home, box.host_key, server.pid, box.address
            )
        finally:
            if server is not None:
                # The first process of its namespace: whatever was started there ends with it.
                server.kill()
                server.wait()
                until(lambda: not sshd.processes_of(_uid()))
            shutil.rmtree(place, ignore_errors=True)


def _uid() -> int:
    return _UID + os.getpid() % 1000


def _furnished(root: Path, folder: Path, network: sshd.Network) -> sshd.Box:
    """What a person has set up on that machine: a user, their key, a server that lets them in."""
    uid, home, keys = _uid(), root / "home" / "ci", root / "etc" / "ssh"
    client = folder / "client"
    (client / ".ssh").mkdir(parents=True, mode=0o700)
    for name in ("home/ci", "run/sshd", "etc/ssh", "tmp", "var/tmp", "proc", "dev", "root"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    people = {"root": (0, "/root"), "sshd": (100, "/run/sshd"), "ci": (uid, "/home/ci")}
    (root / "etc" / "passwd").write_text(
        "".join(f"{name}:x:{number}:{number}::{at}:/bin/sh\n" for name, (number, at) in people.items())
    )
    (root / "etc" / "group").write_text("".join(f"{name}:x:{of[0]}:\n" for name, of in people.items()))
    (root / "etc" / "shadow").write_text("".join(f"{name}:*:::::::\n" for name in people))
    host_key, user_key = keys / "host", client / ".ssh" / "id_ed25519"
    for key in (host_key, user_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (keys / "authorized").write_text(user_key.with_suffix(".pub").read_text())
    port = 22
    (keys / "config").write_text(
        f"ListenAddress {network.address}\nPort {port}\nHostKey /etc/ssh/host\nPidFile none\nUsePAM no\n"
        "AuthorizedKeysFile /etc/ssh/authorized\nPasswordAuthentication no\nSetEnv TRACEKIT_AGENT_IDLE=5\n"
    )
    os.chown(home, uid, uid)
    return sshd.Box(home, "ci", port, client, host_key, 0, network.address)


def _served(root: Path, folder: Path, network: sshd.Network) -> subprocess.Popen[bytes]:
    inside = (
        f"mount --rbind /dev {root}/dev && mount -t proc proc {root}/proc && "
        f"exec chroot {root} /usr/sbin/sshd -D -e -f /etc/ssh/config"
    )
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside]
    with (folder / "sshd.log").open("wb") as log:
        return subprocess.Popen(
            [*network.inside, *alone],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
