"""What a string may look like: one rule for each kind of text, with pattern, words and hint.

A rule looks at text only; it never touches the file system.
"""

from __future__ import annotations

import re
from typing import Final

from tracekit.config import durations, sizes

# Escaped, because these very characters make a text read other than it is.
_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029"
_CONTROLS_BUT_LINES: Final = (
    r"\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029"
)
_ANY: Final = rf"[^{_CONTROLS_BUT_LINES}]*"
_NO_PARENT: Final = r"(?!(.*/)?\.\.(/|$))"


class Rule:
    """A pattern for a whole text, and what to say to one that does not fit."""

    __slots__ = ("hint", "hints", "longest", "pattern", "what")

    def __init__(
        self,
        pattern: str,
        what: str,
        hint: str,
        *,
        longest: int = 4096,
        hints: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        self.pattern, self.what, self.hint, self.longest = pattern, what, hint, longest
        self.hints = hints  # (pattern, what, hint) for mistakes with a better explanation

    def fault(self, text: str) -> tuple[str, str] | None:
        """What is wrong with a text and what to do, or None."""
        if len(text) > self.longest:
            return f"is longer than {self.longest} characters", "make it shorter"
        ordinary = text.isprintable()
        if not ordinary and re.search(f"[{_CONTROLS_BUT_LINES}]", text):
            return "holds a control or bidirectional character", "remove it"
        for pattern, what, hint in self.hints:
            if re.search(pattern, text):
                return what, hint
        # Most texts are ordinary, and compiling a pattern costs a start-up more than using it.
        if (ordinary and self.pattern == _ANY) or re.fullmatch(self.pattern, text, re.DOTALL):
            return None
        return self.what, self.hint

    @property
    def schema_pattern(self) -> str:
        """The same for an editor: anchored, and without what only Python's patterns know."""
        return f"^(?:{self.pattern})$"


_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_RELATIVE_HINTS = (
    (r"^[/~]|^[A-Za-z]:[\\/]", "is absolute", "write it relative to the profile's directory"),
    (
        r"(^|/)\.\.(/|$)",
        "leads out of the project",
        "write it relative to the profile's directory, without ..",
    ),
    (r"^-", "begins with a dash and would be read as an option", "write ./ before it"),
)

RULES: Final[dict[str, Rule]] = {
    "text": Rule(_ANY, "holds a control character", "remove it"),
    "argument": Rule(_ANY, "holds a control character", "remove it"),
    "scenario": Rule(
        rf"[^{_CONTROLS}]*[^\s*?][^{_CONTROLS}]*",
        "names no scenario",
        "write an id, or a pattern that leaves something out",
        longest=1024,
    ),
    "sentence": Rule(
        rf"[^{_CONTROLS}]*\S[^{_CONTROLS}]*", "says nothing", "write a few words on one line", longest=300
    ),
    "name": Rule(
        _NAME,
        "is not a usable name",
        "use letters, digits, dot, dash and underscore, beginning with a letter or digit, at most 64",
        longest=64,
    ),
    "feature": Rule(
        r"(?!-)[A-Za-z0-9_][A-Za-z0-9_.+/-]*|--all-features|--no-default-features",
        "is not the name of a feature",
        'write a feature such as "net", "--all-features" or "--no-default-features"',
        longest=200,
    ),
    "variable": Rule(
        r"(?!TRACEKIT_)[A-Za-z_][A-Za-z0-9_]*",
        "is not a usable variable name",
        "use letters, digits and underscore, beginning with a letter or underscore",
        longest=200,
        hints=((r"^TRACEKIT_", "is a name that tracekit keeps for itself", "choose another name"),),
    ),
    "relative": Rule(
        rf"(?![/~-])(?![A-Za-z]:[\\/]){_NO_PARENT}[^{_CONTROLS}]+",
        "is not a relative path",
        "write a path relative to the profile's directory",
        longest=1024,
        hints=_RELATIVE_HINTS,
    ),
    "absolute": Rule(
        rf"(?!(.*/)\.\.(/|$))/[^{_CONTROLS}]*",
        "is not an absolute path",
        'write a path that begins with "/" and has no ..',
        longest=1024,
    ),
    "program": Rule(
        rf"(?!-)[^{_CONTROLS}]+",
        "is not the name or path of a program",
        'write "python3.12" or ".venv/bin/python"',
        longest=1024,
    ),
    "host": Rule(
        r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]?",
        "is not a host name or address",
        'write a name such as "box7.lab"',
        longest=253,
        hints=(
            (r"^-", "begins with a dash and would be read as an option of ssh", "write the host's name"),
            (r"^[a-z]+://", "is a URL", "write the host alone; user and port are keys of their own"),
            (r"@", "names a user too", 'write the host alone, and user = "…" beside it'),
            (r"^[^:\[]+:[0-9]+$", "names a port too", "write the host alone, and port = … beside it"),
        ),
    ),
    "user": Rule(
        r"[A-Za-z0-9_.][A-Za-z0-9_.@-]*",
        "is not a user name",
        'write a name such as "ci"',
        longest=64,
        hints=((r"^-", "begins with a dash and would be read as an option of ssh", "write the user's name"),),
    ),
    "fingerprint": Rule(
        r"SHA256:[A-Za-z0-9+/]{43}=?",
        "is not the fingerprint of a host key",
        'write what "ssh-keygen -lf" prints: SHA256: and 43 characters',
    ),
    "source": Rule(
        rf"env:[A-Za-z_][A-Za-z0-9_]*|file:(?!-){_NO_PARENT}[^{_CONTROLS}]+",
        "does not say where the secret comes from",
        'write from = "env:NAME" or from = "file:PATH"',
        longest=1024,
    ),
    "tcp": Rule(
        r"(?!-)[A-Za-z0-9_.\-\[\]:{}]+:([0-9]{1,5}|\{[a-z_]+\})",
        "is not host:port",
        'write "127.0.0.1:{port}"',
        longest=300,
        hints=((r"^-", "begins with a dash", 'write "127.0.0.1:{port}"'),),
    ),
    "http": Rule(
        rf"https?://[^\s{_CONTROLS}]+",
        "is not an http address",
        'write "http://127.0.0.1:{port}/health"',
        longest=2000,
    ),
    "regex": Rule(
        rf"[^{_CONTROLS}]+", "is not a pattern on one line", 'write a pattern such as "ready to accept"'
    ),
    "size": Rule(sizes.PATTERN, "is not a size", 'write "500MiB", "10GiB" or "1TiB"', longest=20),
    "ring": Rule(
        r"([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-6])MiB",
        "is no room for a ring",
        'write "1MiB" to "256MiB"',
        longest=20,
    ),
    "duration": Rule(
        durations.PATTERN, "is not a duration", 'write "250ms", "5s", "2m" or "12h"', longest=20
    ),
    "duration_or_off": Rule(
        rf"{durations.PATTERN}|off",
        "is not a duration",
        'write "250ms", "5s", "2m" or "12h", or "off"',
        longest=20,
    ),
}
