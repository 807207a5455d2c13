"""Numbers as people read them: durations, sizes, counts, clock times. The program's own words only."""

from __future__ import annotations

import time


def seconds(nanoseconds: int) -> str:
    """A duration in five characters or so: `<1ms`, `80ms`, `2.41s`, `12.3s`, `4m07s`, `2h05m`."""
    if nanoseconds < 1_000_000:
        return "<1ms"
    if nanoseconds < 999_500_000:
        return f"{nanoseconds / 1e6:.0f}ms"
    whole = nanoseconds / 1e9
    if whole < 9.995:
        return f"{whole:.2f}s"
    if whole < 99.95:
        return f"{whole:.1f}s"
    minutes, rest = divmod(int(whole + 0.5), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def clock(nanoseconds: int) -> str:
    """Elapsed time: `00:42`, `1:02:03`."""
    total = max(0, nanoseconds) // 1_000_000_000
    hours, rest = divmod(total, 3600)
    minutes, whole = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{whole:02d}" if hours else f"{minutes:02d}:{whole:02d}"


def count(number: int, thing: str) -> str:
    """`1 test`, `2 tests`, `12,408 lines`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def few(number: int) -> str:
    """A count in few letters: `812`, `9,999`, `12k`, `4.2M`."""
    if number < 10_000:
        return f"{number:,}"
    value = float(number)
    for unit in ("k", "M", "G"):
        value /= 1000
        if value < 999.5:
            return f"{value:.1f}{unit}" if value < 9.95 else f"{value:.0f}{unit}"
    return f"{value:,.0f}G"


def moment(nanoseconds: int) -> str:
    """A moment in UTC, to the second: machines differ, runs are compared."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    except (OverflowError, ValueError, OSError):
        return "?"


def link_words(link: str, away: tuple[int, int] | None, folded: int, *, whole: bool = False) -> str:
    """How a link is: since when and how often it was tried, or how far what is here goes. `away` is since when it is
    down, and the tries since; each may be 0 where nobody knows. `whole`: there is room to say of what the bytes are.
    """
    if link == "lost":
        return f"lost at byte {folded:,}" + (" of the journal" if whole else "")
    since, tried = away or (0, 0)
    if link != "reconnecting":
        return link
    attempt = f", attempt {tried:,}" if tried else ""
    return f"{link}{attempt}" + (f", down since {moment(since).partition(' ')[2]} UTC" if since else "")


def ago(then: int, now: int) -> str:
    """How long since: `5s ago`, `3m ago`, `2h ago`, `4d ago`."""
    passed = max(0, now - then) // 1_000_000_000
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if passed >= size:
            return f"{passed // size}{unit} ago"
    return f"{passed}s ago"


def weight(size: int) -> str:
    """Bytes: `812 B`, `4.2 KiB`, `31 MiB`."""
    value = float(size)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
