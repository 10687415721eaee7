"""A proxy that is cut off writes unheard, and ends before it is back: nobody serves what was before
(T-14)."""

from __future__ import annotations

import pytest

from tests.shared.asking import QUERY, await_hits_of, share_a_result, stats, values
from tests.shared.conftest import Start
from tests.support.link import Link
from tests.support.raw import eventually
from tests.support.redis import RedisServer


@pytest.mark.slow
def test_T14_who_wrote_unheard_and_died(
    start: Start, shared_redis: RedisServer, newest_database: str
) -> None:
    with Link(shared_redis.address) as link:
        cut_off, other = start(f"redis://{link.host}:{link.port}/0"), start(shared_redis.url())
        one, two = (proxy.connect("app", newest_database) for proxy in (cut_off, other))
        share_a_result(one, two)
        link.stall()
        eventually(lambda: stats(cut_off)["store_state"] == "degraded")
        one.execute("update t set v = 'x2'")
        assert values(two, QUERY) == ["x2"]
        cut_off.process.kill()
        cut_off.process.wait()
        await_hits_of(two, QUERY, 2)
        two.close()
        one.close()
