"""``pgcache invalidate``: tell a running proxy that data has changed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from pgcache.cli.options import configuration_options, find_proxy
from pgcache.cli.remote import console_option, open_console, quote
from pgcache.config import Config


@click.command()
@configuration_options
@console_option
@click.option("--tag", "tags", metavar="NAME", multiple=True, help="What carries this tag.")
@click.option("--event", "events", metavar="NAME", multiple=True, help="What [events] says of it.")
@click.option(
    "--matching",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    help="Results of queries LIKE it, as 'select%from orders%'; also of those now running.",
)
@click.option(
    "--query", "keys", metavar="KEY", multiple=True, help="One result, by its key in SHOW ENTRIES."
)
@click.option("--all", "everything", is_flag=True, help="Everything.")
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
def invalidate(
    config_file: Path | None,
    upstream: str | None,
    console: str | None,
    tables: tuple[str, ...],
    tags: tuple[str, ...],
    events: tuple[str, ...],
    patterns: tuple[str, ...],
    keys: tuple[str, ...],
    *,
    everything: bool,
) -> None:
    """Have a running proxy forget results: of TABLEs (schema.name), and what the options say."""
    config = find_proxy(config_file, upstream, console)
    named = {"TABLE": tables, "TAG": tags, "EVENT": events, "MATCHING": patterns, "QUERY": keys}
    commands = [
        f"INVALIDATE {kind} {quote(name)}" for kind, names in named.items() for name in names
    ]
    if everything:
        commands.append("INVALIDATE ALL")
    if not commands:
        raise click.UsageError("nothing is named that could be invalidated")
    asyncio.run(_run(config, console, commands))


async def _run(config: Config | None, url: str | None, commands: list[str]) -> None:
    async with open_console(config, url) as connection:
        for command in commands:
            tag = await connection.execute(command)
            click.echo(f"{command.removeprefix('INVALIDATE ')}: {tag.rpartition(' ')[2]}")
