"""The benches of the console, with a flood that is none: that they measure something, not how much."""

from __future__ import annotations

from tests.bench import bench_memory, bench_ui_flood, bench_ui_remote
from tests.bench.figures import Figure


def told(figures: list[Figure]) -> dict[str, float]:
    assert all(figure.value >= 0 for figure in figures)
    return {figure.name: figure.value for figure in figures}


def test_ui_flood__few_events_and_keys__then_every_event_is_shown_or_counted_as_dropped() -> None:
    figures = told(bench_ui_flood.measure(8, 20_000, 500, {"RichLog": 100, "DataTable": 50}))
    assert figures["neither-shown-nor-dropped"] == 0
    assert figures["keys"] == 8
    names = ("shown", "told-a-second", "painted", "richlog-key-p95", "datatable-key-p95")
    assert all(figures[name] > 0 for name in names)


def test_memory__few_events__then_every_event_is_shown_or_counted_as_dropped() -> None:
    figures = told(bench_memory.measure(events=60_000, a_second=60_000, listed=1000))
    assert figures["neither-shown-nor-dropped"] == 0
    assert figures["sent"] >= 60_000


def test_ui_remote__few_events_and_keys__then_each_took_a_round_trip_and_silence_is_silent() -> None:
    figures = told(bench_ui_remote.measure(keys=3, events=20_000, lines=200, watched_for=1.0))
    assert figures["keys"] == 3
    assert figures["key-median"] >= 1000 * bench_ui_remote.ROUND_TRIP
    assert figures["line-typed"] > 0
    assert figures["line-still"] == 0
