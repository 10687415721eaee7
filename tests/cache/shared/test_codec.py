"""Entries as bytes: what goes in comes out, and nothing else is ever taken for an entry."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcache.cache.entry import Entry
from pgcache.cache.shared.codec import HEAD, TIMES, TOKEN, Arrival, BadValue, Codec, end_of
from pgcache.cache.shared.compress import Method, Packing, Tally
from pgcache.cache.shared.link import StoreCounts

NAME = b"pgcache:1:{x}:e:00"
VECTOR = bytes(range(TOKEN)) * 3


def entry(**changes: object) -> Entry:
    known: dict[str, object] = {
        "row_description": b"T\0\0\0\x06\0\0",
        "rows": b"D\0\0\0\x06\0\0" * 5,
        "row_count": 5,
        "tags": (1, "name"),
        "vector": (1, 2, 3),
        "stored_at": 10.0,
        "expires_at": 20.0,
        "cost_ms": 12.5,
        "note": "select 'ä'",
    }
    return Entry(b"the key", **(known | changes))  # type: ignore[arg-type]


def arrival(key: bytes = b"the key", *, shared: bytes = VECTOR) -> Arrival:
    return Arrival(key, (1, "name"), (1, 2, 3), shared, 10.0, 20.0, 5.0)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("secret", [b"", b"0123456789abcdef"])
@pytest.mark.parametrize("described", [b"T\0\0\0\x06\0\0", b"", None])
def test_round_trip(method: Method, secret: bytes, described: bytes | None) -> None:
    codec = Codec(method, 10, secret)
    one = entry(row_description=described, complete=described is None)
    value = codec.encode(NAME, one, VECTOR)
    found = codec.decode(NAME, value, arrival())
    assert (found.row_description, found.rows, found.row_count) == (described, one.rows, 5)
    assert (found.complete, found.cost_ms, found.note) == (one.complete, 12.5, one.note)
    assert (found.key, found.tags, found.vector) == (one.key, one.tags, one.vector)
    assert (found.shared, found.stored_at, found.expires_at) == (VECTOR, 10.0, 20.0)
    assert found.stale_until == 25.0


def test_the_times_are_the_scripts_and_not_checked() -> None:
    codec = Codec()
    before, after = codec.around_times(codec.encode(NAME, entry(), VECTOR))
    assert len(before) == TIMES.start
    value = before + b"17640980001231764098001123" + after
    assert codec.decode(NAME, value, arrival()).row_count == 5


def test_only_large_values_are_compressed() -> None:
    large = entry(rows=b"D\0\0\0\x06\0\0" * 1000, row_count=1000)
    value = Codec(Method.ZSTD, 1000).encode(NAME, large, VECTOR)
    assert len(value) < 1000
    assert len(Codec(Method.ZSTD, 100_000).encode(NAME, large, VECTOR)) > 7000


def test_what_compression_saves_and_costs_is_counted_by_method() -> None:
    counts, tally, back = StoreCounts(), Tally(), Tally()
    large = entry(rows=b"D\0\0\0\x06\0\0" * 1000, row_count=1000)
    value = Codec(Method.GZIP, 1000).encode(NAME, large, VECTOR, tally)
    Codec().decode(NAME, value, arrival(), back)
    assert (back.packing, back.plain, back.packed) == (Packing.GZIP, tally.plain, tally.packed)
    assert tally.plain > 7000 > len(value) > tally.packed > 0
    for _ in range(2):
        counts.add_compressed(tally)
        counts.add_expanded(back)
    assert counts.compress_input_bytes[Packing.GZIP] == 2 * tally.plain
    assert counts.compress_output_bytes[Packing.GZIP] == 2 * tally.packed
    assert counts.compress_seconds[Packing.GZIP] == 2 * tally.seconds > 0
    assert counts.expand_seconds[Packing.GZIP] == 2 * back.seconds > 0
    assert counts.compress_input_bytes[Packing.ZSTD] == 0
    assert {method.name for method in Method} == {packing.name for packing in Packing}


@pytest.mark.parametrize("secret", [b"", b"0123456789abcdef"])
@given(data=st.data())
@settings(max_examples=200)
def test_any_flipped_bit_is_found(secret: bytes, data: st.DataObject) -> None:
    codec = Codec(Method.ZSTD, 10, secret)
    value = bytearray(codec.encode(NAME, entry(), VECTOR))
    places = [at for at in range(len(value)) if not TIMES.start <= at < TIMES.stop]
    at = data.draw(st.sampled_from(places))
    value[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadValue):
        codec.decode(NAME, bytes(value), arrival())


@given(value=st.binary(max_size=300), cut=st.integers(0, 150))
def test_any_other_bytes_are_refused(value: bytes, cut: int) -> None:
    whole = Codec().encode(NAME, entry(), VECTOR)
    for odd in (value, whole[:cut], whole[:HEAD] + value):
        with pytest.raises(BadValue):
            Codec().decode(NAME, odd, arrival())


def test_another_questions_value_is_refused() -> None:
    codec = Codec()
    value = codec.encode(NAME, entry(), VECTOR)
    with pytest.raises(BadValue, match="another question"):
        codec.decode(NAME, value, arrival(b"another key"))
    with pytest.raises(BadValue, match="another vector"):
        codec.decode(NAME, value, arrival(shared=VECTOR[:TOKEN]))
    with pytest.raises(BadValue, match="damaged or forged"):
        codec.decode(NAME + b"1", value, arrival())


def test_the_secret_has_to_be_the_same() -> None:
    value = Codec(secret=b"0123456789abcdef").encode(NAME, entry(), VECTOR)
    with pytest.raises(BadValue, match="damaged or forged"):
        Codec(secret=b"0123456789abcdeg").decode(NAME, value, arrival())
    with pytest.raises(BadValue, match="without the secret"):
        Codec().decode(NAME, value, arrival())


@given(
    sent=st.floats(1.0, 1e7),
    age=st.integers(0, 10**7),
    lifetime=st.integers(1, 10**8),
    off=st.sampled_from([-1, 0, 1]),
)
def test_what_was_stored_with_a_lifetime_fits_it(
    sent: float, age: int, lifetime: int, off: int
) -> None:
    """All in ms of Redis' clock, to the last bit of this process's."""
    left = (lifetime + off - age) / 1000
    stored_at, allowed = sent - age / 1000, lifetime / 1000
    end = end_of(stored_at, sent + left, allowed)
    assert end <= stored_at + allowed
    assert abs(end - (sent + left)) < 0.0021


def test_what_may_live_longer_than_the_question_allows_still_does() -> None:
    assert end_of(10.0, 20.0, 5.0) == 20.0
    assert end_of(10.0, 20.0, 30.0) == 20.0
