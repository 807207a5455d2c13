"""What of a project goes to a box: the files that git lists, by their hashes, and what is left out and why.

It reads the project and writes nothing. What looks like a secret stays here; so does what the box keeps for itself.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tracekit.wire.problems import Problem, ProblemError

#: Never brought to a box, wherever they stand; a name that ends as an example does is one.
SECRETS = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".htpasswd",
    ".git-credentials",
    "*.tfvars",
    "kubeconfig",
    "credentials.json",
    "service-account*.json",
)
_EXAMPLES = ("example", "sample", "template", "dist", "test", "tests")
# Where there is no git to ask.
_NOT_SOURCES = {
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "node_modules",
    "target",
    "__pycache__",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}
#: What `prepare` depends on: when one of these has changed, it runs again.
LOCK_FILES = (
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "requirements*.txt",
    "requirements*.in",
    "constraints*.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "environment.yml",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "Cargo.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
)
_READ = 1 << 20


@dataclass
class Manifest:
    """A project as it stands now."""

    root: str
    lines: list[bytes] = field(default_factory=list)
    #: Where each blob's bytes are, and how many.
    blobs: dict[str, tuple[str, int]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    #: What whoever reads the run should know of how its files came there.
    notices: list[str] = field(default_factory=list)
    #: Where the project stands below what is brought.
    below: str = "."

    @property
    def data(self) -> bytes:
        """The manifest itself, as it travels."""
        return b"".join(self.lines)

    def key(self, commands: Sequence[str]) -> str:
        """What tells one preparation from another."""
        digest = hashlib.blake2b(digest_size=16)
        for text in (*commands, "", *self.locks):
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()


def manifest(root: str, keep: Iterable[str] = ()) -> Manifest:
    """Read a project; raises ProblemError for a file that cannot be read."""
    found = Manifest(root)
    kept = tuple(os.path.normpath(name) for name in keep)
    for name in sorted(_listed(root)):
        if any(name == each or name.startswith(f"{each}/") for each in kept):
            continue
        if looks_secret(name):
            found.left_out.append(name)
            continue
        try:
            _add(found, name)
        except FileNotFoundError:
            continue  # git lists what is deleted and not committed
        except OSError as fault:
            what = f"a file of the project cannot be read: {fault.strerror or fault}"
            raise ProblemError(
                Problem("env.unreadable", what, name, "make it readable, or have git ignore it")
            ) from fault
    return found


def _add(found: Manifest, name: str) -> None:
    path = os.path.join(found.root, name)
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode):
        text = os.readlink(path)
        aim = os.path.normpath(os.path.join(os.path.dirname(name), text))
        if os.path.isabs(text) or aim.startswith(".."):
            found.left_out.append(f"{name} (a link out of the project)")
        else:
            found.lines.append(_line({"p": name, "l": text}))
        return
    if not stat.S_ISREG(facts.st_mode):
        return
    digest, size = hashlib.blake2b(digest_size=32), 0
    with open(path, "rb") as file:
        while data := file.read(_READ):
            digest.update(data)
            size += len(data)
    blob = digest.hexdigest()
    found.blobs[blob] = (path, size)
    entry = {"p": name, "h": blob, "t": facts.st_mtime_ns}
    found.lines.append(_line({**entry, "x": True} if facts.st_mode & stat.S_IXUSR else entry))
    if is_lock_file(name):
        found.locks.append(f"{name} {blob}")


def _line(entry: dict[str, object]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode("ascii") + b"\n"


def is_lock_file(name: str) -> bool:
    """Whether preparing depends on it."""
    return any(fnmatch.fnmatchcase(os.path.basename(name), pattern) for pattern in LOCK_FILES)


def looks_secret(name: str) -> bool:
    """Whether a file is never brought by itself."""
    base = os.path.basename(name).lower()
    if base.rpartition(".")[2] in _EXAMPLES:
        return False
    if base == "credentials" and os.path.basename(os.path.dirname(name)) == ".aws":
        return True
    return any(fnmatch.fnmatchcase(base, pattern) for pattern in SECRETS)


def _listed(root: str) -> Iterator[str]:
    command = ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        yield from _walked(root)
        return
    yield from {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}


def _walked(root: str) -> Iterator[str]:
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NOT_SOURCES)
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
        yield from (os.path.relpath(os.path.join(place, name), root) for name in (*files, *linked))
