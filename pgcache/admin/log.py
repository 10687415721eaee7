"""The log: one line per event on standard error, for people or for machines.

``configure`` is called once by the command that runs; everyone else takes a logger and says what
happened as an event with values. Statement texts go under the key ``sql`` only, so that
redaction needs to know one key. Decides nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pgcache.config import LogConfig
from pgcache.sql.shape import redact

READY = "pgcache ready"

_MAX_SQL = 500
_ALIASES = {"exception": "error", "warn": "warning", "fatal": "critical"}  # methods' names

redact_sql = redact


def _redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "sql" in event:
        event["sql"] = redact(str(event["sql"]))
    return event


def _shorten(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if len(str(event.get("sql", ""))) > _MAX_SQL:
        event["sql"] = f"{str(event['sql'])[:_MAX_SQL]}…"
    return event


class _Threshold:
    """Drops what is less serious than ``level``, which may change while loggers live."""

    def __init__(self, level: str) -> None:
        self.level = _number(level)

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _number(method) < self.level:
            raise structlog.DropEvent
        return event


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[_ALIASES.get(level, level).upper()]


def change_level(config: LogConfig) -> None:
    """Show what is as serious as ``config`` says, from now on."""
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _Threshold):
            processor.level = _number(config.level)


def configure(config: LogConfig, stream: TextIO | None = None) -> None:
    """Set up structlog for this process: level, format and redaction as configured."""
    stream = sys.stderr if stream is None else stream
    is_console = config.format == "console" or (config.format == "auto" and stream.isatty())
    processors: list[Processor] = [
        _Threshold(config.level),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if config.redact:
        processors.append(_redact)
    processors.append(_shorten)
    processors += _console(stream) if is_console else _json()
    structlog.configure(
        processors=processors,
        # The threshold decides; what is chosen here is chosen for good.
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


def _console(stream: TextIO) -> Iterable[Processor]:
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty())]


def _json() -> Iterable[Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def get_logger(**values: Any) -> structlog.typing.FilteringBoundLogger:
    """A logger that adds ``values`` to each of its lines."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(**values)
    return logger


def log_ready(
    *, listen: str, upstream: str, admin: str | None, version: str, workers: int | None = None
) -> None:
    """The line that says clients may come; scripts wait for it."""
    values = {
        "listen": listen,
        "upstream": upstream,
        "admin": admin,
        "version": version,
        "workers": workers,
    }
    get_logger().info(READY, **{key: value for key, value in values.items() if value is not None})
