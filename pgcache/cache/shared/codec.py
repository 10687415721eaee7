"""An entry as bytes: a versioned format of our own, checked whole when it is read.

    magic  4   b"pgc" and the format's version
    flags  1   1 complete, 2 described, 4 with a key (HMAC)
    method 1   how the body is compressed
    rows   4   row count
    vector 2   length of the vector in tokens
    stored 13  when its query was sent, in ms of Redis' clock: written by the script, not by us
    ends   13  when it comes of age, likewise; Redis keeps it for as long as it may be stale
    ...        the vector: 16 bytes for each token
    size   4   of the body before compression
    check  16  a CRC, with a secret a MAC, of all before it but ``stored`` and ``ends``, and of
               the body
    ...        the body: key, description, rows, note, cost

The scripts read the head and compare the vector where it lies; ``HEAD`` and the offsets are
theirs too. Anything odd is ``BadValue``: the caller counts it and takes it for a miss. Must not
know: redis.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter
from typing import Final, NamedTuple
from zlib import crc32

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Tag, Vector
from pgcache.cache.shared.compress import CannotExpand, Method, Tally, compress, expand
from pgcache.cache.shared.keys import VALUES

MAGIC: Final = b"pgc" + bytes([VALUES])
TOKEN: Final = 16  # bytes of a token
TIMES: Final = slice(12, 38)
METHOD: Final = 5  # where the method is
HEAD: Final = 38  # bytes before the vector
COMPLETE, DESCRIBED, KEYED = 1, 2, 4

_FIXED: Final = struct.Struct(">4sBBIH")
_SIZE: Final = struct.Struct(">I")
_CHECK: Final = 16
_BODY: Final = struct.Struct(">dIIII")  # cost, then lengths of key, description, rows, note
_ROUNDED: Final = 0.002  # seconds: the age and the rest of the lifetime, each to a millisecond
_NONE: Final = int(Method.NONE)
_NO_TIMES: Final = b"0" * 26


class BadValue(ValueError):
    """Bytes that are no entry of this format, or not this entry: a miss."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Writes and reads values. ``secret`` b'': a checksum; else a MAC with this key."""

    method: Method = Method.ZSTD
    min_bytes: int = 102_400
    secret: bytes = b""

    def is_large(self, entry: Entry) -> bool:
        """Whether writing it takes long enough to be done elsewhere than on the event loop."""
        return len(entry.rows) >= self.min_bytes

    def encode(self, name: bytes, entry: Entry, vector: bytes, tally: Tally | None = None) -> bytes:
        """The value of ``entry`` to be kept as ``name``, filled with ``vector``.

        ``tally`` is told what compressing took.
        """
        note = entry.note.encode("utf-8", "surrogateescape")
        described = entry.row_description or b""
        lengths = len(entry.key), len(described), len(entry.rows), len(note)
        body = b"".join(
            (_BODY.pack(entry.cost_ms, *lengths), entry.key, described, entry.rows, note)
        )
        method = self.method if len(body) >= self.min_bytes else Method.NONE
        flags = entry.complete * COMPLETE | (entry.row_description is not None) * DESCRIBED
        flags |= bool(self.secret) * KEYED
        fixed = _FIXED.pack(MAGIC, flags, method, entry.row_count, len(vector) // TOKEN)
        head = fixed + _NO_TIMES + vector + _SIZE.pack(len(body))
        started = perf_counter()
        packed = compress(method, body)
        if tally is not None:
            tally.note(method, len(body), len(packed), perf_counter() - started)
        return b"".join((head, self._check(name, head, packed), packed))

    @staticmethod
    def around_times(value: bytes) -> tuple[bytes, bytes]:
        """The value before and after its times, which the script puts in between."""
        return value[: TIMES.start], value[TIMES.stop :]

    def decode(
        self, name: bytes, value: bytes, arrival: Arrival, tally: Tally | None = None
    ) -> Entry:
        """What ``encode`` was given. Raises BadValue where anything is not as it should be."""
        vector = arrival.shared
        end = HEAD + len(vector) + _SIZE.size
        if len(value) < end + _CHECK:
            raise BadValue("too short")
        magic, flags, method, rows, tokens = _FIXED.unpack_from(value)
        if magic != MAGIC:
            raise BadValue("another format")
        if tokens * TOKEN != len(vector) or value[HEAD : HEAD + len(vector)] != vector:
            raise BadValue("another vector")
        if bool(flags & KEYED) is not bool(self.secret):
            raise BadValue("written without the secret, or with one")
        head = value[: TIMES.start] + _NO_TIMES + value[TIMES.stop : end]
        begin = end + _CHECK
        told = self._check(name, head, memoryview(value)[begin:])
        if not hmac.compare_digest(value[end:begin], told):
            raise BadValue("damaged or forged")
        (size,) = _SIZE.unpack_from(value, end - _SIZE.size)
        if method != _NONE or len(value) != begin + size:
            value, begin = _expand(method, value[begin:], size, tally), 0
        return _unpack(value, begin, arrival, flags, rows)

    def _check(self, name: bytes, head: bytes, body: bytes | memoryview) -> bytes:
        """What tells damage, or with a secret forgery too.

        A CRC finds what goes wrong by itself, in a quarter of a hash's time; against intention
        neither helps. BLAKE2's own keyed mode is a MAC (RFC 7693, section 2.9).
        """
        before = _SIZE.pack(len(name)) + name + _SIZE.pack(len(head)) + head
        if not self.secret:
            return crc32(body, crc32(before)).to_bytes(_CHECK, "big")
        maker = blake2b(before, digest_size=_CHECK, key=self.secret, person=b"pgcache-entry")
        maker.update(body)
        return maker.digest()


def read_times(value: bytes) -> tuple[int, int]:
    """When a value's query was sent and when it comes of age, in ms of Redis' clock. Raises
    BadValue."""
    try:
        return int(value[12:25]), int(value[25:38])
    except ValueError:
        raise BadValue("times that are no numbers") from None


def _expand(method: int, packed: bytes, size: int, tally: Tally | None) -> bytes:
    started = perf_counter()
    try:
        body = expand(Method(method), packed, size)
    except (CannotExpand, ValueError) as error:
        raise BadValue(str(error)) from error
    if tally is not None:
        tally.note(Method(method), size, len(packed), perf_counter() - started)
    return body


def end_of(stored_at: float, expires_at: float, lifetime: float) -> float:
    """When an entry comes of age, in monotonic seconds, for a question that allows ``lifetime``.

    Times that are told in milliseconds and moved by clocks are not the same to the last bit: one
    that was stored with this very lifetime shall not seem to be a little older than it allows.
    """
    end = stored_at + lifetime
    return end if end < expires_at <= end + _ROUNDED else expires_at


class Arrival(NamedTuple):
    """What is known of an entry beside its value. ``shared``: the store's tokens that it has to be
    filled with; times are monotonic seconds, ``grace`` is in seconds."""

    key: bytes
    tags: tuple[Tag, ...]
    vector: Vector
    shared: bytes
    stored_at: float
    expires_at: float
    grace: float


def _unpack(value: bytes, at: int, arrival: Arrival, flags: int, rows: int) -> Entry:
    """The entry whose body begins in ``value`` at ``at`` and is its rest."""
    after = at + _BODY.size
    if len(value) < after:
        raise BadValue("too short")
    cost, of_key, described, content, note = _BODY.unpack_from(value, at)
    begin = after + of_key
    middle = begin + described
    end = middle + content
    if end + note != len(value):
        raise BadValue("lengths do not fit")
    key, tags, vector, shared, stored_at, expires_at, grace = arrival
    if value[after:begin] != key:
        raise BadValue("another question's")
    entry = Entry(
        key,
        row_description=value[begin:middle] if flags & DESCRIBED else None,
        rows=value[middle:end],
        row_count=rows,
        complete=bool(flags & COMPLETE),
        tags=tags,
        vector=vector,
        stored_at=stored_at,
        expires_at=expires_at,
        grace=grace,
        cost_ms=cost,
        note=value[end:].decode("utf-8", "surrogateescape"),
    )
    entry.shared = shared
    return entry
