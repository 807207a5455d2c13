"""Two pipes to a bridge, whatever carries them: a process here, a channel of an SSH connection there.

The session pumps bytes through this face and knows no transport. A transport says what went wrong with typed problems
while it opens; afterwards an end of the stream is all it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Pipes(Protocol):
    """What a session needs of its transport."""

    async def receive(self) -> Sequence[bytes]:
        """The next bytes of the agent, in pieces as they came; none at the end, however it came."""
        ...

    async def send(self, data: bytes) -> None:
        """Write all of `data`; raises anyio's BrokenResourceError or ClosedResourceError when nobody reads."""
        ...

    async def close(self) -> None:
        """Let go of the pipes; the agent and its runs go on."""
        ...


class Opener(Protocol):
    """Something that opens two pipes to a bridge."""

    async def open(self, early: bytes = b"") -> Pipes:
        """Start a bridge; raises ProblemError when that cannot be done.

        `early` is said to the agent as soon as it can be, before its first word is heard.
        """
        ...
