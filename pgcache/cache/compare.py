"""How alike two results of one query are. Counterpart: ``proxy/checking``. Must not know: SQL.

Two executions over the same data may differ by chance: rows that no ORDER BY tells apart come in
any order, and a sum of floating-point numbers depends on the order in which they were added.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum
from hashlib import blake2b
from typing import Final

from pgcache.cache.entry import Entry
from pgcache.wire.messages import parse_data_row

# float4 and float8 by OID: how much of a number may be the order's, and its binary layout.
_FLOATS: Final = {700: (1e-5, "!f"), 701: (1e-9, "!d")}
_NEARLY_ZERO: Final = 1e-12

Floats = Mapping[int, tuple[float, str, bool]]  # by column: tolerance, layout, whether binary
# A row's columns, None for NULL and for floats; and those floats, NULL as None.
Row = tuple[tuple[bytes | None, ...], tuple[float | None, ...]]


class Likeness(Enum):
    """What two results have in common."""

    SAME = "same"
    REORDERED = "reordered"  # the same rows in another order, where an order was asked for
    DIFFERENT = "different"


def liken(one: Entry, other: Entry, *, ordered: bool) -> Likeness:
    """Compare two results; ``ordered``: the query asks for an order, which may leave ties.

    A description counts where both have one; without any, floats are compared like all else.
    """
    descriptions = {one.row_description, other.row_description} - {None}
    if len(descriptions) > 1 or one.row_count != other.row_count:
        return Likeness.DIFFERENT
    if one.rows == other.rows:
        return Likeness.SAME
    (description,) = descriptions or {None}
    floats = {} if description is None else _float_columns(description)
    if floats:
        return _liken_floats(one, other, floats, ordered=ordered)
    if Counter(split_rows(one.rows)) != Counter(split_rows(other.rows)):
        return Likeness.DIFFERENT
    return Likeness.REORDERED if ordered else Likeness.SAME


def _liken_floats(one: Entry, other: Entry, floats: Floats, *, ordered: bool) -> Likeness:
    try:
        rows = [_read(row, floats) for row in split_rows(one.rows)]
        others = [_read(row, floats) for row in split_rows(other.rows)]
    except (ValueError, struct.error):
        return Likeness.DIFFERENT  # no floats after all
    tolerances = [tolerance for tolerance, _, _ in floats.values()]
    if _are_close(rows, others, tolerances):
        return Likeness.SAME
    if not _are_close(sorted(rows, key=_rank), sorted(others, key=_rank), tolerances):
        return Likeness.DIFFERENT
    return Likeness.REORDERED if ordered else Likeness.SAME


def _float_columns(description: bytes) -> Floats:
    """The floats among the columns of a RowDescription."""
    found: dict[int, tuple[float, str, bool]] = {}
    position = 7
    for column in range(int.from_bytes(description[5:7], "big")):
        end = description.index(0, position) + 19
        layout = _FLOATS.get(int.from_bytes(description[end - 12 : end - 8], "big"))
        if layout is not None:
            found[column] = (*layout, description[end - 1] == 1)
        position = end
    return found


def _read(row: bytes, floats: Floats) -> Row:
    """Raises ValueError or struct.error for what is no float."""
    columns = parse_data_row(row)
    numbers: list[float | None] = []
    for column, (_, layout, is_binary) in floats.items():
        raw, columns[column] = columns[column], None
        if raw is None:
            numbers.append(None)
        else:
            numbers.append(struct.unpack(layout, raw)[0] if is_binary else float(raw))
    return tuple(columns), tuple(numbers)


def _are_close(rows: list[Row], others: list[Row], tolerances: list[float]) -> bool:
    return all(
        exact == other_exact and all(map(_is_close, numbers, other_numbers, tolerances))
        for (exact, numbers), (other_exact, other_numbers) in zip(rows, others, strict=True)
    )


def _is_close(one: float | None, other: float | None, tolerance: float) -> bool:
    if one is None or other is None:
        return one is other
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=tolerance, abs_tol=_NEARLY_ZERO)


def _rank(row: Row) -> tuple[list[tuple[bool, bytes]], list[tuple[bool, bool, float]]]:
    """An order for rows in which NULL and NaN have their places."""
    exact, numbers = row
    return (
        [(value is None, value or b"") for value in exact],
        [
            (n is None, n is not None and math.isnan(n), 0.0 if n is None or math.isnan(n) else n)
            for n in numbers
        ],
    )


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
