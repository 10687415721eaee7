"""Errors and reason codes: the words every room shares.

The tree::

    PgcacheError                 anything pgcache raises on purpose; knows its SQLSTATE
    ├── ConfigError              bad configuration or usage (exit code 2)
    ├── StartError               a part cannot start: port taken, origin out of reach (exit code 1)
    ├── ProtocolViolation        a peer broke the wire protocol (SQLSTATE 08P01)
    └── CatalogError             the service role cannot read the catalogs

Messages are advice: what happened, then what to do about it.
"""

from __future__ import annotations

from pgcache.errors.reasons import Reason, Refusal

__all__ = [
    "CatalogError",
    "ConfigError",
    "PgcacheError",
    "ProtocolViolation",
    "Reason",
    "Refusal",
    "StartError",
]


class PgcacheError(Exception):
    """Base of all errors that pgcache raises on purpose."""

    sqlstate = "XX000"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(PgcacheError):
    """Bad configuration or usage; the command exits with code 2."""

    sqlstate = "F0000"


class StartError(PgcacheError):
    """A part cannot start (port taken, origin out of reach); the command exits with code 1."""

    sqlstate = "08001"


class ProtocolViolation(PgcacheError):
    """A peer sent bytes that the protocol does not allow."""

    sqlstate = "08P01"


class CatalogError(PgcacheError):
    """The service role cannot read what pgcache needs from the system catalogs."""

    sqlstate = "42501"
