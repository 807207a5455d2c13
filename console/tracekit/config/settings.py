"""Settings by precedence: flag, `TRACEKIT_…` variable, project, user, default; each remembers where it was settled.

Every source is checked, also one that a stronger source outweighs: a mistake does not hide behind a flag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tracekit.config.durations import format_duration, parse_duration
from tracekit.config.key import Key
from tracekit.config.profile import NONE
from tracekit.config.rules import RULES
from tracekit.config.tables import SETTINGS
from tracekit.config.words import listed, nearest, plain, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracekit.config.faults import Faults
    from tracekit.config.profile import Profile

DEFAULT = "default"
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class Settings(NamedTuple):
    profile: str | None = None
    environment: str = "local"
    trace: str = "default"
    seed: int | None = None
    locals: bool = True
    run_lease: float = 43200.0
    service_lease: float = 60.0
    glyphs: str = "unicode"
    theme: str = "dark"
    mouse: bool = True
    keep_runs: int = 100
    keep_for: float = 2592000.0
    keep_size: str = "10GiB"
    copy_size: str = "8GiB"
    editor: str = ""
    notify: str = "off"
    notify_after: float = 30.0
    origins: Mapping[str, str] = NONE

    def origin(self, key: str) -> str:
        """A flag, a variable, file:line, or `default`."""
        return self.origins.get(key, DEFAULT)


class Layer(NamedTuple):
    """Checked settings of one file and where each of them stands."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]


def variable_of(key: str) -> str:
    """The variable that sets a key: `run_lease` by TRACEKIT_RUN_LEASE."""
    return f"TRACEKIT_{key.upper()}"


def settle(
    flags: Mapping[str, Any], environ: Mapping[str, str], layers: Sequence[Layer], faults: Faults
) -> Settings:
    """Settle every key. The strongest layer comes first; a flag that is None was not given."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    sources = [_flags(flags, faults), _variables(environ, faults), *layers]
    for name in SETTINGS.keys:
        for source in sources:
            if name in source.values:
                values[name], origins[name] = source.values[name], source.origins[name]
                break
    return Settings(**values, origins=origins)


def _flags(flags: Mapping[str, Any], faults: Faults) -> Layer:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, value in flags.items():
        key = SETTINGS.keys.get(name)
        if key is None or value is None:
            continue
        flag = key.flag or f"--{name.replace('_', '-')}"
        read = _from_text(key, value, flag, faults) if isinstance(value, str) else value
        if read is not None:
            values[name], origins[name] = read, flag
    return Layer(values, origins)


def _variables(environ: Mapping[str, str], faults: Faults) -> Layer:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, key in SETTINGS.keys.items():
        variable = variable_of(name)
        text = environ.get(variable, "")
        if not text:
            continue
        read = _from_text(key, text, variable, faults)
        if read is not None:
            values[name], origins[name] = read, variable
    return Layer(values, origins)


def _from_text(key: Key, text: str, where: str, faults: Faults) -> Any:
    return _READERS[key.kind](key, text, where, faults)


def _read_string(key: Key, text: str, where: str, faults: Faults) -> str | None:
    # A profile may also be named by its file, which only the command line and variables can do.
    rule = "text" if key.name == "profile" else key.rule
    # A run may go to several environments.
    for part in text.split(",") if key.name == "environment" else (text,):
        fault = RULES[rule].fault(part)
        if fault is not None:
            faults.add("value", f"{shown(part)} {fault[0]}", where, fault[1])
            return None
    return text


def _read_choice(key: Key, text: str, where: str, faults: Faults) -> str | None:
    if text in key.choices:
        return text
    near = nearest(text, key.choices)
    action = f"did you mean {near}? " if near else ""
    faults.add(
        "choice", f"unknown {key.name} {shown(text)}", where, f"{action}allowed: {listed(key.choices)}"
    )
    return None


def _read_boolean(key: Key, text: str, where: str, faults: Faults) -> bool | None:
    word = text.casefold()
    if word in _TRUE | _FALSE:
        return word in _TRUE
    faults.add("type", f"{key.name} must be true or false, not {shown(text)}", where, "write 1 or 0")
    return None


def _read_integer(key: Key, text: str, where: str, faults: Faults) -> int | None:
    low, high = key.low or 0, key.high or 0
    if len(text) <= 20 and text.isascii() and text.lstrip("-").isdigit() and low <= int(text) <= high:
        return int(text)
    faults.add(
        "range", f"{key.name} must be a whole number, not {shown(text)}", where, f"allowed: {low} to {high}"
    )
    return None


def _read_duration(key: Key, text: str, where: str, faults: Faults) -> float | None:
    seconds = parse_duration(text) if len(text) <= RULES["duration"].longest else None
    low, high = key.low or 0, key.high or 0
    if seconds is not None and low <= seconds <= high:
        return seconds
    bounds = f"allowed: {format_duration(low)} to {format_duration(high)}"
    what = "is not a duration" if seconds is None else "is out of range"
    faults.add("range", f"{shown(text)} {what}", where, f"{RULES['duration'].hint}; {bounds}")
    return None


_READERS: dict[str, Callable[[Key, str, str, Faults], Any]] = {
    "string": _read_string,
    "choice": _read_choice,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "duration": _read_duration,
}


def explain(settings: Settings, profile: Profile | None = None) -> list[tuple[str, str, str]]:
    """(key, value, origin) of every setting, and of what a profile declares; secrets only by where they come from."""
    rows = [
        (name, _worded(key, getattr(settings, name)), settings.origin(name))
        for name, key in SETTINGS.keys.items()
    ]
    if profile is not None:
        from tracekit.config.explained import profile_rows  # only `config` asks

        rows += profile_rows(profile)
    return rows


def _worded(key: Key, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return format_duration(value) if key.kind == "duration" else plain(str(value), 400)
