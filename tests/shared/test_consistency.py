"""``consistency`` of a table: some ask the store for each hit, others do not, in one proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared.asking import await_hits, stats, values
from tests.shared.conftest import Start
from tests.support.link import Link
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

BOLD, CAREFUL = "select v from bold", "select v from careful"
BOTH = "select b.v from bold b, careful c"
_ASKED = 20


def _confirmed(proxy: Proxy) -> int:
    return int(stats(proxy)["shared_confirmed"])


@pytest.mark.slow
def test_a_tables_own_consistency(
    start: Start, shared_redis: RedisServer, newest_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "pgcache.toml"
    file.write_text('[tables."public.bold"]\nconsistency = "eventual"\n')
    with Link(shared_redis.address) as link:
        one = start(shared_redis.url(), config=str(file))
        two = start(f"redis://{link.host}:{link.port}/0", config=str(file))
        with (
            one.connect("app", newest_database) as writer,
            two.connect("app", newest_database) as reader,
        ):
            for table in ("bold", "careful"):
                writer.execute(f"create table {table} (v text)")
                writer.execute(f"insert into {table} values ('x1')")
            for query in (BOLD, CAREFUL, BOTH):
                assert await_hits(reader, query) == ["#1"]
            for query, asks in ((BOLD, False), (CAREFUL, True), (BOTH, True)):
                before = _confirmed(two)
                for _ in range(_ASKED):
                    assert str(values(reader, query)[0])[1:] == "1"
                assert (_confirmed(two) > before) is asks, query
            # What the writer does is not heard here: nobody is asked for the one, and for the
            # other nobody answers.
            link.stall()
            for number in (2, 3):
                writer.execute(f"update careful set v = 'x{number}'")
                assert values(reader, CAREFUL) == [f"x{number}"]
            link.heal()
            assert await_hits(reader, CAREFUL) == ["#3"]
            assert await_hits(reader, BOLD) == ["#1"]
