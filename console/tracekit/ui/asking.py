"""What only a person knows, on its way from the thread that needs it to the screen and back; kept nowhere.

Whoever asks waits in a loop of its own. A screen that is not there yet is waited for; one that is gone answers nothing.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

#: Refusals of a host key that no answer can change.
NEVER = {
    "ssh.host_key_changed": "THE KEY OF THIS BOX HAS CHANGED",
    "ssh.host_key_revoked": "THE KEY OF THIS BOX IS REVOKED",
    "ssh.host_key_pinned": "THIS IS NOT THE KEY THAT THE PROFILE PINS",
}


class Asked(Protocol):
    """One question, as the link puts it: passphrase, password, interactive or host-key."""

    @property
    def kind(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def echo(self) -> bool: ...
    @property
    def fingerprint(self) -> str: ...


Pending = tuple[Asked, "Future[str | None]"]


class Questions:
    """The questions that wait for the person at this screen, one behind the other."""

    def __init__(self) -> None:
        self._waiting: deque[Pending] = deque()
        self._lock = threading.Lock()
        self._over = False
        self._bell: Callable[[], None] | None = None

    async def ask(self, question: Asked) -> str | None:
        """The answer, or None; whoever stops waiting takes the question back."""
        answer: Future[str | None] = Future()
        with self._lock:
            if self._over:
                return None
            self._waiting.append((question, answer))
            if self._bell is not None:
                self._bell()
        return await asyncio.wrap_future(answer)

    def listen(self, bell: Callable[[], None] | None) -> None:
        """Who is told, from any thread, that somebody asks; None: nobody is there any more."""
        with self._lock:
            self._bell, self._over = bell, bell is None
            if bell is not None and self._waiting:
                bell()
            waiting, self._waiting = ([], self._waiting) if bell else (list(self._waiting), deque())
        for _, answer in waiting:
            if answer.set_running_or_notify_cancel():
                answer.set_result(None)

    def take(self) -> Pending | None:
        """The next question that somebody still waits for."""
        with self._lock:
            while self._waiting:
                question, answer = self._waiting.popleft()
                if not answer.cancelled():
                    return question, answer
        return None
