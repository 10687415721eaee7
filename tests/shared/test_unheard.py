"""A proxy that is cut off writes unheard, and ends before it is back, or the store forgets it:
nobody serves what was before (T-14)."""

from __future__ import annotations

import time

import pytest

from tests.shared.asking import QUERY, await_hits_of, share_a_result, stats, values
from tests.shared.conftest import Start
from tests.support.link import Link
from tests.support.raw import eventually
from tests.support.redis import RedisServer

# Seconds in which what must not happen would: several beats.
OBSERVED = 0.8


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


@pytest.mark.slow
def test_T14_who_is_cut_off_while_the_store_loses_its_state(
    start: Start, shared_redis: RedisServer, newest_database: str
) -> None:
    """The others know of him, and wait for him in the new state as well."""
    with Link(shared_redis.address) as link:
        cut_off, other = start(f"redis://{link.host}:{link.port}/0"), start(shared_redis.url())
        one, two = (proxy.connect("app", newest_database) for proxy in (cut_off, other))
        share_a_result(one, two)
        link.stall()
        shared_redis.flush()
        eventually(lambda: stats(other)["shared_losses"] != "0")
        eventually(lambda: _is_over(shared_redis))
        end = time.monotonic() + OBSERVED
        while time.monotonic() < end:  # it would be stored and served by now
            assert values(two, QUERY) == ["x1"]
        one.execute("update t set v = 'x2'")
        assert values(two, QUERY) == ["x2"]
        link.heal()
        await_hits_of(two, QUERY, 2)
        await_hits_of(one, QUERY, 2)
        for connection in (one, two):
            connection.close()


def _is_over(server: RedisServer) -> bool:
    """Whether the new state is used, as far as it is its being new that matters."""
    with server.client() as client:
        seconds, _ = client.time()
        states = [str(key) for key in client.scan_iter("*:state")]
        found = [client.hget(state, "q") for state in states]
    return bool(found) and all(until and float(str(until)) < seconds * 1000 for until in found)
