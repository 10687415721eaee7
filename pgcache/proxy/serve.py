"""Playing an entry back: the bytes that the origin would have sent (semantics 1.5)."""

from __future__ import annotations

from pgcache.cache.entry import Entry
from pgcache.proxy.prepared import Portal
from pgcache.wire import codes
from pgcache.wire.messages import build_command_complete

_TAGS: dict[int, bytes] = {}


def command_complete(rows: int) -> bytes:
    """``SELECT n``, remembered for the small numbers."""
    tag = _TAGS.get(rows)
    if tag is None:
        tag = build_command_complete(f"SELECT {rows}")
        if rows < 10_000:
            _TAGS[rows] = tag
    return tag


def simple_reply(entry: Entry) -> list[bytes | memoryview]:
    """What a Query gets, without ReadyForQuery. The entry has a RowDescription and is complete."""
    assert entry.row_description is not None
    return [entry.row_description, entry.rows, command_complete(entry.row_count)]


def execute(portal: Portal, maximum: int) -> list[bytes | memoryview]:
    """What an Execute of a virtual portal gets; moves its position.

    The tag counts this Execute's rows only (W-50). A portal that gives exactly as many rows as
    were asked for is suspended even where none are left (W-51).
    """
    entry = portal.entry
    assert entry is not None
    left = entry.row_count - portal.position
    if 0 < maximum <= left:
        rows = entry.row_slice(portal.position, maximum)
        portal.position += maximum
        return [rows, codes.MSG_PORTAL_SUSPENDED]
    if portal.position == 0:
        rows = memoryview(entry.rows)
    else:
        rows = entry.row_slice(portal.position, left)
    portal.position = entry.row_count
    if portal.tag:
        return [rows, build_command_complete(portal.tag.format(left))]
    return [rows, command_complete(left)]
