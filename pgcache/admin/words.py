"""Figures in the words that people use for them, for pages and terminals alike."""

from __future__ import annotations

_LONGER = ((86400, "d"), (3600, "h"), (60, "min"))  # seconds


def format_seconds(seconds: float) -> str:
    """A time: ``12 ms``, ``3.4 s``, ``2.5 min``, hours and days from two on."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in _LONGER:
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
