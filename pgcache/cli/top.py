"""``pgcache top``: a running proxy's figures, live."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import click
from rich.console import Console
from rich.live import Live

from pgcache.cli.figures import Figures, fetch_figures
from pgcache.cli.options import configuration_options, find_proxy
from pgcache.cli.panels import build_panels
from pgcache.cli.remote import console_option, open_console
from pgcache.config import Config


@click.command()
@configuration_options
@console_option
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.1),
    default=2.0,
    help="Time between looks [2].",
)
@click.option(
    "--count", metavar="N", type=click.IntRange(min=1), help="Looks before it ends [until Ctrl-C]."
)
def top(
    config_file: Path | None,
    upstream: str | None,
    console: str | None,
    interval: float,
    count: int | None,
) -> None:
    """Watch a running proxy: hit ratio, time saved, hottest queries, reasons, change sources."""
    config = find_proxy(config_file, upstream, console)
    try:
        asyncio.run(_watch(config, console, interval, count))
    except KeyboardInterrupt:
        pass  # how a person ends it


async def _watch(
    config: Config | None, url: str | None, interval: float, count: int | None
) -> None:
    screen = Console(highlight=False)
    async with open_console(config, url) as connection:
        before: Figures | None = None
        then = monotonic()
        with Live(console=screen, screen=screen.is_terminal, auto_refresh=False) as live:
            looks = 0
            while True:
                figures, now = await fetch_figures(connection), monotonic()
                live.update(build_panels(figures, before, now - then), refresh=True)
                before, then = figures, now
                looks += 1
                if looks == count:
                    return
                await asyncio.sleep(interval)
