"""Orders about single results: which token a key has, and that none of it comes back."""

from __future__ import annotations

import random

import pytest

from pgcache.cache.shared.orders import Fits, Orders

KEYS = [b"one", b"two", b"three", b"four"]


def read(order: bytes) -> Fits:
    """An order means the keys that contain it."""
    return lambda key: order in key


def token(number: int) -> bytes:
    return b"%016d" % number


def packed(*orders: tuple[int, bytes]) -> bytes:
    records = [token(number) + order for number, order in orders]
    return b"".join(len(record).to_bytes(4, "big") + record for record in records)


def test_a_keys_token_is_that_of_the_newest_order_that_means_it() -> None:
    orders = Orders(read)
    assert orders.token(b"one") == b""
    assert len(orders.take(token(2), packed((1, b"o"), (2, b"t")))) == 2
    found = {key: orders.token(key) for key in KEYS}
    assert found == {b"one": token(1), b"two": token(2), b"three": token(2), b"four": token(1)}
    assert found == {key: orders.token(key) for key in KEYS}, "it is remembered"
    assert orders.version == token(2)


def test_only_what_was_not_known_has_to_be_done() -> None:
    orders = Orders(read)
    orders.take(token(1), packed((1, b"o")))
    (fits,) = orders.take(token(2), packed((1, b"o"), (2, b"t")))
    assert (fits(b"two"), fits(b"one")) == (True, False)
    assert orders.take(token(2), packed((1, b"o"), (2, b"t"))) == []
    assert len(orders.take(token(3), packed((2, b"t"), (3, b"o")))) == 1, "given again"


def test_T13_no_order_gives_a_key_a_token_that_it_had_before() -> None:
    """As the script keeps the list: an order that is given again moves to its end."""
    chance = random.Random(1)
    orders, standing = Orders(read), list[tuple[int, bytes]]()
    seen: dict[bytes, set[bytes]] = {key: {b""} for key in KEYS}
    for number in range(1, 200):
        order = chance.choice([b"o", b"t", b"e", b"one", b"wo", b""])
        before = {key: orders.token(key) for key in KEYS}
        standing = [one for one in standing if one[1] != order] + [(number, order)]
        orders.take(token(number), packed(*standing))
        for key in KEYS:
            now = orders.token(key)
            if order in key:
                assert now not in seen[key]
            else:
                assert now == before[key]
            seen[key].add(now)


@pytest.mark.parametrize("damage", [packed((1, b"o"))[:-1], b"\0\0", b"\0\0\0\3abc"])
def test_a_damaged_list_means_everything(damage: bytes) -> None:
    orders = Orders(read)
    (fits,) = orders.take(token(1), damage)
    assert fits(b"anything")
    assert orders.token(b"anything") == token(1)
    assert orders.version == token(1)
