"""Recognises PL/pgSQL trigger functions that change nothing but the row at hand.

``NEW.updated_at := now(); RETURN NEW;`` is the most common trigger there is; taking its body for
unknown would flush everything with each write (C-32). The recogniser knows a small list of
words, and takes any other word, any statement and any function not known to be harmless for a
trigger that may write (Z-00). Counterpart: ``writes.py``. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from pgcache.catalog.builtins import names

_TOKEN: Final = re.compile(
    r"""
    (?P<blank>\s+|--[^\n]*(?:\n|$)|/\*(?:(?!/\*|\*/).)*\*/)
  | (?P<string>'(?:[^'\\]|'')*')
  | (?P<number>\d[\d.]*)
  | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<sign>:=|::|[-+*/<>=!|%(),;.\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_ROWS: Final = frozenset({"new", "old"})
# Neither a statement that runs SQL nor a name is among them. FROM stands after DISTINCT only.
_WORDS: Final = _ROWS | names(
    """
    begin end if then else elsif elseif return null and or not is distinct true false case when
    in between like ilike coalesce nullif greatest least
    tg_op tg_name tg_when tg_level tg_table_name tg_table_schema tg_relid tg_nargs tg_argv
    current_timestamp current_date current_time localtime localtimestamp
    current_user session_user current_role user at time zone interval
    raise exception notice warning info
    """
)
# Words above that may stand before a parenthesis without being a function's name.
_BEFORE_PARENTHESIS: Final = names(
    """
    if elsif elseif then else when and or not is in case return begin coalesce nullif greatest
    least
    """
)
_TYPES: Final = names(
    """
    text varchar integer int bigint smallint numeric boolean date timestamp timestamptz time
    interval json jsonb uuid
    """
)


def changes_only_its_row(body: str, is_harmless: Callable[[str], bool]) -> bool:
    """Whether the body of a trigger function can change no relation by itself.

    ``is_harmless`` tells whether every function of a name writes nothing.
    """
    tokens = _cut(body)
    if not tokens or tokens[0] != "begin":
        return False
    return all(_is_allowed(tokens, at, is_harmless) for at in range(len(tokens)))


def _cut(body: str) -> list[str]:
    """Lower-case words and signs, ``''`` for literals; nothing where a character is unknown."""
    tokens: list[str] = []
    at = 0
    while at < len(body):
        found = _TOKEN.match(body, at)
        if found is None:
            return []
        at = found.end()
        if found.lastgroup in ("string", "number"):
            tokens.append("''")
        elif found.lastgroup != "blank":
            tokens.append(found.group().lower())
    return tokens


def _is_allowed(tokens: Sequence[str], at: int, is_harmless: Callable[[str], bool]) -> bool:
    word = tokens[at]
    before = tokens[at - 1] if at else ""
    after = tokens[at + 1] if at + 1 < len(tokens) else ""
    if not (word[0].isalpha() or word[0] == "_"):
        return True
    if before == ".":  # a column of the row; anything else qualified is not known
        return at > 1 and tokens[at - 2] in _ROWS and after not in ("(", ".")
    if before == "::":
        return word in _TYPES and after != "."
    if after == "." and word not in _ROWS:
        return False
    if word == "from":
        return before == "distinct"
    if after == "(" and word not in _BEFORE_PARENTHESIS:
        return is_harmless(word)
    return word in _WORDS
