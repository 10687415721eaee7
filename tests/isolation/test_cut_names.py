"""Names that the server's encoding cuts elsewhere than UTF-8 would (S-12)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import SUPERUSER, Server
from tests.support.proxy import Proxy
from tests.support.raw import RawClient, errors_of, eventually

LONG = "\u00e9" * 40  # 80 bytes of UTF-8, 40 of LATIN1


@pytest.fixture
def latin1(newest_postgres: Server) -> Iterator[str]:
    name = "latin1_names"
    newest_postgres.execute(
        f"create database {name} template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'"
    )
    newest_postgres.execute("create table t (v text)", database=name)
    yield name
    newest_postgres.execute(f"drop database {name} with (force)")


def is_hit(client: RawClient) -> bool:
    client.query("select v from t")
    return "; hit" in str(client.rows("show pgcache.last")[0][0])


def test_S12_statements_whose_names_only_the_server_tells_apart(
    newest_proxy: Proxy, latin1: str
) -> None:
    with (
        RawClient(newest_proxy.address, latin1, SUPERUSER) as writer,
        RawClient(newest_proxy.address, latin1, SUPERUSER) as reader,
    ):
        for sql in (
            "set client_encoding = 'UTF8'",
            f"prepare {LONG}_b as insert into t values ('new')",
            f"prepare {LONG}_a as select 1",
        ):
            assert errors_of(writer.query(sql)) == []
        eventually(lambda: is_hit(reader))
        assert errors_of(writer.query(f"execute {LONG}_b")) == []
        assert reader.rows("select v from t") == [("new",)]
