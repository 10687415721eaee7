"""What is looked at before a shared store is used."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from pgcache.cache.shared.contract import StoreLost
from pgcache.errors import StartError
from pgcache.invalidation.orders import Order, pack_order
from pgcache.policy.key import build_key
from pgcache.sharing import read_order, refuse_old_store


class Store:
    """A server of some version, or none."""

    def __init__(self, *version: int) -> None:
        self._version = version

    async def version(self) -> tuple[int, ...]:
        """What it says."""
        if not self._version:
            raise StoreLost("nobody there")
        return self._version


async def test_a_store_that_is_too_old_is_refused() -> None:
    with pytest.raises(StartError, match=r"is Redis 6\.2\.14, and 7 or later is needed"):
        await refuse_old_store(Store(6, 2, 14))
    await refuse_old_store(Store(7, 0, 0))
    await refuse_old_store(Store(8, 2, 3))


def test_an_order_of_another_proxy_means_what_it_meant_there() -> None:
    key, other = (build_key(b"db", b"", text) for text in (b"select 1", b"select 2"))
    fits = read_order(pack_order(Order(patterns=("%1",))))
    assert (fits(key), fits(other)) == (True, False)


@pytest.mark.parametrize("packed", [b"", b"[]", b"{", b'{"queries":["XYZ"]}', b"\xff"])
def test_an_order_that_is_not_understood_means_everything(packed: bytes) -> None:
    with capture_logs() as logs:
        assert read_order(packed)(b"anything")
    assert len(logs) == 1


async def test_a_store_that_is_not_there_may_come() -> None:
    with capture_logs() as logs:
        await refuse_old_store(Store())
    assert [line["why"] for line in logs] == ["nobody there"]
