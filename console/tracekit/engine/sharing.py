"""Dealing one suite's scenarios to several boxes: longest first, files whole, and what needs one another together.

Pure: ids and durations in, shares out. A scenario is in exactly one share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracekit.wire.ids import split_scenario_id

# What nobody has timed is taken for this, so that new files do not all go to one box.
_UNKNOWN = 1_000_000_000


def deal(
    ids: Sequence[str],
    durations: Mapping[str, int],
    boxes: int,
    needs: Mapping[str, Sequence[str]] | None = None,
) -> list[list[str]]:
    """So many shares of much the same length; `needs` are suites by name, with those that must run before them."""
    groups = _groups(ids, needs or {})
    if len(groups) < 2 * boxes and not needs:
        groups = [[scenario] for scenario in ids]
    weight = [sum(durations.get(scenario, _UNKNOWN) for scenario in group) for group in groups]
    shares: list[list[str]] = [[] for _ in range(boxes)]
    loads = [0] * boxes
    for number in sorted(range(len(groups)), key=lambda at: -weight[at]):
        least = loads.index(min(loads))
        shares[least] += groups[number]
        loads[least] += weight[number]
    order = {scenario: at for at, scenario in enumerate(ids)}
    return [sorted(share, key=order.__getitem__) for share in shares]


def _groups(ids: Sequence[str], needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Scenarios of one file stay together, for what its fixtures cost; so do suites of which one needs the other."""
    tied = {name for name, needed in needs.items() if needed} | {
        name for needed in needs.values() for name in needed
    }
    groups: dict[tuple[str, str], list[str]] = {}
    for scenario in ids:
        _, suite, rest = split_scenario_id(scenario)
        key = ("", "") if suite in tied else (suite, rest.partition("::")[0])
        groups.setdefault(key, []).append(scenario)
    return list(groups.values())
