"""Flags that several commands share, and how they become a configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pgcache.config import Config, load_config

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
