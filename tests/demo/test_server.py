from __future__ import annotations

import psycopg
import pytest

from pgcache.demo.postgres import SUPERUSER
from tests.demo.conftest import Filled

pytestmark = pytest.mark.postgres


def test_it_runs_and_asks_for_a_password(filled: Filled) -> None:
    server = filled.server
    assert server.is_running
    assert server.version.startswith("18.")
    assert server.psql.exists()
    with psycopg.connect(server.url(SUPERUSER, server.password, "postgres")) as connection:
        assert connection.info.server_version // 10000 == 18
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(SUPERUSER, "wrong", "postgres"))
