"""What clients send does not stay in memory: neither long settings nor long texts."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.support.postgres import SUPERUSER, Server
from tests.support.proxy import start_proxy
from tests.support.raw import RawClient

_LONG = 1_000_000
_ROUND = 50


@pytest.mark.parametrize(
    "statement",
    ["set app.x = '{}{}'", "select v from t where v = '{}{}' and random() > 2"],
    ids=["settings", "queries"],
)
def test_long_statements_do_not_pile_up(
    newest_postgres: Server, newest_database: str, tmp_path: Path, statement: str
) -> None:
    newest_postgres.execute("create table t (v text)", database=newest_database)
    proxy = start_proxy(newest_postgres, tmp_path)
    process = psutil.Process(proxy.process.pid)
    try:
        with RawClient(proxy.address, newest_database, SUPERUSER) as client:
            grown = [_grow(client, process, statement, number) for number in range(3)]
    finally:
        proxy.stop()
    # The memories that are bounded by bytes are full after the first round or the second.
    assert grown[2] < _ROUND * _LONG / 3, grown


def _grow(client: RawClient, process: psutil.Process, statement: str, number: int) -> int:
    """Send new statements; by how many bytes the proxy has grown."""
    before = process.memory_info().rss
    for count in range(_ROUND):
        client.query(statement.format(number * _ROUND + count, "v" * _LONG))
    return int(process.memory_info().rss - before)
