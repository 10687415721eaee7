"""What is to be invalidated, and how people and programs write it.

Counterpart: ``bus`` carries orders out; the console, HTTP, NOTIFY and streams give them. Must not
know: generations, where an order comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pgcache.errors import PgcacheError
from pgcache.sql.like import build_like
from pgcache.sql.model import Name

_MOST: Final = 1_000  # names in one order
_LONGEST: Final = 2_000  # characters of one name or pattern
_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_HEX: Final = re.compile(r"[0-9a-f]{4,32}")

_LISTS: Final = {"tables": "tables", "tags": "tags", "matching": "patterns", "queries": "keys"}
KNOWN: Final = (*_LISTS, "all", "database")


class OrderError(PgcacheError):
    """An order that cannot be carried out; the hint says how to write it."""

    sqlstate = "42601"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be invalidated: all of it, in ``database`` ('' for every database in use).

    ``tables``: as PostgreSQL shows names, in ``public`` where they have no schema. ``tags``: names
    the operator made up. ``patterns``: LIKE patterns over normalised query texts. ``keys``: digests
    of entries' keys in hex, or how they begin. Raises OrderError for what cannot be one of these.
    """

    tables: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    everything: bool = False
    database: str = ""

    def __post_init__(self) -> None:
        for table in self.tables:
            parse_table(table)
        for pattern in self.patterns:
            try:
                build_like(pattern)
            except ValueError as error:
                raise OrderError(str(error), hint=r"Write \\ for a backslash.") from None
        for key in self.keys:
            if not _HEX.fullmatch(key):
                raise OrderError(
                    f'"{key}" is no key of an entry',
                    hint="SHOW ENTRIES shows them, 16 digits each.",
                )

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.tables or self.tags or self.patterns or self.keys or self.everything)


def parse_table(text: str) -> Name:
    """A table's name as SQL would read it: ``orders``, ``public.orders``, ``"My Schema".t``.

    Raises OrderError.
    """
    parts: list[str] = []
    position = 0
    while (found := _PART.match(text, position)) is not None:
        quoted, plain = found.groups()
        parts.append(plain.strip().lower() if quoted is None else quoted.replace('""', '"'))
        position = found.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    if position != len(text) or not 1 <= len(parts) <= 3 or not all(parts) or text[-1:] == ".":
        raise OrderError(f'"{text}" is no table\'s name', hint="Write it as schema.table.")
    return Name(parts[-1], schema=parts[-2] if len(parts) > 1 else None)


def read_order(given: Mapping[str, Any], *, database: str = "") -> Order:
    """The order in a JSON object; keys that are none of ``KNOWN`` are passed over.

    ``database`` is the only one meant, where it is given. Raises OrderError.
    """
    lists = {field: _names(given, key) for key, field in _LISTS.items()}
    everything = given.get("all", False)
    if not isinstance(everything, bool):
        raise OrderError('"all" must be true or false')
    where = given.get("database", "")
    if not isinstance(where, str) or len(where) > _LONGEST:
        raise OrderError('"database" must be a name')
    return Order(**lists, everything=everything, database=database or where)


def pack_order(order: Order) -> bytes:
    """What ``order`` says of single entries, for others: the same for what means the same."""
    told = {"matching": sorted(order.patterns), "queries": sorted(order.keys)}
    return json.dumps(told, separators=(",", ":")).encode()


def unpack_order(packed: bytes) -> Order:
    """The order that another proxy packed. Raises OrderError, or ValueError for what is none."""
    return read_order(json.loads(packed))


def _names(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = given.get(key, ())
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise OrderError(f'"{key}" must be a list of texts', hint=f'Write "{key}": ["…"].')
    if len(names) > _MOST or any(not 0 < len(name) <= _LONGEST for name in names):
        raise OrderError(
            f'"{key}" is too long', hint=f"At most {_MOST} texts of {_LONGEST} characters."
        )
    return tuple(dict.fromkeys(names))
