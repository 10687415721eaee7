"""The key of a result: everything that decides which bytes PostgreSQL would answer (2.2).

A key is the full material, not a hash of it: a store compares it whole, so that no collision can
hand one question's rows to another. Every variable part carries its length, which makes the
encoding unambiguous. ``digest`` shortens a key where one is shown or sent elsewhere.

Counterpart: ``context`` gives the fingerprint, ``sql/`` the key text. Must not know: stores.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

_LENGTH: Final = struct.Struct(">I")
_TEXT: Final = b""
_BINARY: Final = b"\x01"


def build_key(
    database: bytes,
    fingerprint: bytes,
    key_text: bytes,
    *,
    parse_fingerprint: bytes = b"",
    labels: Sequence[str] = (),
    parameter_types: Sequence[int] = (),
    parameter_formats: Sequence[int] = (),
    parameters: Sequence[bytes | None] = (),
    result_formats: Sequence[int] = (),
) -> bytes:
    """Return the key of one question.

    ``database``: whatever tells it from all others of all origins. ``fingerprint``: of the
    session when it asks; ``parse_fingerprint``: of the session when it prepared the statement,
    where that was another (W-56). ``labels``: the operator's tags in a hint, on which the entry
    depends. The rest is as in Parse and Bind (W-53, W-54), and empty in the simple protocol,
    which therefore shares with a question in text formats and without parameters.
    """
    head = build_key_head(
        database,
        fingerprint,
        key_text,
        parse_fingerprint=parse_fingerprint,
        labels=labels,
        parameter_types=parameter_types,
        parameter_formats=parameter_formats,
        count=len(parameters),
        result_formats=result_formats,
    )
    if not parameters:
        return head
    return b"".join((head, *map(_value, parameters)))


def build_key_head(
    database: bytes,
    fingerprint: bytes,
    key_text: bytes,
    *,
    parse_fingerprint: bytes = b"",
    labels: Sequence[str] = (),
    parameter_types: Sequence[int] = (),
    parameter_formats: Sequence[int] = (),
    count: int = 0,
    result_formats: Sequence[int] = (),
) -> bytes:
    """Return what the keys of a statement have in common, whatever its ``count`` parameters hold.

    Their values follow as a Bind message writes them: for each a length and its bytes, NULL with
    the length -1. So whoever has such a message appends that part of it.
    """
    pack = _LENGTH.pack
    parts = [
        pack(len(database)),
        database,
        pack(len(fingerprint)),
        fingerprint,
        pack(len(key_text)),
        key_text,
    ]
    formats = canonical_formats(result_formats)
    if formats or count or parameter_types or labels or parse_fingerprint:
        own = b"" if parse_fingerprint == fingerprint else parse_fingerprint
        parts += (pack(len(own)), own, pack(len(formats)), formats)
        _add_labels(parts, labels)
        _add_parameters(parts, parameter_types, parameter_formats, count)
        if parts[6:] == _NOTHING_MORE:  # said, but nothing that matters
            del parts[6:]
    return b"".join(parts)


def read_key(key: bytes) -> tuple[bytes, bytes]:
    """``(database, key_text)`` of a key, as they were given to ``build_key``."""
    size = _LENGTH.size
    parts: list[bytes] = []
    position = 0
    for _ in range(3):
        (length,) = _LENGTH.unpack_from(key, position)
        position += size
        parts.append(key[position : position + length])
        position += length
    return parts[0], parts[2]


def digest(key: bytes) -> bytes:
    """128 bits that stand for a key."""
    return blake2b(key, digest_size=16).digest()


def canonical_formats(formats: Sequence[int]) -> bytes:
    """Write format codes so that lists of one meaning are equal (W-53).

    None, one or as many zeros as columns all mean text: b''. One 1 or as many as columns mean
    binary: b'\\x01'. A mixture is kept code by code.
    """
    if not formats or not any(formats):
        return _TEXT
    if all(code == 1 for code in formats):
        return _BINARY
    return struct.pack(f">{len(formats)}H", *formats)


def formats_fit(formats: Sequence[int], columns: int) -> bool:
    """Whether PostgreSQL would accept these format codes for so many columns or parameters.

    Where it would not, the question must be forwarded, so that the client gets its error.
    """
    if any(code not in (0, 1) for code in formats):
        return False
    return len(formats) in (0, 1, columns)


def _add_labels(parts: list[bytes], labels: Sequence[str]) -> None:
    names = sorted({label.encode("utf-8", "surrogatepass") for label in labels})
    parts.append(_LENGTH.pack(len(names)))
    for name in names:
        parts += (_LENGTH.pack(len(name)), name)


def _add_parameters(
    parts: list[bytes], types: Sequence[int], formats: Sequence[int], count: int
) -> None:
    """Add types, the format of each value, and how many values follow."""
    pack = _LENGTH.pack
    declared = len(types)
    # Zero is not declared, as if the list ended before; but a type for a parameter that the text
    # does not have, zero or not, is an error.
    while 0 < declared <= count and types[declared - 1] == 0:
        declared -= 1
    parts.append(struct.pack(f">I{declared}I", declared, *types[:declared]))
    if len(formats) == 1:
        codes: Sequence[int] = (formats[0],) * count
    else:
        codes = (*formats[:count], *(0,) * (count - len(formats)))
    canonical = canonical_formats(codes)
    parts += (pack(len(canonical)), canonical, pack(count))


def _value(value: bytes | None) -> bytes:
    """A length and bytes; NULL has a length of its own."""
    return b"\xff\xff\xff\xff" if value is None else _LENGTH.pack(len(value)) + value


_nothing: list[bytes] = [_LENGTH.pack(0), b"", _LENGTH.pack(0), b""]
_add_labels(_nothing, ())
_add_parameters(_nothing, (), (), 0)
_NOTHING_MORE: Final = _nothing
