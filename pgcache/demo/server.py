"""The demo's PostgreSQL, in front of which the demo puts pgcache."""

from __future__ import annotations

from pathlib import Path

from pgcache.demo.postgres import Postgres

_SETTINGS = {"log_min_messages": "warning"}


class EmbeddedPostgres(Postgres):
    """A running server; use it in a ``with`` block, which stops it and removes its files."""

    called = "the demo's PostgreSQL"

    def __init__(self) -> None:
        super().__init__("pgcache-demo-", _SETTINGS)

    def url(self, user: str, password: str, database: str) -> str:
        """A connection URL past any proxy."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    @property
    def psql(self) -> Path:
        """PostgreSQL's terminal, of the same version."""
        return self.bin / "psql"
