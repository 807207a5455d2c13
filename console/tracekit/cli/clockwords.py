"""Words for the clocks of boxes: how far off one is and how sure that is, and whether somebody set it meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracekit.store.clocks import Clocks

#: What is nearer than this is not worth a word.
FAR_OFF = 1.0
_LOCAL = "local"


def clock(clocks: Clocks) -> str:
    """How a box's clock stood to this machine's."""
    last = clocks.readings[-1]
    if not last.bound:
        return "this machine's clock"
    ahead = last.ahead / 1e9
    told = (
        f"its clock is {abs(ahead):.3f} s {'ahead' if ahead >= 0 else 'behind'}, ± {last.bound / 1e6:.1f} ms"
    )
    jumped = clocks.jumped / 1e9
    return f"{told}; it was set by {jumped:+.1f} s meanwhile" if abs(jumped) > FAR_OFF else told


def odd_clock(box_dir: Path) -> str:
    """What is to be said of a box's clock beside its run; nothing where it goes as ours does."""
    if box_dir.name == _LOCAL:
        return ""
    from tracekit.store.clocks import clocks_of

    clocks = clocks_of(box_dir.parent, box_dir.name)
    far = any(abs(each.ahead) - each.bound > FAR_OFF * 1e9 for each in clocks.readings)
    return clock(clocks) if far or abs(clocks.jumped) > FAR_OFF * 1e9 else ""
