"""``pgcache serve`` with a full cache: the first entry of the table ``crowd`` becomes many.

A million misses would take longer than everything else that is measured. Here the store, when it is
given the entry of the first row, adds one for each of the others: its own key with their number in
it, its own row with their number in it, which is what PostgreSQL would have answered. All
else is the command as it is. Run as ``python -m benchmarks.crowded COUNT serve``; the case asks
for rows of all numbers and sees that they are hits and right.
"""

from __future__ import annotations

import sys
from copy import copy

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.cache.memory import MemoryStore
from pgcache.cache.store import Outcome
from pgcache.cli import main

FIRST = 1_000_001  # numbers of rows all have as many digits
TABLE = """
CREATE TABLE crowd (id integer PRIMARY KEY, name text NOT NULL);
INSERT INTO crowd SELECT n, 'Member ' || n FROM generate_series({first}, {last}) AS n;
VACUUM (ANALYZE) crowd;
GRANT SELECT ON crowd TO public;
"""
ROW = "SELECT id, name FROM crowd WHERE id = :id;\n"
PREPARED_ROW = b"SELECT id, name FROM crowd WHERE id = $1;"
"""What pgbench makes of it."""


def build_table(count: int) -> str:
    """SQL that makes the table with so many rows."""
    return TABLE.format(first=FIRST, last=FIRST + count - 1)


def clone(entry: Entry, number: int) -> Entry:
    """The entry of another row."""
    first, other = str(FIRST).encode(), str(number).encode()
    twin = copy(entry)
    twin.key = entry.key.replace(first, other)
    twin.rows = entry.rows.replace(first, other)
    return twin


def crowd(count: int) -> None:
    """Let every memory store of this process become full when it is given the first row."""
    put = MemoryStore.put

    def put_many(self: MemoryStore, entry: Entry, generations: Generations, now: float) -> Outcome:
        outcome = put(self, entry, generations, now)
        if outcome is Outcome.STORED and str(FIRST).encode() in entry.key:
            for number in range(FIRST + 1, FIRST + count):
                put(self, clone(entry, number), generations, now)
        return outcome

    MemoryStore.put = put_many  # type: ignore[method-assign]


if __name__ == "__main__":
    crowd(int(sys.argv.pop(1)))
    sys.exit(main())
