"""Where a Python of a given version is: an installed one, else the distribution's own package, unpacked.

Packages come from the mirrors that this machine's apt is set to, under another suite's name, and are unpacked
into the cache: nothing is installed. Must never write to the system, nor name a mirror.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tasks.common import cache, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The suite that carries a version: Debian 11 and Debian 13.
SUITES = {"3.9": "bullseye", "3.13": "trixie"}
PACKAGES = ("python{0}-minimal", "libpython{0}-minimal", "libpython{0}-stdlib", "python{0}-distutils")
# Libraries that the interpreter is linked to and another release of the system may lack.
LIBRARIES = ("libssl1.1", "libffi7", "libmpdec3", "libssl3t64", "libffi8", "zlib1g", "libexpat1")
# An interpreter of a newer release needs the C library that it was built against, and its loader.
OWN_LIBC = {"3.13": "libc6"}
# Fixed when this is loaded: a test that moves the cache still finds what was unpacked before it.
KEPT = cache() / "pythons"
EXACT = re.compile(r"^3\.\d+$")


def answers(python: Path, version: str) -> bool:
    """Whether this file is a Python of this version that starts."""
    try:
        done = subprocess.run(
            [str(python), "-I", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.decode().strip() == version


def installed(version: str) -> Iterator[Path]:
    """Places where a Python of this version may stand, likeliest first."""
    if "{}.{}".format(*sys.version_info[:2]) == version:
        yield Path(getattr(sys, "_base_executable", sys.executable))
    # A shim of a version manager answers for whatever version is selected; the real ones come before it.
    managers = [
        Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions",
        Path.home() / ".local/share/uv/python",
        Path("/opt"),
    ]
    for folder in managers:
        if folder.is_dir():
            yield from sorted(folder.glob(f"*{version}*/bin/python{version}"), reverse=True)
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)


@dataclass(frozen=True)
class Archive:
    """One package as the mirror's index describes it."""

    name: str
    path: str
    sha256: str


def mirrors() -> list[str]:
    """The base addresses that this machine's apt is set to use."""
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)|$(CREATED_BY)|$(ORIGIN)"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    rows = (row.split("|") for row in done.stdout.decode().splitlines())
    # Only the distribution's own mirror carries its other releases.
    sites = [
        row[0].rstrip("/") for row in rows if len(row) == 3 and row[1] == "Packages" and row[2] == "Debian"
    ]
    return list(dict.fromkeys(sites))


def get(address: str) -> bytes:
    """What stands at an address, at once or not at all."""
    with urllib.request.urlopen(address, timeout=120) as answer:
        data: bytes = answer.read()
    return data


def index(site: str, suite: str, wanted: Iterable[str]) -> dict[str, Archive]:
    """The wanted packages of a suite, checked against the suite's own list of sums."""
    machine = (
        subprocess.run(["dpkg", "--print-architecture"], capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )
    place = f"main/binary-{machine}/Packages.xz"
    packed = get(f"{site}/dists/{suite}/{place}")
    release = get(f"{site}/dists/{suite}/Release").decode()
    if f" {hashlib.sha256(packed).hexdigest()} " not in release:
        raise ValueError(f"the index of {suite} does not match its sums")
    names = set(wanted)
    found: dict[str, Archive] = {}
    for entry in lzma.decompress(packed).decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if ": " in line and line[0] != " ")
        if (name := fields.get("Package", "")) in names:
            found[name] = Archive(name, fields["Filename"], fields["SHA256"])
    return found


def unpack(version: str, suite: str, home: Path) -> None:
    """Fetch and unpack the packages of one version into a folder of its own."""
    wanted = [package.format(version) for package in PACKAGES]
    own = OWN_LIBC.get(version)
    libraries = (*LIBRARIES, own) if own else LIBRARIES
    for site in mirrors():
        archives = index(site, suite, (*wanted, *libraries))
        if wanted[0] not in archives:
            continue
        for archive in archives.values():
            data = get(f"{site}/{archive.path}")
            if hashlib.sha256(data).hexdigest() != archive.sha256:
                raise ValueError(f"{archive.name} does not match its sum")
            file = home / f"{archive.name}.deb"
            file.write_bytes(data)
            subprocess.run(["dpkg-deb", "-x", str(file), str(home)], stdin=subprocess.DEVNULL, check=True)
            file.unlink()
        return
    raise ValueError(f"no mirror of this machine carries Python {version}")


def loader(home: Path) -> Path | None:
    """The dynamic loader to start it with: the unpacked one, else the system's."""
    places = [home / "usr/lib", home / "lib", Path("/lib64"), Path("/lib")]
    found = (file for place in places for file in sorted(place.glob("**/ld-linux-*.so.*")))
    return next(found, None)


def launcher(version: str, home: Path) -> Path:
    """Put a script in the interpreter's place that starts it with its own libraries.

    It stands where the interpreter stood, so that `sys.executable` leads to it again.
    """
    program = home / f"usr/bin/python{version}"
    real = program.rename(program.with_name(f"real-{program.name}"))
    libraries = ":".join(
        str(path) for base in ("usr/lib", "lib") for path in sorted((home / base).glob("*-linux-*"))
    )
    start = f'exec "{loader(home)}" --argv0 "$0" --library-path "{libraries}" "{real}" "$@"'
    program.write_text(f"#!/bin/sh\n{start}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def fetched(version: str) -> Path | None:
    """Unpack a version from the distribution's packages, once; None where that cannot be done."""
    suite = SUITES.get(version)
    final = KEPT / version
    program = final / f"usr/bin/python{version}"
    if program.with_name(f"real-{program.name}").exists():
        return program
    if suite is None or shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None:
        return None
    final.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=final.parent))
    try:
        unpack(version, suite, part)
        # The launcher holds absolute paths: it is written last, and its presence says that the rest is whole.
        shutil.rmtree(final, ignore_errors=True)
        part.rename(final)
        program = launcher(version, final)
    except (OSError, ValueError, subprocess.CalledProcessError) as fault:
        say(f"python{version}: {fault}")
        shutil.rmtree(part, ignore_errors=True)
        return None
    return program


def find(version: str, *, fetch: bool = False) -> Path | None:
    """A Python of this version (`3.9`), or None; with `fetch`, one from the distribution's packages too."""
    if not EXACT.match(version):
        raise ValueError(f"a version is written like 3.9, not {version}")
    for candidate in installed(version):
        if answers(candidate, version):
            return candidate
    known = KEPT / version / f"usr/bin/python{version}"
    kept = fetched(version) if fetch else known
    return kept if kept is not None and answers(kept, version) else None


def main(arguments: list[str]) -> int:
    """Print the path of each version that is asked for; exit 1 when one is missing."""
    code = 0
    for version in arguments or ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]:
        found = find(version, fetch=True)
        print(f"{version} {found or 'unavailable'}")
        code = code if found or not arguments else 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
