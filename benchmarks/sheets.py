"""Tables that can be read on a terminal and in a document. Measures nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from rich.table import Table
from rich.text import Text

from benchmarks.samples import Series


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of plain strings; the first column is what the row is about."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def as_rich(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title, caption=self.caption or None)
        for number, name in enumerate(self.columns):
            table.add_column(Text(name), justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table

    def as_markdown(self) -> str:
        """For a document."""
        ruler = "|".join(["---", *("---:" for _ in self.columns[1:])])
        lines = [f"### {self.title}", "", _line(self.columns), f"|{ruler}|"]
        lines += [_line(row) for row in self.rows]
        if self.caption:
            lines += ["", f"{self.caption[0].upper()}{self.caption[1:]}."]
        return "\n".join([*lines, ""])


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def number(value: float, unit: str = "") -> str:
    """A figure with three or so digits that mean something; nothing for NaN."""
    if isnan(value):
        return ""
    if value == float("inf"):
        return "never"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{value:,.{digits}f}{unit}"


def times(series: Series) -> str:
    """A median of ratios with its range."""
    if not series.known:
        return ""
    if len(series.known) == 1:
        return f"{series.median:.2f}x"
    return f"{series.median:.2f}x ({series.low:.2f}–{series.high:.2f})"


def per_second(series: Series) -> str:
    """A median of rates."""
    return number(series.median)
