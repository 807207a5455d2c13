"""Every colour of the console, by theme: what is read, on what it stands, and what a program's own colours become.

Plain data: no other module of this room names a colour. Each text reads at 4.5:1 or better on every ground that it may
stand on, which a test computes; `ansi` names the terminal's own colours and no others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.terminal_theme import TerminalTheme

DARK, LIGHT, CONTRAST, ANSI = "dark", "light", "high-contrast", "ansi"


@dataclass(frozen=True)
class Colours:
    """A theme: texts, then grounds, then what is neither."""

    name: str
    dark: bool
    text: str
    strong: str
    dim: str
    faint: str
    accent: str
    passed: str
    failed: str
    warn: str
    hunk: str
    added: str
    removed: str
    background: str
    surface: str
    cursor: str
    cursor_off: str
    own: str  # behind a line of the project's own
    added_on: str
    removed_on: str
    alarm: str  # behind what must not be overlooked
    rule: str  # lines and bars: seen, never read
    thumb: str
    #: The sixteen colours of what a test prints: black to white, then the bright ones.
    printed: tuple[str, ...] = ()

    @property
    def native(self) -> bool:
        """Whether these are the terminal's own colours."""
        return self.name == ANSI

    @property
    def colourless(self) -> bool:
        """Whether nothing is told by a colour."""
        return self.native and self.failed == "default"

    def terminal(self) -> TerminalTheme | None:
        """What a program's colours become; None: the terminal knows best."""
        if not self.printed:
            return None
        normal, bright = self.printed[:8], self.printed[8:]
        return TerminalTheme(
            _rgb(self.background), _rgb(self.text), [*map(_rgb, normal)], [*map(_rgb, bright)]
        )


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


_DARK = Colours(
    name=DARK,
    dark=True,
    text="#c8d0da",
    strong="#eef2f6",
    dim="#a3aebb",
    faint="#8d99a8",
    accent="#79b8ff",
    passed="#6cc074",
    failed="#f6807a",
    warn="#dfae52",
    hunk="#8fa6c9",
    added="#8fd19a",
    removed="#ff9d97",
    background="#10141a",
    surface="#161c24",
    cursor="#202b3b",
    cursor_off="#1a212b",
    own="#1d2632",
    added_on="#14261a",
    removed_on="#2b1719",
    alarm="#2b1014",
    rule="#4b5663",
    thumb="#2b3440",
    printed=(
        "#3a4654", "#f6807a", "#6cc074", "#dfae52", "#79b8ff", "#d2a8ff", "#6ccad6", "#c8d0da",
        "#8d99a8", "#ff9d97", "#8fd19a", "#f0c674", "#a5d0ff", "#e2c5ff", "#95e1ea", "#eef2f6",
    ),
)  # fmt: skip

_LIGHT = Colours(
    name=LIGHT,
    dark=False,
    text="#24292f",
    strong="#0b0e12",
    dim="#4a535e",
    faint="#555e69",
    accent="#0a55b8",
    passed="#14692b",
    failed="#b3202a",
    warn="#7d4e00",
    hunk="#3f557d",
    added="#12592a",
    removed="#96191f",
    background="#fbfcfd",
    surface="#eef1f4",
    cursor="#d7e5f7",
    cursor_off="#e6eaef",
    own="#e4ebf3",
    added_on="#dff3e4",
    removed_on="#fbe3e4",
    alarm="#fbe3e4",
    rule="#a9b3be",
    thumb="#c5cdd6",
    printed=(
        "#24292f", "#b3202a", "#14692b", "#7d4e00", "#0a55b8", "#7a3ea8", "#0b6471", "#d0d7de",
        "#555e69", "#cc2b36", "#1b7f37", "#946000", "#1b6fd8", "#8f4fc0", "#0f7885", "#eef1f4",
    ),
)  # fmt: skip

_CONTRAST = Colours(
    name=CONTRAST,
    dark=True,
    text="#ffffff",
    strong="#ffffff",
    dim="#e0e0e0",
    faint="#d0d0d0",
    accent="#8fd0ff",
    passed="#6dff7d",
    failed="#ff9c96",
    warn="#ffd75f",
    hunk="#c3d4f5",
    added="#9dffab",
    removed="#ffb3ae",
    background="#000000",
    surface="#0d0d0d",
    cursor="#002848",
    cursor_off="#262626",
    own="#1c2a3a",
    added_on="#00290b",
    removed_on="#3a0007",
    alarm="#3a0007",
    rule="#9a9a9a",
    thumb="#9a9a9a",
    printed=(
        "#767676", "#ff9c96", "#6dff7d", "#ffd75f", "#8fd0ff", "#ffb3ff", "#7df3ff", "#ffffff",
        "#bdbdbd", "#ffb3ae", "#9dffab", "#ffe794", "#b8e1ff", "#ffd1ff", "#aef8ff", "#ffffff",
    ),
)  # fmt: skip

# Prose has the terminal's own foreground: whatever its ground is, somebody has made that readable. Of its colours those
# are used that read on black and on white: no blue, no cyan, and yellow not at all.
_ANSI = Colours(
    name=ANSI,
    dark=True,
    text="default",
    strong="default",
    dim="default",
    faint="default",
    accent="magenta",
    passed="green",
    failed="red",
    warn="default",
    hunk="magenta",
    added="green",
    removed="red",
    background="default",
    surface="default",
    cursor="default",
    cursor_off="default",
    own="default",
    added_on="default",
    removed_on="default",
    alarm="default",
    rule="default",
    thumb="magenta",
)

THEMES: dict[str, Colours] = {each.name: each for each in (_DARK, _LIGHT, _CONTRAST, _ANSI)}
#: In words, for whoever chooses.
ABOUT = {
    DARK: "quiet colours on near black",
    LIGHT: "the same on near white",
    CONTRAST: "white on black, colours that carry far",
    ANSI: "the terminal's own, on its own ground",
}


def colours(name: str, *, few: bool = False) -> Colours:
    """A theme by its name; where a terminal has few colours or none, its own are taken whatever was asked for."""
    return THEMES[ANSI] if few else THEMES.get(name, _DARK)


def colourless() -> Colours:
    """No colour at all: attributes say what there is to say."""
    own = THEMES[ANSI]
    plain = dict.fromkeys(("accent", "passed", "failed", "hunk", "added", "removed", "thumb"), "default")
    return replace(own, **plain)  # type: ignore[arg-type]


def luminance(colour: str) -> float:
    """The relative luminance of a colour, as accessibility guidelines compute it."""
    channels = (channel / 255 for channel in _rgb(colour))
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """How far two colours stand apart: 1 to 21."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
