"""Tokens of a long text without the bulk of its constants: what a loader's INSERT consists of.

A list of more than 100 constants says no more of what a statement reads, calls or writes than its
first ones do: no call has more arguments (FUNC_MAX_ARGS), and names, operators and clauses are no
constants; parameters and DEFAULT are, here. Reading a megabyte of them token by token would take
seconds.

The key's text cannot be made from such tokens: whoever leaves some out takes the text as it is.

Counterpart: ``lexer``, which alone knows where a token begins. Must not know: what statements mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pgcache.sql.lexer import Token, tokenize, tokenize_part
from pgcache.sql.magic import mentions_now

__all__ = ["LONG", "tokenize_long"]

LONG: Final = 16 * 1024  # characters; shorter texts are read whole

_MANY = 101  # one more than a call may have
_BLANKS = r"[ \t\n\r\f]*+"
_STRING = r"'[^'\\]*+(?:''[^'\\]*+)*+'"  # the same whatever standard_conforming_strings is
_UNSIGNED = rf"(?:[0-9]++(?:\.[0-9]++)?|{_STRING}|\$[0-9]++|(?i:null|true|false|default)){_BLANKS}"
_NEXT = r"(?=[,)])"  # nothing is part of a larger expression


def _list_of(constant: str) -> tuple[str, str]:
    """Expressions of one element, and of one row of elements, each behind its comma."""
    element = rf"{_BLANKS}{constant}{_NEXT}"
    row = rf"{_BLANKS}\({_BLANKS}{constant}(?:,{_BLANKS}{constant})*+\){_BLANKS}{_NEXT}"
    return element, row


_ELEMENT, _ROW = _list_of(rf"(?:-{_BLANKS})?+{_UNSIGNED}")
# No longer than that at a time: nothing else runs while an expression is being matched.
_MORE = f"{{{_MANY - 1},5000}}+"
# An expression that begins with a character is looked for fastest.
_RUN = re.compile(f",(?:{_ROW}(?:,{_ROW}){_MORE}|({_ELEMENT}(?:,{_ELEMENT}){_MORE}))")
_ITEM = re.compile(f",(?:{_ROW}|{_ELEMENT})")
_WITHOUT_SIGN = re.compile(f"(?:,(?:{'|'.join(_list_of(_UNSIGNED))}))*+")


def tokenize_long(
    text: str, *, standard_conforming_strings: bool = True
) -> tuple[list[Token], bool]:
    """Cut ``text`` into tokens as ``tokenize`` does; whether all of them are there.

    Left out are runs of constants in parentheses, and of rows of constants, with the commas before
    them; of a run with a minus the first item that has one stays, because operators are looked
    up. Where a run is anything but that (part of a literal or a comment; not in parentheses, as in
    ``SET search_path = 'a', 'b'``), the text is read whole.
    """

    def read(start: int, end: int) -> list[Token] | None:
        return tokenize_part(
            text, start, end, standard_conforming_strings=standard_conforming_strings
        )

    tokens: list[Token] = []
    position = depth = 0
    while (run := _RUN.search(text, position)) is not None:
        part = read(position, run.start() + 1)
        # A literal or comment around the comma has no end in this part: the comma is no token then.
        if part is None or not part or part[-1].start != run.start():
            break
        depth += sum((token.value == "(") - (token.value == ")") for token in part)
        if (run[1] is not None and depth < 1) or mentions_now(run[0]):
            break
        tokens += part[:-1]
        tokens += _signed_item(text, run, read)
        position = run.end()
    else:
        rest = read(position, len(text))
        if rest is not None:
            return tokens + rest, position == 0
    return tokenize(text, standard_conforming_strings=standard_conforming_strings), True


def _signed_item(
    text: str, run: re.Match[str], read: Callable[[int, int], list[Token] | None]
) -> list[Token]:
    """The tokens of the first item of the run that has a minus."""
    if "-" not in run[0]:
        return []
    unsigned = _WITHOUT_SIGN.match(text, run.start())
    assert unsigned is not None  # it matches the empty text
    item = _ITEM.match(text, unsigned.end())
    if item is None or unsigned.end() >= run.end():
        return []
    return read(*item.span()) or []
