"""The steps of the torture by keys: what a person may do to a console next, as words that can be played again.

A step is a key by its name, or a word and its numbers: `@80x24` resizes, `!12,5` clicks, `^12,5` and `v12,5` turn the
wheel, `"text` pastes, `~n` lets the loop turn n times, `.frame` paints a frame, `.rest` waits until all is worked off,
`.feed` lets a run go on, `.clock` lets time pass, `.ask` has a login ask something, `.unask` has it give up.
"""

from __future__ import annotations

import asyncio
import random
import unicodedata
from collections.abc import Awaitable, Callable

from textual import events
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key

from tracekit.link.login import Question
from tracekit.ui.actions import ACTIONS
from tracekit.ui.app import ConsoleApp

SIZES = ((120, 36), (80, 24), (60, 20), (160, 48), (40, 10), (39, 9), (100, 30), (200, 12), (12, 4), (1, 1))
TEXTS = ("chat", "status:failed and (", "kind:log", "\x1b]0;x\x07\u202e\u754c", "")
OFTEN = ("j", "k", "down", "up", "enter", "escape", "right", "left", "tab", "J", "G", "g")
KEYS = tuple(sorted({key for action in ACTIONS for key in action.keys}))
QUESTIONS = (
    Question("passphrase", "ci@box7.lab:22", "passphrase of /home/ana/.ssh/id_ed25519"),
    Question("interactive", "ci@box7.lab:22", "Second factor\nCode: ", echo=True),
    Question(
        "host-key",
        "ci@box7.lab:22",
        "box7.lab shows it",
        fingerprint="SHA256:9w2hGm0eVY3yTq1X",
    ),
)
#: Keys that nothing is bound to, and those that a box to type in knows.
OTHERS = (
    "backspace",
    "ctrl+a",
    "ctrl+w",
    "ctrl+k",
    "delete",
    "f1",
    "ctrl+left",
    "ctrl+c",
    "b",
    "Z",
    "insert",
)


def plan(seed: int, length: int) -> list[str]:
    """The steps of one session; the same for the same seed."""
    chance = random.Random(seed)
    steps: list[str] = []
    while len(steps) < length:
        steps.append(_step(chance))
        turns = chance.choice((0, 0, 0, 0, 1, 2, 3, 8, 30))
        if turns:
            steps.append(f"~{turns}")
    return steps


def _step(chance: random.Random) -> str:
    kind = chance.random()
    place = f"{chance.randrange(120)},{chance.randrange(36)}"
    if kind < 0.34:
        return chance.choice(KEYS)
    if kind < 0.58:
        return chance.choice(OFTEN)
    if kind < 0.64:
        return "escape"
    if kind < 0.67:
        return chance.choice(OTHERS)
    if kind < 0.72:
        width, height = chance.choice(SIZES)
        return f"@{width}x{height}"
    if kind < 0.77:
        return f"!{place}"
    if kind < 0.80:
        return chance.choice("^v") + place
    if kind < 0.81:
        return '"' + chance.choice(TEXTS)
    return chance.choice(
        (".frame",) * 9 + (".feed",) * 6 + (".clock",) * 2 + (".rest",) * 3 + (".ask", ".unask")
    )


class Player:
    """Does steps to an application, as its terminal would; whoever made it says how a run goes on and what rest is."""

    def __init__(
        self,
        app: ConsoleApp,
        *,
        rest: Callable[[], Awaitable[None]],
        feed: Callable[[], None] = lambda: None,
        clock: Callable[[], None] = lambda: None,
        turn: float = 0,
    ) -> None:
        self.app = app
        self._turn = turn
        self._asking: list[asyncio.Task[str | None]] = []
        self._rest, self._feed, self._clock = rest, feed, clock

    async def play(self, step: str) -> None:
        """Do one step."""
        sign, rest = step[:1], step[1:]
        if len(step) > 1 and sign == ".":
            await self._own(step)
        elif len(step) > 1 and sign in "!^v" and "," in rest:
            x, _, y = rest.partition(",")
            self._mouse(sign, int(x), int(y))
        elif len(step) > 1 and sign == "@":
            width, _, height = rest.partition("x")
            self._resize(int(width), int(height))
        elif sign == '"' and step != '"':
            self.app.post_message(events.Paste(rest))
        elif len(step) > 1 and sign == "~":
            for _ in range(int(rest)):
                await asyncio.sleep(self._turn)
        else:
            self.app.post_message(_key(step))

    async def _own(self, step: str) -> None:
        if step == ".rest":
            await self._rest()
        elif step == ".frame":
            self.app.frame()
        elif step == ".feed":
            self._feed()
        elif step == ".ask":
            kind = random.Random(len(self._asking)).choice(QUESTIONS)
            self._asking.append(asyncio.create_task(self.app.ports.questions.ask(kind)))
        elif step == ".unask":
            self.give_up()
        else:
            self._clock()

    def give_up(self) -> list[asyncio.Task[str | None]]:
        """The login is over: nobody waits for an answer any more."""
        for each in self._asking:
            each.cancel()
        return self._asking

    def _resize(self, width: int, height: int) -> None:
        size, driver = Size(width, height), self.app._driver
        assert isinstance(driver, HeadlessDriver)
        driver._size = size
        self.app.post_message(events.Resize(size, size))

    def _mouse(self, sign: str, x: int, y: int) -> None:
        size = self.app.size
        x, y = x % max(1, size.width), y % max(1, size.height)
        if sign == "!":
            self._at(events.MouseMove, x, y, 0)
            self._at(events.MouseDown, x, y, 1)
            self._at(events.MouseUp, x, y, 1)
        else:
            self._at(events.MouseScrollUp if sign == "^" else events.MouseScrollDown, x, y, 0)

    def _at(self, kind: type[events.MouseEvent], x: int, y: int, button: int) -> None:
        self.app.post_message(kind(None, x, y, 0, 0, button, shift=False, meta=False, ctrl=False))


def _key(name: str) -> events.Key:
    key = _character_to_key(name) if len(name) == 1 and not name.isalnum() else name
    char = name if len(name) == 1 else None
    if char is None:
        try:
            char = unicodedata.lookup(_get_unicode_name_from_key(REPLACED_KEYS.get(key, key)))
        except KeyError:
            char = None
    return events.Key(key, char)
