"""What literals and identifiers stand for: the values behind the tokens.

Counterpart: ``scan.l`` and ``parser.c`` of PostgreSQL, which decode quotes and escapes (sections
4.1.1 and 4.1.2 of its documentation). Must not know: statements.
"""

from __future__ import annotations

import re

from pgcache.sql.lexer import ESCAPED_BODY, NEXT_LINE, PLAIN_BODY, Token, TokenKind

__all__ = ["MAX_NAME_BYTES", "cut_name", "identifier", "is_certain_name", "string_value"]

MAX_NAME_BYTES = 63  # NAMEDATALEN - 1; PostgreSQL cuts longer names with a notice

_PLAIN_PIECE = re.compile(f"'({PLAIN_BODY})'(?:{NEXT_LINE}(?='))?")
_ESCAPED_PIECE = re.compile(f"'({ESCAPED_BODY})'(?:{NEXT_LINE}(?='))?", re.DOTALL)
_ESCAPE = re.compile(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))|''", re.DOTALL
)
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def cut_name(name: str) -> str:
    """Cut a name to 63 bytes, at a character's edge, as PostgreSQL does in a UTF-8 database."""
    if len(name) * 4 <= MAX_NAME_BYTES or (len(name) <= MAX_NAME_BYTES and name.isascii()):
        return name
    raw = name.encode("utf-8", "surrogatepass")
    if len(raw) <= MAX_NAME_BYTES:
        return name
    end = MAX_NAME_BYTES
    while raw[end] & 0xC0 == 0x80:  # inside a character
        end -= 1
    return raw[:end].decode("utf-8", "surrogatepass")


def is_certain_name(name: str) -> bool:
    """Tell whether a name is the same in any server encoding, as ``identifier`` gives it.

    Names are cut by the bytes of the server's encoding, of which a character may need up to twice
    those of UTF-8; read byte for byte it has twice as many here. In encodings of single bytes
    PostgreSQL folds more letters than those of ASCII.
    """
    if name.isascii():
        return True
    return name == name.lower() and len(name.encode("utf-8", "surrogatepass")) * 2 <= MAX_NAME_BYTES


def identifier(token: Token, escape: str = "\\") -> str | None:
    """Return the name a token stands for; None when it is not an identifier.

    ``escape`` is the character after UESCAPE, for U&"…" only.
    """
    if token.kind is TokenKind.WORD:
        return cut_name(token.value)
    if token.kind is TokenKind.QUOTED:
        return cut_name(token.value[1:-1].replace('""', '"'))
    if token.kind is TokenKind.UNICODE_QUOTED:
        return cut_name(_unicode_value(token.value[3:-1].replace('""', '"'), escape))
    return None


def string_value(token: Token, escape: str = "\\") -> str | None:
    """Return the text a string literal stands for; None for every other token.

    A byte written as an escape above ASCII becomes a lone surrogate: it depends on the server's
    encoding which character it belongs to, and no other literal has that value.
    """
    kind, value = token.kind, token.value
    if kind is TokenKind.DOLLAR:
        tag = value.index("$", 1) + 1
        return value[tag:-tag]
    if kind is TokenKind.ESCAPE:
        return _ESCAPE.sub(_unescape, _joined(value, _ESCAPED_PIECE))
    if kind in (TokenKind.STRING, TokenKind.NATIONAL):
        return _joined(value, _PLAIN_PIECE).replace("''", "'")
    if kind is TokenKind.UNICODE:
        return _unicode_value(_joined(value, _PLAIN_PIECE).replace("''", "'"), escape)
    return None


def _joined(literal: str, piece: re.Pattern[str]) -> str:
    """Join the pieces of a literal that may go on on further lines, without their quotes."""
    return "".join(piece.findall(literal, literal.index("'")))


def _unescape(match: re.Match[str]) -> str:
    octal, byte, short, long, other = match.groups()
    if octal or byte:
        code = (int(octal, 8) if octal else int(byte, 16)) & 0xFF
        return chr(code) if code < 0x80 else chr(0xDC00 + code)
    if short or long:
        return _character(short or long)
    return "'" if other is None else _CONTROL.get(other, other)


def _character(digits: str) -> str:
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"  # PostgreSQL refuses such a literal


def _unicode_value(body: str, escape: str) -> str:
    """Decode \\XXXX and \\+XXXXXX after U& (section 4.1.2.3)."""
    mark = re.escape(escape)
    pattern = rf"{mark}(?:({mark})|([0-9A-Fa-f]{{4}})|\+([0-9A-Fa-f]{{6}}))"
    return re.sub(pattern, lambda m: escape if m[1] else _character(m[2] or m[3]), body)
