"""``pgcache serve``: the proxy itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from pgcache import __version__
from pgcache.cli.options import configuration_options, read_configuration
from pgcache.config import Config


@click.command()
@configuration_options
@click.option("--listen", metavar="HOST:PORT", help="Address for clients [127.0.0.1:6432].")
@click.option("--store", metavar="URL", help="Where results are kept [memory://].")
@click.option(
    "--admin", metavar="HOST:PORT", help="HTTP address: the page, /metrics, /healthz, /readyz."
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Processes that share the address [1].",
)
def serve(
    config_file: Path | None,
    upstream: str | None,
    listen: str | None,
    store: str | None,
    admin: str | None,
    workers: int | None,
) -> None:
    """Run the proxy until SIGTERM or Ctrl-C."""
    load = partial(
        read_configuration,
        config_file,
        upstream=upstream,
        listen=listen,
        store=store,
        admin=admin,
        workers=workers,
    )
    run(load(), load)


def run(config: Config, load: Callable[[], Config]) -> None:
    """Run the proxy until it is told to stop: in this process, or in several workers.

    ``load`` reads the configuration again.
    """
    # imported late: other commands start without them
    import uvloop

    from pgcache.admin import log

    log.configure(config.log)
    try:
        if config.listen.workers > 1:
            asyncio.run(_supervise(config, load))
        else:
            uvloop.run(_serve(config, load))
    except KeyboardInterrupt:
        pass  # Ctrl-C is how a person stops it


async def _serve(config: Config, load: Callable[[], Config]) -> None:
    from pgcache import heap
    from pgcache.runtime import Ready
    from pgcache.runtime import serve as serve_clients

    def on_ready(ready: Ready) -> None:
        _say_ready(config, listen=str(ready.listen_address), admin=ready.admin)

    heap.settle()
    await serve_clients(config, ready=on_ready, load=load)


async def _supervise(config: Config, load: Callable[[], Config]) -> None:
    from pgcache.workers.supervisor import Addresses, supervise

    def on_ready(where: Addresses) -> None:
        admin = None if where.admin is None else str(where.admin)
        _say_ready(config, listen=str(where.listen), admin=admin, workers=config.listen.workers)

    await supervise(config, load, on_ready)


def _say_ready(config: Config, **values: Any) -> None:
    from pgcache.admin import log

    log.log_ready(upstream=str(config.origin), version=__version__, **values)
