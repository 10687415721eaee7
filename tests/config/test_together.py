from __future__ import annotations

import pytest

from pgcache.config import load_config
from pgcache.errors import ConfigError

ORIGIN = {"PGCACHE_UPSTREAM": "postgresql://a@b"}


@pytest.mark.parametrize("variable", ["PGCACHE_WORKERS", "PGCACHE_LISTEN__WORKERS"])
def test_workers_need_a_store_that_they_share(variable: str) -> None:
    with pytest.raises(ConfigError, match="2 workers need a store that all of them share") as error:
        load_config(environ={**ORIGIN, variable: "2"})
    assert error.value.hint == "give --store redis://HOST:PORT, or run one worker"
    assert load_config(environ={**ORIGIN, variable: "1"}).listen.workers == 1


@pytest.mark.parametrize("given", [0, -1, 257, "many"])
def test_the_number_of_workers_is_checked(given: object) -> None:
    with pytest.raises(ConfigError, match="--workers"):
        load_config(flags={"workers": given}, environ=ORIGIN)  # type: ignore[dict-item]
