"""The key's text: one spelling for all texts that PostgreSQL scans into the same tokens.

Counterpart: none; PostgreSQL has no such thing. Must not know: what a statement means. In
particular nothing is parsed and rendered again: labels, types and errors depend on spelling (C-01).

White space and comments between two tokens become one blank, words are folded, and everything
else stays as written (C-02, C-04). So the key's text scans into the tokens of the text it stands
for, in each version of PostgreSQL, and two texts of one key scan alike:

- a literal that goes on on the next line is one token here and keeps its line break, so the blank
  between two other literals never joins them;
- no blank is ever put between tokens that touch, nor taken away between tokens that do not;
- a vertical tab, which is white space only since PostgreSQL 17, is not a blank here.

HOT PATH: guarded by benchmarks/bench_lexer.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgcache.sql.lexer import Token, TokenKind

__all__ = ["normalise", "without_outer_semicolons"]


def normalise(text: str, tokens: Sequence[Token]) -> str:
    """Return the key's text for ``text``, whose tokens are given; "" when there is none."""
    tokens = without_outer_semicolons(tokens)
    if not tokens:
        return ""
    parts: list[str] = []
    add = parts.append
    position = tokens[0].start
    blank_only = "\v" not in text
    if "\v" in text[:position]:
        add("\v")
    for _, value, start, end in tokens:
        if start != position:
            add(" " if blank_only or "\v" not in text[position:start] else "\v")
        add(value)
        position = end
    if not blank_only and "\v" in text[position:]:
        add("\v")
    return "".join(parts)


def without_outer_semicolons(tokens: Sequence[Token]) -> Sequence[Token]:
    """Leave out empty statements before the first and after the last one."""
    first, last = 0, len(tokens)
    while first < last and _is_semicolon(tokens[first]):
        first += 1
    while last > first and _is_semicolon(tokens[last - 1]):
        last -= 1
    return tokens if last - first == len(tokens) else tokens[first:last]


def _is_semicolon(token: Token) -> bool:
    return token.kind is TokenKind.PUNCT and token.value == ";"
