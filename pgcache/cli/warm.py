"""``pgcache warm``: have a running proxy ask what its clients will ask."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pgcache.catalog.loader import Connection
from pgcache.cli.options import configuration_options, find_proxy
from pgcache.cli.remote import console_option, open_console
from pgcache.config import Config

_PAUSE = 0.2  # seconds between looks
_OPEN = ("waiting", "asking")
_GOOD = ("warmed", "warm-already")


@click.command()
@configuration_options
@console_option
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(1, 999_999),
    help="The N recorded queries that saved most. Without it: those of [[warm]].",
)
@click.option("--refresh", is_flag=True, help="Also those whose results are fresh.")
def warm(
    config_file: Path | None,
    upstream: str | None,
    console: str | None,
    top: int | None,
    *,
    refresh: bool,
) -> int:
    """Have a running proxy ask queries before clients do, each as the client that asked it."""
    config = find_proxy(config_file, upstream, console)
    command = "WARM CONFIGURED" if top is None else f"WARM TOP {top}"
    return asyncio.run(_run(config, console, command + (" REFRESH" if refresh else "")))


async def _run(config: Config | None, url: str | None, command: str) -> int:
    async with open_console(config, url) as connection:
        tag = await connection.execute(command)
        rows = await _follow(connection, tag.rpartition(" ")[2])
    counts = Counter(row[0] for row in rows)
    click.echo(", ".join(f"{count} {state}" for state, count in counts.items()) or "nothing to ask")
    failed = [row for row in rows if row[0] not in _GOOD]
    for state, detail, user, query in failed:
        click.echo(f"{state}: {detail}: {query} (as {user})", err=True)
    return 1 if failed else 0


async def _follow(connection: Connection, job: str) -> list[tuple[str, str, str, str]]:
    """Show the job's progress until it is over; how each question fared."""
    columns = (TextColumn("warming"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("warming", total=None)
        while True:
            rows = [
                (row["state"], row["detail"], row["user"], row["query"])
                for row in await connection.fetch("SHOW WARM")
                if row["job"] == job
            ]
            done = sum(row[0] not in _OPEN for row in rows)
            progress.update(bar, total=len(rows), completed=done)
            if done == len(rows):
                return rows
            await asyncio.sleep(_PAUSE)
