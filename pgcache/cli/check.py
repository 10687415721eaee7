"""``pgcache check``: will it work, and what would make it work better."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from pgcache.cli.findings import Finding, Grade
from pgcache.cli.options import configuration_options, read_configuration

_STYLES = {
    Grade.GOOD: "green",
    Grade.NOTE: "cyan",
    Grade.WARNING: "yellow",
    Grade.FAILURE: "bold red",
}


@click.command()
@configuration_options
def check(config_file: Path | None, upstream: str | None) -> int:
    """Check configuration, origin, service role and catalogs; exit with 1 if something fails."""
    from pgcache.cli.checks import run_checks  # imported late: other commands start without it

    config = read_configuration(config_file, upstream=upstream)
    findings = asyncio.run(run_checks(config))
    where = f"{config_file}, " if config_file else ""
    first = Finding("configuration", Grade.GOOD, f"{where}environment, flags and defaults")
    _show([first, *findings])
    return 1 if any(finding.grade is Grade.FAILURE for finding in findings) else 0


def _show(findings: list[Finding]) -> None:
    table = Table(show_header=False, show_lines=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        advice = f"\n→ {finding.advice}" if finding.advice else ""
        style = _STYLES[finding.grade]
        table.add_row(
            f"[{style}]{finding.grade.value}[/]", finding.matter, f"{finding.found}{advice}"
        )
    Console().print(table, markup=True, highlight=False)
