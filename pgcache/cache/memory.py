"""The memory store: entries of all databases of this process, bounded by bytes.

Eviction is least recently used by second chance: a hit only counts on the entry itself, so that
whoever holds an entry may serve it without coming here, and the evictor passes over entries that
were hit since it last looked. Entries taken out are killed, so that those holders find out.

Counterpart: ``store.Store``. Must not know: SQL, sessions, lifetimes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.cache.store import Outcome, StoreStats
from pgcache.cache.walk import Walk


class MemoryStore:
    """Keeps at most ``max_bytes`` of entries, none larger than ``max_entry_bytes``."""

    __slots__ = (
        "_bytes",
        "_deleted",
        "_entries",
        "_evicted",
        "_expired",
        "_moved",
        "_refused_large",
        "_refused_stale",
        "_stored",
        "_unused",
        "_walks",
        "max_bytes",
        "max_entry_bytes",
    )

    def __init__(self, max_bytes: int, max_entry_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.max_entry_bytes = min(max_entry_bytes, max_bytes)
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()  # next to be evicted first
        self._walks: list[Walk] = []  # underway
        self._bytes = 0
        self._stored = self._refused_stale = self._refused_large = 0
        self._evicted = self._expired = self._moved = self._deleted = self._unused = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        """All entries, dead ones included, for display. Not to be held while the store changes."""
        return iter(dict.values(self._entries))  # in no order, which would cost eight times as much

    def get(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return the live entry of ``key``, or None; a dead one is dropped.

        The caller counts the hit (``entry.hits += 1``) when it serves.
        """
        entry = self._entries.get(key)
        if entry is None:
            return None
        if self._walks:
            entry = self._find(key)
        elif now < entry.expires_at and entry.checked_version == generations.version:
            return entry  # as a rule, and without another call
        if entry is None or entry.is_live(generations, now):
            return entry
        self._drop_if_dead(entry, generations, now)
        return None

    def peek(self, key: bytes) -> Entry | None:
        """Return the entry of ``key``, whatever has become of it; nothing changes."""
        return self._entries.get(key)

    def get_stale(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return the entry of ``key`` if it is past its lifetime, in its grace and current."""
        entry = self._find(key)
        return entry if entry is not None and entry.is_stale(generations, now) else None

    def get_kept(self, key: bytes, generations: Generations, now: float) -> Entry | None:
        """Return the entry of ``key`` if it is current, and kept for when the origin is lost."""
        entry = self._find(key)
        return entry if entry is not None and entry.is_kept(generations, now) else None

    def put(self, entry: Entry, generations: Generations, now: float) -> Outcome:
        """Store ``entry`` by compare-and-set on what it was captured on (T-11)."""
        if entry.size > self.max_entry_bytes:
            self._refused_large += 1
            return Outcome.TOO_LARGE
        if not entry.is_live(generations, now):
            self._refused_stale += 1
            return Outcome.STALE
        older = self._entries.get(entry.key)
        if older is not None and older is not entry:
            self._remove(older)
        elif older is entry:
            return Outcome.STORED
        self._entries[entry.key] = entry
        for walk in self._walks:
            walk.stored(entry.key)
        self._bytes += entry.size
        self._stored += 1
        if self._bytes > self.max_bytes:
            self._make_room()
        return Outcome.STORED

    def delete(self, key: bytes) -> bool:
        """Forget one entry; whether there was one."""
        entry = self._entries.get(key)
        if entry is None:
            return False
        self._remove(entry)
        self._deleted += 1
        return True

    def clear(self) -> int:
        """Forget all entries; how many there were."""
        count = len(self._entries)
        for entry in self._entries.values():
            entry.kill()
        self._entries.clear()
        self._bytes = 0
        self._deleted += count
        return count

    def forget_where(self, fits: Callable[[bytes], bool]) -> Walk:
        """Begin to forget the entries whose key fits: from now on none of them is given.

        ``go_on`` is to be called until it says that all is done. A holder of an entry that has
        not been come to yet does not find out by itself; a later ``get`` does.
        """
        walk = Walk(fits, self._keys())
        self._walks.append(walk)
        return walk

    def go_on(self, walk: Walk, *, step: int = 1000) -> bool:
        """Look at ``step`` entries more; whether that was the end of the walk."""
        seen = 0
        for key in walk.next_keys(step):
            seen += 1
            if walk.takes(key):
                walk.count += self.delete(key)
        if seen == step:
            return False
        self._walks.remove(walk)
        return True

    def _keys(self) -> list[bytes]:
        """All keys, in no order: an eighth of the time that the order would cost."""
        return list(dict.__iter__(self._entries))

    def _find(self, key: bytes) -> Entry | None:
        """The entry of ``key``, unless it is to be forgotten."""
        entry = self._entries.get(key)
        if entry is not None and self._walks:
            for walk in self._walks:
                if walk.takes(key):
                    walk.count += self.delete(key)
                    return None
        return entry

    def sweep(
        self, generations_of: Callable[[Entry], Generations | None], now: float, *, step: int = 1000
    ) -> Iterator[int]:
        """Drop dead entries nobody touches any more, in steps: yields after each how many.

        ``generations_of`` tells which database an entry is of; None drops it.
        """
        keys = self._keys()
        for begin in range(0, len(keys), step):
            count = 0
            for key in keys[begin : begin + step]:
                entry = self._entries.get(key)
                if entry is None:
                    continue
                generations = generations_of(entry)
                if generations is None:
                    count += self.delete(key)
                else:
                    count += self._drop_if_dead(entry, generations, now)
            yield count

    def stats(self) -> StoreStats:
        """Return the counters."""
        return StoreStats(
            entries=len(self._entries),
            bytes=self._bytes,
            max_bytes=self.max_bytes,
            stored=self._stored,
            refused_stale=self._refused_stale,
            refused_large=self._refused_large,
            evicted=self._evicted,
            expired=self._expired,
            moved=self._moved,
            deleted=self._deleted,
            evictions_unused=self._unused,
        )

    def _drop_if_dead(self, entry: Entry, generations: Generations, now: float) -> bool:
        if not entry.is_dead(generations, now):
            return False
        if now >= entry.expires_at:
            self._expired += 1
        else:
            self._moved += 1
        self._remove(entry)
        return True

    def _remove(self, entry: Entry) -> None:
        del self._entries[entry.key]
        self._bytes -= entry.size
        entry.kill()

    def _make_room(self) -> None:
        """Evict until the bytes fit; entries hit since the last look get a second chance."""
        entries = self._entries
        chances = len(entries)
        while self._bytes > self.max_bytes:
            entry = next(iter(entries.values()))
            if chances > 0 and entry.hits != entry.seen_hits:
                chances -= 1
                entry.seen_hits = entry.hits
                entries.move_to_end(entry.key)
                continue
            self._evicted += 1
            self._unused += entry.hits == 0
            self._remove(entry)
