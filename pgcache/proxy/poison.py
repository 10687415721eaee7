"""Marking rows, so that a test suite can prove that it exercises hits.

Only switched on by the environment variable that tests set; never part of the configuration.
"""

from __future__ import annotations

from struct import unpack_from

VARIABLE = "PGCACHE_TEST_POISON"
MARK = ord("#")


def poisoned(rows: bytes) -> bytes:
    """``rows`` with the first byte of the first column that has one replaced by ``#``."""
    out = bytearray(rows)
    start = 0
    while start < len(out):
        (length, columns) = unpack_from("!IH", out, start + 1)
        pos = start + 7
        for _ in range(columns):
            (size,) = unpack_from("!i", out, pos)
            pos += 4
            if size > 0:
                out[pos] = MARK
                break
            pos += max(size, 0)
        start += 1 + length
    return bytes(out)
