"""What no table can check alone: options of different tables that do not go together.

Counterpart: ``model`` checks each table. Knows nothing of where values came from.
"""

from __future__ import annotations

from pgcache.config.model import Config
from pgcache.errors import ConfigError


def check_together(config: Config) -> None:
    """Raises ConfigError with advice."""
    workers, store = config.listen.workers, config.store
    if workers > 1 and not store.is_shared:
        raise ConfigError(
            f"{workers} workers need a store that all of them share, and {store.shown} is each "
            "process's own: a write through one would leave stale results in the others",
            hint="give --store redis://HOST:PORT, or run one worker",
        )
