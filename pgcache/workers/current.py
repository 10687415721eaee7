"""The configuration in force, for workers that are started later: reloads reach them too.

Each worker reads the configuration again by itself when it is told to; the supervisor does the
same when one of them has.
"""

from __future__ import annotations

from pgcache.admin.log import change_level
from pgcache.config import Config
from pgcache.config.reload import merge
from pgcache.errors import ConfigError
from pgcache.workers.assignment import Load


class Current:
    """``config`` is what a worker gets that starts now, ``load`` reads it again."""

    def __init__(self, config: Config, load: Load) -> None:
        self.config = config
        self.load = load

    def renew(self) -> None:
        """Take over what may change while pgcache runs, as the workers do."""
        try:
            self.config = merge(self.config, self.load()).config or self.config
            change_level(self.config.log)
        except ConfigError:
            pass  # the workers have said so, and stay as they were
