"""Flags that several commands share, and how they become a configuration."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pgcache.config import Config, load_config
from pgcache.errors import ConfigError

Command = TypeVar("Command", bound=Callable[..., Any])


def configuration_options(command: Command) -> Command:
    """Add ``--config`` and ``--upstream``."""
    command = click.option(
        "--upstream",
        metavar="URL",
        help="The origin: postgresql://USER:PASSWORD@HOST:PORT/DATABASE. The credentials are the "
        "service role, which only reads catalogs.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Configuration file (TOML); config.example.toml shows every key.",
    )(command)


def read_configuration(config_file: Path | None, **flags: str | int | None) -> Config:
    """The configuration: flags beat environment beats file beats defaults."""
    return load_config(config_file, flags=flags)


def find_proxy(
    config_file: Path | None, upstream: str | None, console: str | None
) -> Config | None:
    """The configuration of the proxy that is meant; None where ``console`` says it all."""
    if console:
        return None
    named = any(name.startswith(("PGCACHE_CONFIG", "PGCACHE_UPSTREAM")) for name in os.environ)
    if not (config_file or upstream or named):
        raise ConfigError(
            "which proxy is meant?",
            hint="pass --console postgresql://USER:PASSWORD@HOST:PORT, or --config FILE with the "
            "proxy's own configuration",
        )
    return read_configuration(config_file, upstream=upstream)
