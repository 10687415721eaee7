"""Case d: what pgcache adds to a dashboard query that is a miss."""

from __future__ import annotations

from benchmarks import scenes
from benchmarks.arena import Arena, Result
from benchmarks.sheets import Sheet, number, times


def measure_cold(arena: Arena) -> Result:
    """The query of the demo's dashboard, with a new literal each time, and refreshed."""
    with arena.proxy() as proxy:
        measured = scenes.measure_cold(arena.origin, proxy, arena.sizes.cold, arena.say)
    result = Result(data={"cold": [cold.as_json() for cold in measured]})
    result.sheets.append(_sheet(measured))
    ratios = measured[0].direct.over(measured[0].through)
    result.figure("cold/direct", ratios.median)
    result.figure("cold/added ms", measured[0].added_ms.median)
    return result


def _sheet(measured: list[scenes.Cold]) -> Sheet:
    rows = [
        (
            cold.title,
            number(cold.direct.median),
            number(cold.through.median),
            f"{cold.added_ms.median:+.1f}",
            f"{cold.added_per_cent.median:+.1f} %",
            times(cold.direct.over(cold.through)),
            f"{100 * cold.misses:.0f} %",
        )
        for cold in measured
    ]
    columns = (
        "a miss by",
        "direct ms",
        "through pgcache ms",
        "added ms",
        "added",
        "rate over direct",
    )
    caption = f"medians of {len(measured[0].direct.values)} pairs that took turns"
    return Sheet("d. A cold dashboard query", (*columns, "misses"), tuple(rows), caption)
