"""Whether a name that a text has been read to hold is the one that the origin reads in it.

PostgreSQL cuts names to 63 bytes, and folds the case of letters beyond ASCII where each is one
byte, in the database's own encoding (``truncate_identifier``, ``downcase_identifier``). What was
read here was cut in UTF-8 and folded in ASCII, which is the same in a UTF-8 database only.
Counterpart: ``sql/literals.py`` reads names. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["UTF8", "Spelling"]

UTF8: Final = "UTF8"
_UNKNOWN: Final = "SQL_ASCII"  # bytes without a meaning: nobody can say which letter they are
_MULTIBYTE: Final = "EUC_"  # no letter beyond ASCII is folded there
_SURE: Final = 42  # bytes of UTF-8 that are at most 63 in any other encoding: no letter grows more


class Spelling:
    """Names in a database of one encoding, in PostgreSQL's spelling of it."""

    __slots__ = ("_encoding",)

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding

    def is_certain(self, name: str) -> bool:
        """Whether ``name`` is for certain what the origin reads as well."""
        if name.isascii() or self._encoding == UTF8:
            return True
        if self._encoding == _UNKNOWN or len(name.encode("utf-8", "surrogatepass")) > _SURE:
            return False
        return self._encoding.startswith(_MULTIBYTE) or name == name.lower()

    def are_certain(self, names: Iterable[str | None]) -> bool:
        """The same of all those that are not None."""
        return all(name is None or self.is_certain(name) for name in names)
