"""What the person's own configuration of ssh says of one machine: read once a connection, and never written.

The SSH library reads it for itself as well, and knows nothing of some of what it says: what is about trust is here.
"""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from asyncssh.config import SSHClientConfig, SSHConfig

_LISTS = ("UserKnownHostsFile", "GlobalKnownHostsFile")
_REVOKED = "RevokedHostKeys"


class Configured(NamedTuple):
    """What matters of it to a link."""

    jump: str = ""
    #: The files of keys that are named; None where none is, and ssh looks in its usual places.
    keys: tuple[str, ...] | None = None
    #: The files of known hosts that stand instead of the usual ones; None where none is named.
    known: tuple[Path, ...] | None = None
    #: The file of keys that no machine may show.
    revoked: Path | None = None
    #: The name that the machine's key is known by, whatever its address is.
    alias: str = ""
    #: The program that stands between, where one is named.
    proxy: str = ""


class _Config(SSHClientConfig):
    """The library's reader, which passes over what it does not know."""

    _handlers = {  # noqa: RUF012 - as the library has it
        **SSHClientConfig._handlers,  # noqa: SLF001 - it has no other way to name more options
        _REVOKED.lower(): (_REVOKED, SSHConfig._set_string),  # noqa: SLF001
    }
    _percent_expand = {*SSHClientConfig._percent_expand, *_LISTS, _REVOKED}  # noqa: RUF012, SLF001


def read(files: Sequence[str], host: str, user: str | None, port: int | None) -> Configured:
    """What these files say of a host; raises ValueError or OSError where one cannot be read."""
    if not files:
        return Configured()
    given: tuple[Any, Any] = (user if user is not None else (), port if port is not None else ())
    paths = [Path(name) for name in files]
    found = _Config.load(None, paths, False, False, False, getpass.getuser(), given[0], host, given[1])
    names = ("ProxyJump", "IdentityFile", _REVOKED, "HostKeyAlias", "ProxyCommand")
    jump, keys, revoked, alias, proxy = (found.get(name) for name in names)
    known = [each for name in _LISTS if isinstance(each := found.get(name), list)]
    return Configured(
        jump if isinstance(jump, str) and jump.lower() != "none" else "",
        tuple(map(str, keys)) if isinstance(keys, list) else None,
        tuple(_place(name) for each in known for name in each) if known else None,
        _place(revoked) if isinstance(revoked, str) and revoked.lower() != "none" else None,
        alias if isinstance(alias, str) else "",
        proxy if isinstance(proxy, str) and proxy.lower() != "none" else "",
    )


def _place(name: object) -> Path:
    return Path(str(name)).expanduser()
