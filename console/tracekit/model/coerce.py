"""Reading fields of decoded JSON that any program may have written.

Every function takes whatever stands in a field and gives a value of the promised type: a wrong type is read
as absent, so that no line can make the fold raise. Numbers are held to what 64 bits carry.
"""

from __future__ import annotations

from typing import Any

INT64_MAX = (1 << 63) - 1


def text(value: object) -> str:
    """The string, or an empty one."""
    return value if type(value) is str else ""


def text_or_none(value: object) -> str | None:
    """The string, or None."""
    return value if type(value) is str else None


def integer(value: object) -> int:
    """The integer within 64 bits, or 0; a whole float counts, a boolean does not."""
    if type(value) is int:
        return value if -INT64_MAX <= value <= INT64_MAX else 0
    if type(value) is float and -9e18 < value < 9e18:
        return int(value)
    return 0


def integer_or_none(value: object) -> int | None:
    """The integer within 64 bits, or None."""
    return value if type(value) is int and -INT64_MAX <= value <= INT64_MAX else None


def natural(value: object) -> int:
    """The integer, never below zero: durations, offsets, lengths, counts."""
    return value if type(value) is int and 0 <= value <= INT64_MAX else 0


def texts(value: object) -> tuple[str, ...]:
    """The strings of a list; what is not a string is left out."""
    if type(value) is not list:
        return ()
    try:
        # Joining looks at the types in C; lists with anything else in them are rare.
        "".join(value)
    except TypeError:
        return tuple([item for item in value if type(item) is str])
    return tuple(value)


def table(value: object) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if type(value) is dict else {}


def rows(value: object) -> list[dict[str, Any]]:
    """The objects of a list; what is not an object is left out."""
    return [item for item in value if type(item) is dict] if type(value) is list else []


def naturals(value: object) -> dict[str, int]:
    """The whole numbers of an object: durations, counts."""
    if type(value) is not dict:
        return {}
    return {
        name: number for name, number in value.items() if type(number) is int and 0 <= number <= INT64_MAX
    }


def seconds(value: object) -> float:
    """The seconds, or 0 where no sensible time is told."""
    return float(value) if type(value) in {int, float} and 0 <= value < 1e9 else 0.0  # type: ignore[operator, arg-type]


def signal(value: object) -> int | str | None:
    """A signal as number or name."""
    return value if type(value) is str else integer_or_none(value)
