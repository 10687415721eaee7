"""A text without its literals: what may be shown of it, and what tells its kind from others.

Counterpart: ``normal`` makes the key's text, in which literals count. Must not know: what a
statement means.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from pgcache.sql.lexer import TokenKind, tokenize
from pgcache.sql.long import LONG, tokenize_long

__all__ = ["fingerprint", "fingerprint_of", "is_ordered", "redact"]

_LITERALS = frozenset(
    {
        TokenKind.STRING,
        TokenKind.ESCAPE,
        TokenKind.DOLLAR,
        TokenKind.BITS,
        TokenKind.NATIONAL,
        TokenKind.UNICODE,
        TokenKind.NUMBER,
        TokenKind.ERROR,
    }
)


LONGEST: Final = 32 * 1024  # characters
"""What is looked at of a text; a longer one costs no more."""


def redact(text: str) -> str:
    """The text with its literals as ``?`` and its comments gone; identifiers stay.

    Of a long text only the beginning: it is for display, and for telling kinds of queries apart.
    """
    shown: list[str] = []
    end = 0
    text = text.removeprefix("\0")  # the mark of a key that is the text as it was sent
    for token in tokenize(text[:LONGEST]):
        if token.start > end and shown:
            shown.append(" ")
        is_literal = token.kind in _LITERALS
        shown.append("?" if is_literal else text[token.start : token.end])
        end = token.end
    if len(text) > LONGEST:
        shown.append(" …")
    return "".join(shown)


def fingerprint(key_text: bytes) -> str:
    """16 hexadecimal digits for a normalised text: the same for texts that differ in literals."""
    return fingerprint_of(redact(key_text.decode("utf-8", "surrogateescape")))


def fingerprint_of(shape: str) -> str:
    """The same for what ``redact`` made of it."""
    return blake2b(shape.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def is_ordered(key_text: bytes) -> bool:
    """Whether a normalised text has an ORDER BY outside of all parentheses."""
    depth, before = 0, ""
    text = key_text.decode("utf-8", "surrogateescape")
    tokens = tokenize(text) if len(text) < LONG else tokenize_long(text)[0]
    for token in tokens:
        word = token.value
        depth += (word == "(") - (word == ")")
        if depth == 0 and token.kind is TokenKind.WORD:
            if before == "order" and word == "by":
                return True
            before = word
        else:
            before = ""
    return False
