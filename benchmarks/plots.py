"""Pictures of a run's results, from the file of results. Needs matplotlib (the extra ``bench``)."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.arena import PGBOUNCER, PGPOOL, REDIS, TITLES
from benchmarks.throughput import DIRECT, DISABLED, HIT, MODE_OFF

Results = Mapping[str, Any]

_COLORS = {
    DIRECT: "#888888",
    PGBOUNCER: "#c0904d",
    PGPOOL: "#7a9cc6",
    REDIS: "#b0413e",
    HIT: "#2a7f62",
    MODE_OFF: "#8fc1ae",
    DISABLED: "#bfdccf",
}


def is_available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(results: Results, folder: Path) -> list[Path]:
    """Write a PNG for each picture whose case was run; gives their paths."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    written = []
    for name, paint in _PICTURES.items():
        figure, axes = pyplot.subplots(figsize=(9, 4.5), layout="constrained")
        try:
            if paint(results["cases"], axes):
                path = folder / f"{name}.png"
                figure.savefig(path, dpi=110)
                written.append(path)
        finally:
            pyplot.close(figure)
    return written


def _bars(axes: Any, shapes: list[Results], names: tuple[str, ...]) -> None:
    names = tuple(name for name in names if any(name in shape["targets"] for shape in shapes))
    width = 0.8 / max(1, len(names))
    for index, name in enumerate(names):
        places, heights, below, above = [], [], [], []
        for place, shape in enumerate(shapes):
            rates = shape["targets"].get(name, {}).get("per_second")
            if rates is not None:
                places.append(place + (index - (len(names) - 1) / 2) * width)
                heights.append(rates["median"])
                below.append(rates["median"] - rates["min"])
                above.append(rates["max"] - rates["median"])
        color = _COLORS.get(name)
        axes.bar(places, heights, width, label=TITLES.get(name, name), color=color)
        axes.errorbar(places, heights, yerr=(below, above), fmt="none", ecolor="#333333", lw=0.8)
    axes.set_xticks(range(len(shapes)), [shape["shape"].replace(", ", "\n") for shape in shapes])
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylabel("results a second")
    axes.legend(fontsize=8)


def _hits(cases: Results, axes: Any) -> bool:
    shapes = [shape for shape in _data(cases, "a").get("rows", []) if HIT in shape["targets"]]
    if not shapes:
        return False
    _bars(axes, shapes, (DIRECT, PGBOUNCER, PGPOOL, REDIS, HIT))
    axes.set_title("One row from the cache (median, least, most)")
    return True


def _forwards(cases: Results, axes: Any) -> bool:
    rows = _data(cases, "c").get("rows") or _data(cases, "a").get("rows", [])
    shapes = [shape for shape in rows if MODE_OFF in shape["targets"]]
    if not shapes:
        return False
    _bars(axes, shapes, (DIRECT, PGBOUNCER, MODE_OFF, DISABLED))
    axes.set_title("One row forwarded (median, least, most)")
    return True


def _scene(cases: Results, axes: Any) -> bool:
    rounds = _data(cases, "e").get("rounds", [])
    if not rounds:
        return False
    for name in (DIRECT, HIT):
        values = sorted(ms for passes in rounds for ms in passes[name]["query_ms"])
        shares = [(rank + 1) / len(values) for rank in range(len(values))]
        axes.plot(values, shares, label=TITLES[name], color=_COLORS[name])
    axes.set_xscale("log")
    axes.set_xlabel("latency of a query, ms")
    axes.set_ylabel("share of queries")
    axes.set_title("The scene: 100 users, 20 dashboards, 6 queries each")
    axes.legend()
    return True


def _growth(cases: Results, axes: Any) -> bool:
    found = _data(cases, "i")
    titles = [title for title in ("the same ten", "any of them") if title in found]
    if not titles:
        return False
    for title in titles:
        targets = found[title]["targets"]
        counts = [int(name.replace(",", "")) for name in targets]
        costs = [target["pgcache_cpu_us"] for target in targets.values()]
        axes.plot(counts, costs, marker="o", label=f"{title} asked")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("entries")
    axes.set_ylabel("CPU of pgcache for a hit, µs")
    axes.set_title("Hit cost with the number of entries")
    axes.legend()
    return True


def _data(cases: Results, letter: str) -> dict[str, Any]:
    found: dict[str, Any] = cases.get(letter, {}).get("data", {})
    return found


_PICTURES: dict[str, Callable[[Results, Any], bool]] = {
    "hits": _hits,
    "forwards": _forwards,
    "scene": _scene,
    "growth": _growth,
}
