from __future__ import annotations

import io

from rich.console import Console

from pgcache.cli.figures import Figures
from pgcache.cli.panels import build_panels


def _shown(now: Figures, before: Figures | None = None, seconds: float = 0.0) -> str:
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(build_panels(now, before, seconds))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rates_are_of_the_time_between() -> None:
    before, now = Figures(stats={"hits": 10}), Figures(stats={"hits": 30, "paused": True})
    assert "30 (10.0/s)" in _shown(now, before, 2.0)
    assert "/s)" not in _shown(now)
    assert "paused" in _shown(now)


def test_words_of_others_are_no_markup() -> None:
    row = {
        "saved_ms": 5000,
        "origin_ms": 200,
        "calls": 4,
        "hits": 3,
        "last": "hit",
        "query": "select [bold]x[/bold]",
    }
    source = {
        "source": "slot",
        "database": None,
        "state": "down",
        "changes": 1_000,
        "lag_s": 0.5,
        "detail": "[red]gone",
    }
    reason = {"count": 7, "reason": "paused", "remedy": "RESUME"}
    shown = _shown(Figures(queries=[row], sources=[source], reasons=[reason]))
    for said in ("[bold]x[/bold]", "5.0 s", "200 ms", "75%", "1,000", "500 ms", "[red]gone", "all"):
        assert said in shown, said
