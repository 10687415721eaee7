"""Fetching entries whose key is known: what is given, and all that is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.shared.codec import Codec
from pgcache.cache.shared.compress import Method
from pgcache.cache.shared.contract import StoreChanged, StoreLost
from pgcache.cache.shared.deadlines import Deadlines
from pgcache.cache.shared.fetching import fetch
from pgcache.cache.shared.keys import digest
from tests.cache.conftest import MakeEntry
from tests.cache.shared.witness import MOVED, NOW, Witness, token

VECTOR = token("*") + token("$") + token("1")
LIFETIME = 60.0  # seconds


def keep(
    witness: Witness,
    entry: Entry,
    *,
    vector: bytes = VECTOR,
    age: int = 1_000,
    left: int = 5_000,
    kept: int = 9_000,
    codec: Codec | None = None,
) -> bytes:
    """Have the store keep an entry, with times in ms; returns its name."""
    assert witness.keys is not None
    name = witness.keys.entry(digest(entry.key))
    before, after = Codec.around_times((codec or Codec()).encode(name, entry, vector))
    times = b"%013d%013d" % (NOW - age, NOW + left)
    witness.values[name] = before + times + after, kept
    return name


async def ask(witness: Witness, entry: Entry) -> Entry | None:
    """Fetch what is wanted in the place of ``entry``."""
    answers = list[Entry | None]()
    fetch(witness, entry.key, entry.tags, LIFETIME, answers.append)
    assert answers == [], "never at once"
    for _ in range(5):
        await asyncio.sleep(0)
    (answer,) = answers
    return answer


async def test_an_entry_comes_with_its_times_as_this_process_counts_them(
    make_entry: MakeEntry,
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry)
    found = await ask(witness, entry)
    assert found is not None
    assert (found.rows, found.row_description) == (entry.rows, entry.row_description)
    assert (found.key, found.tags, found.shared) == (entry.key, (1,), VECTOR)
    assert found.is_live(witness.generations, witness.fake.now)
    times = found.stored_at, found.expires_at, found.stale_until
    assert times == (999.0, 1_005.0, 1_009.0)
    counts = witness.link.counts
    assert (counts.fetches, counts.hits, counts.bad_values) == (1, 1, 0)
    assert witness.asked == [[b"p", b"q", b"t", b"x", b"*", b"$", b"r1"]]


@pytest.mark.parametrize(("field", "value"), MOVED)
async def test_whatever_is_not_as_it_was_is_not_given(
    make_entry: MakeEntry, field: bytes, value: bytes | None
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry)
    assert await ask(witness, entry) is not None
    if value is None:
        del witness.state[field]
    else:
        witness.state[field] = value
    assert await ask(witness, entry) is None
    assert not witness.is_doubted
    assert witness.fake.refused == []


@pytest.mark.parametrize(
    ("age", "left", "kept"),
    [
        pytest.param(1_000, 0, 9_000, id="P4 it has come of age"),
        pytest.param(60_000, 5_000, 9_000, id="P4 it is older than the question allows"),
        pytest.param(1_000, 5_000, -1, id="nothing ends it"),
        pytest.param(1_000, 5_000, -2, id="it is gone"),
    ],
)
async def test_what_is_too_old_is_not_given(
    make_entry: MakeEntry, age: int, left: int, kept: int
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry, age=age, left=left, kept=kept)
    assert await ask(witness, entry) is None
    assert witness.fake.refused == []


def _other_version(value: bytes) -> bytes:
    return value[:3] + b"\x07" + value[4:]


@pytest.mark.parametrize(
    ("change", "is_odd"),
    [
        pytest.param(lambda value: value[:-1] + b"?", True, id="damaged"),
        pytest.param(lambda value: value[:12] + b"?" * 13 + value[25:], True, id="no time"),
        pytest.param(lambda value: value[: len(value) - 300], True, id="cut off"),
        pytest.param(lambda value: b"", False, id="nothing"),
        pytest.param(_other_version, False, id="another format"),
    ],
)
async def test_odd_values_are_misses_and_counted(
    make_entry: MakeEntry, change: Callable[[bytes], bytes], is_odd: bool
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,), rows=20)
    name = keep(witness, entry)
    value, kept = witness.values[name]
    witness.values[name] = change(value), kept
    assert await ask(witness, entry) is None
    assert len(witness.fake.refused) == is_odd


async def test_another_questions_value_is_none(make_entry: MakeEntry) -> None:
    """As if the digests were the same."""
    witness, entry, other = Witness(), make_entry(tags=(1,)), make_entry(b"other", tags=(1,))
    name, others = keep(witness, entry), keep(witness, other)
    witness.values[name] = witness.values[others]
    assert await ask(witness, entry) is None


async def test_what_somebody_without_the_secret_wrote_is_refused(make_entry: MakeEntry) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    witness.fake.codec = Codec(secret=b"secret")
    keep(witness, entry)
    assert await ask(witness, entry) is None
    keep(witness, entry, codec=Codec(secret=b"another"))
    assert await ask(witness, entry) is None
    assert len(witness.fake.refused) == 2
    keep(witness, entry, codec=Codec(secret=b"secret"))
    assert await ask(witness, entry) is not None


async def test_an_order_kills_what_it_means(make_entry: MakeEntry) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry)
    order = token("o") + entry.key
    witness.state[b"x"] = token("o")
    witness.orders.take(token("o"), len(order).to_bytes(4, "big") + order)
    assert await ask(witness, entry) is None
    keep(witness, entry, vector=VECTOR + token("o"))
    assert await ask(witness, entry) is not None, "it was filled after the order"


async def test_what_takes_long_to_read_is_left_to_the_slow_lane(make_entry: MakeEntry) -> None:
    witness, entry = Witness(), make_entry(tags=(1,), rows=200)
    witness.fake.codec = Codec(min_bytes=1_000)
    keep(witness, entry, codec=Codec(method=Method.NONE))
    assert await ask(witness, entry) is None
    keep(witness, entry, codec=Codec(min_bytes=1_000))
    found = await ask(witness, entry)
    assert found is not None, "compressed it is short"
    assert found.rows == entry.rows


async def test_P3_what_is_locked_here_is_not_asked_for(make_entry: MakeEntry) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry)
    lock = witness.generations.lock(frozenset((1,)))
    assert await ask(witness, entry) is None
    assert witness.asked == []
    witness.generations.unlock(lock, moved=True)
    assert await ask(witness, entry) is not None


async def test_a_store_that_may_not_be_used_or_reached_is_not_asked(
    make_entry: MakeEntry,
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry)
    witness.is_connected = False
    assert await ask(witness, entry) is None
    witness.is_connected, witness.is_usable = True, False
    assert await ask(witness, entry) is None
    witness.is_usable, witness.keys = True, None
    assert (await ask(witness, entry), witness.asked) == (None, [])


@pytest.mark.parametrize(("error", "eras"), [(StoreLost("gone"), 0), (StoreChanged("new"), 1)])
async def test_a_store_that_fails_is_doubted(
    make_entry: MakeEntry, error: StoreLost, eras: int
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    keep(witness, entry)
    witness.error = error
    assert await ask(witness, entry) is None
    assert witness.is_doubted
    assert (witness.link.era, witness.link.counts.failures) == (eras, 1)


async def test_T13_an_answer_of_a_server_that_was_given_up_meanwhile_is_none(
    make_entry: MakeEntry,
) -> None:
    witness, entry, answers = Witness(), make_entry(tags=(1,)), list[Entry | None]()
    keep(witness, entry)
    fetch(witness, entry.key, entry.tags, LIFETIME, answers.append)
    witness.link.era += 1
    for _ in range(5):
        await asyncio.sleep(0)
    assert answers == [None]


async def test_an_answer_that_does_not_come_in_time_is_not_waited_for(
    make_entry: MakeEntry,
) -> None:
    witness, entry = Witness(), make_entry(tags=(1,))
    answer: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()
    witness.is_silent = True
    witness.link.deadlines = Deadlines(0.0)
    fetch(witness, entry.key, entry.tags, LIFETIME, answer.set_result)
    assert await answer is None
    assert (witness.stopped, witness.is_doubted) == (1, True)
