"""Entries to put into things."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations, Tag

MakeEntry = Callable[..., Entry]


def data_row(text: bytes) -> bytes:
    """One DataRow message of one column."""
    body = (1).to_bytes(2, "big") + len(text).to_bytes(4, "big") + text
    return b"D" + (len(body) + 4).to_bytes(4, "big") + body


@pytest.fixture
def generations() -> Generations:
    return Generations()


@pytest.fixture
def make_entry(generations: Generations) -> MakeEntry:
    def make(
        key: bytes = b"key",
        *,
        rows: int = 3,
        tags: tuple[Tag, ...] = (1,),
        expires_at: float = 100.0,
        complete: bool = True,
        width: int = 5,
        grace: float = 0.0,
        stale_if_error: float = 0.0,
    ) -> Entry:
        vector = generations.capture(tags)
        assert vector is not None
        return Entry(
            key,
            row_description=b"T\x00\x00\x00\x06\x00\x00",
            rows=b"".join(data_row(b"%0*d" % (width, number)) for number in range(rows)),
            row_count=rows,
            complete=complete,
            tags=tags,
            vector=vector,
            stored_at=0.0,
            expires_at=expires_at,
            grace=grace,
            stale_if_error=stale_if_error,
            cost_ms=12.5,
        )

    return make
