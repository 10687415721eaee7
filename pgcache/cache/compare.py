"""Whether two results are the same. Counterpart: ``proxy/checking``. Must not know: SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b

from pgcache.cache.entry import Entry


def is_same(one: Entry, other: Entry, *, ordered: bool) -> bool:
    """Whether two results hold the same rows, in the same order where they are ``ordered``.

    A description counts where both have one.
    """
    descriptions = {one.row_description, other.row_description} - {None}
    if len(descriptions) > 1 or one.row_count != other.row_count:
        return False
    if one.rows == other.rows:
        return True
    return not ordered and Counter(split_rows(one.rows)) == Counter(split_rows(other.rows))


def split_rows(rows: bytes) -> Iterator[bytes]:
    """Cut consecutive DataRow messages."""
    position = 0
    while position < len(rows):
        end = position + 1 + int.from_bytes(rows[position + 1 : position + 5], "big")
        yield rows[position:end]
        position = end


def rows_digest(entry: Entry) -> str:
    """16 hexadecimal digits that stand for a result's rows, in their order."""
    return blake2b(entry.rows, digest_size=8).hexdigest()
