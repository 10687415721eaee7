"""Charts of one line each, as SVG that needs no script: points in, markup out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 160
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 12, 22

Point = tuple[float, float | None]  # age in seconds, value; None: nothing to show


def line_chart(
    title: str, points: Sequence[Point], *, top: float, unit: str, span: float = 3600.0
) -> str:
    """A line over the last ``span`` seconds, from 0 to ``top``; gaps where there are no values."""
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    parts = [
        f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
    ]
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        shown = escape(f"{top * share:.3g}{unit}")
        parts.append(f'<text class="axis" x="{_LEFT - 6}" y="{y + 4}">{shown}</text>')
    for minutes, anchor in ((60, "start"), (30, "middle"), (0, "end")):
        x = _x(minutes * 60.0, span)
        words = f"{minutes} min ago" if minutes else "now"
        parts.append(f'<text class="time {anchor}" x="{x}" y="{_HEIGHT - 4}">{words}</text>')
    for run in _runs(points):
        places = [(_x(age, span), _y(min(1.0, value / top) if top else 0.0)) for age, value in run]
        line = " ".join(f"{x},{y}" for x, y in places)
        floor = _y(0.0)
        area = f"{places[0][0]},{floor} {line} {places[-1][0]},{floor}"
        parts.append(f'<polygon class="area" points="{area}"/>')
        parts.append(f'<polyline class="line" points="{line}"/>')
        if len(places) == 1:
            parts.append(f'<circle class="dot" cx="{places[0][0]}" cy="{places[0][1]}" r="2.5"/>')
    parts.append("</svg>")
    return "".join(parts)


def _runs(points: Sequence[Point]) -> list[list[tuple[float, float]]]:
    """The points between gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for age, value in points:
        if value is None:
            runs.append([])
        else:
            runs[-1].append((age, value))
    return [run for run in runs if run]


def _x(age: float, span: float) -> float:
    width = _WIDTH - _LEFT - _RIGHT
    return round(_LEFT + width * (1 - min(1.0, max(0.0, age / span))), 1)


def _y(share: float) -> float:
    return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share), 1)


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10 and so on: the top of an axis."""
    if value <= 0:
        return 1.0
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if value <= step * factor:
                return step * factor
        step *= 10
