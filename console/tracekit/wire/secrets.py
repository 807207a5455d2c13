"""What counts as a secret, and the forms in which it may appear.

A secret is a profile entry marked so, or a variable whose name matches one of the published patterns. This module knows
values only while they are passed through it; it never keeps one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping

# Published in docs/security.md. Matched against whole words of a variable's name, without regard to case.
NAME_WORDS: tuple[str, ...] = (
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PWD",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
)
NAME_ENDINGS: tuple[str, ...] = (
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "SECRET_KEY",
    "ENCRYPTION_KEY",
    "AUTH_KEY",
)
# The shell's own variables end in a word that otherwise means a password.
NOT_SECRET: frozenset[str] = frozenset({"PWD", "OLDPWD", "TRACEKIT_RUN_TOKEN"})
# A shorter value would blot out ordinary text everywhere.
MIN_LENGTH = 4

_WORDS = frozenset(NAME_WORDS)


def is_secret_name(name: str) -> bool:
    """Say whether a variable of this name is kept out of every replicated file."""
    upper = name.upper()
    if upper in NOT_SECRET:
        return False
    return upper.endswith(NAME_ENDINGS) or not _WORDS.isdisjoint(re.split(r"[^A-Z0-9]+", upper))


def secrets_in(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that the patterns name, where their value is long enough to be one."""
    return {
        name: value for name, value in environ.items() if len(value) >= MIN_LENGTH and is_secret_name(name)
    }


def forms(value: str) -> list[bytes]:
    """Every form that is searched for: plain, in JSON, in Python's literals, url, hex, base64 at three alignments."""
    if len(value) < MIN_LENGTH:
        return []
    # Only here: most of those who load this know no secret, and have no other use for what takes addresses apart.
    from urllib.parse import quote, quote_plus

    raw = value.encode("utf-8", "surrogateescape")
    text = {
        value,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        *_literals(value, raw),
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        raw.hex(),
        raw.hex().upper(),
    }
    found = {form.encode("utf-8", "surrogateescape") for form in text}
    found.update(_base64_forms(raw))
    # Longest first, so that a form that holds another is replaced whole.
    return sorted((form for form in found if len(form) >= MIN_LENGTH), key=lambda form: (-len(form), form))


def _literals(value: str, raw: bytes) -> set[str]:
    """How Python writes it between quotes, and that once more inside JSON."""
    found = {
        repr(value)[1:-1],
        ascii(value)[1:-1],
        repr(raw)[2:-1],
        value.encode("unicode_escape").decode("ascii"),
    }
    # Beside a quote of the other kind, a quote is escaped.
    found |= {text.replace("'", "\\'") for text in found if "\\'" not in text}
    return found | {json.dumps(text)[1:-1] for text in found}


def _base64_forms(raw: bytes) -> set[bytes]:
    found: set[bytes] = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # Only the letters that depend on nothing but the secret: what stands before and behind it is unknown.
            first = (before * 8 + 5) // 6
            last = (before + len(raw)) * 8 // 6
            form = encode(b"\0" * before + raw)[first:last]
            if len(form) >= MIN_LENGTH:
                found.add(form)
        found.add(encode(raw).rstrip(b"="))
    return found
