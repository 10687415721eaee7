from __future__ import annotations

from pgcache.config import Config, load_config
from pgcache.errors import ConfigError
from pgcache.workers.current import Current


def _config(**options: str) -> Config:
    environ = {f"PGCACHE_{name.upper()}": value for name, value in options.items()}
    return load_config(flags={"upstream": "postgresql://a@b"}, environ=environ)


def test_what_may_change_reaches_later_workers() -> None:
    current = Current(_config(), lambda: _config(cache__ttl="7s", listen__backlog="5"))
    current.renew()
    assert current.config.cache.ttl == 7.0
    assert current.config.listen.backlog == _config().listen.backlog


def test_what_cannot_be_read_changes_nothing() -> None:
    def fail() -> Config:
        raise ConfigError("no such file")

    current = Current(_config(cache__ttl="7s"), fail)
    current.renew()
    assert current.config.cache.ttl == 7.0
