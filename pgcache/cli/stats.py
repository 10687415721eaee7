"""``pgcache stats``: what a running proxy saves, once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
from rich.console import Console

from pgcache.cli.figures import Figures, fetch_figures
from pgcache.cli.options import configuration_options, find_proxy
from pgcache.cli.panels import build_panels
from pgcache.cli.remote import console_option, open_console
from pgcache.config import Config


@click.command()
@configuration_options
@console_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def stats(
    config_file: Path | None, upstream: str | None, console: str | None, *, as_json: bool
) -> None:
    """Print a running proxy's figures: what it saves, and what it does not cache and why."""
    config = find_proxy(config_file, upstream, console)
    figures = asyncio.run(_fetch(config, console))
    if as_json:
        click.echo(json.dumps(figures.as_object(), ensure_ascii=False))
    else:
        Console(highlight=False).print(build_panels(figures))


async def _fetch(config: Config | None, url: str | None) -> Figures:
    async with open_console(config, url) as connection:
        return await fetch_figures(connection)
