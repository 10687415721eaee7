"""Tokens of a SQL text, exactly as PostgreSQL's own scanner cuts them (C-02).

Counterpart: PostgreSQL's ``src/backend/parser/scan.l`` of versions 14 to 18 ("Lexical Structure",
section 4.1 of its documentation). Must not know: what the tokens mean.

The text is a ``str`` in which every character from U+0080 on is a letter, as every byte from 0x80
on is to PostgreSQL. So it does not matter whether the caller decoded the bytes as UTF-8 or, byte
for byte, as Latin-1: the tokens are the same, their offsets count characters of the given text.

Where the versions differ, tokens keep what any version could tell apart: ``0x1F`` and ``1_000`` are
one number (16 and later) and stay spelled as they were; a vertical tab counts as white space (17
and later); whoever makes keys must keep it apart from a blank.

HOT PATH: guarded by benchmarks/bench_lexer.py. One compiled expression, one match per token; every
alternative either cannot backtrack or backtracks over what it just read, so that the time is linear
in the text whatever the text is.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final, NamedTuple

__all__ = [
    "ESCAPED_BODY",
    "LITERALS",
    "NAMES",
    "NEXT_LINE",
    "PLAIN_BODY",
    "Token",
    "TokenKind",
    "comment_end",
    "fold",
    "tokenize",
    "tokenize_part",
]


class TokenKind(IntEnum):
    """What the scanner saw. The numbers are the groups of the expression below."""

    WORD = 1  # unquoted identifier or keyword; value folded to lower case
    PUNCT = 2  # one of , ( ) [ ] . ; : and the pairs :: := ..
    OP = 3  # operator, also the single characters + - * / % ^ < > =
    STRING = 4  # '…', with its continuations on further lines
    NUMBER = 5
    PARAM = 6  # $1
    QUOTED = 7  # "…"
    ESCAPE = 8  # E'…', and '…' and N'…' while standard_conforming_strings is off
    DOLLAR = 9  # $tag$…$tag$
    BITS = 11  # B'…' and X'…'
    NATIONAL = 12  # N'…'
    UNICODE = 13  # U&'…'
    UNICODE_QUOTED = 14  # U&"…"
    ERROR = 15  # an unterminated literal or comment, to the end of the text
    OTHER = 17  # a character that PostgreSQL's scanner does not know


NAMES: Final = frozenset({TokenKind.WORD, TokenKind.QUOTED, TokenKind.UNICODE_QUOTED})
LITERALS: Final = frozenset(
    {
        TokenKind.STRING,
        TokenKind.ESCAPE,
        TokenKind.DOLLAR,
        TokenKind.BITS,
        TokenKind.NATIONAL,
        TokenKind.UNICODE,
    }
)


class Token(NamedTuple):
    """One token. ``value`` is the folded word, and for all other kinds the text as written."""

    kind: TokenKind
    value: str
    start: int
    end: int


_LETTER = r"[^\x00-@\[-^`{-\x7f]"  # A-Z a-z _ and all above ASCII
_LETTERS = r"[^\x00-#%-/:-@\[-^`{-\x7f]"  # the same with digits and $
_TAG_LETTERS = r"[^\x00-/:-@\[-^`{-\x7f]"  # the same with digits
_BLANKS = r"[ \t\n\r\f\v]"
_LINE_COMMENT = r"--[^\n\r]*+"
_BLOCK_COMMENT = r"/\*[^*/]*+(?:(?:\*(?!/)|/(?!\*))[^*/]*+)*\*/"  # without one inside it
_GAP = rf"(?:{_BLANKS}++|{_LINE_COMMENT}|{_BLOCK_COMMENT})*"
# A literal goes on when the next one stands on another line (section 4.1.2.1).
NEXT_LINE = rf"(?:[ \t\f\v]++|{_LINE_COMMENT})*[\n\r](?:{_BLANKS}++|{_LINE_COMMENT}[\n\r])*"


def _literal(prefix: str, body: str, *, doubled: bool = True) -> str:
    """Expression of a quoted literal with continuations; ``doubled``: '' stands for one quote."""
    end = "'(?!')" if doubled else "'"
    piece = f"'{body}{end}"
    return f"{prefix}{piece}(?:{NEXT_LINE}{piece})*(?!{NEXT_LINE}')"


PLAIN_BODY = r"[^']*+(?:''[^']*+)*"
ESCAPED_BODY = r"[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*"
_BITS = "[^']*+"
_DIGITS = r"[0-9](?:_?[0-9])*"
_NUMBER = (
    r"0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+"
    rf"|(?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?"
)
# A run of operator characters; it ends before a comment. ``_operators`` cuts it.
_OP = r"(?:(?!--|/\*)[~!@#^&|`?+\-*/%<>=])+"
_TAG = rf"\$(?:{_LETTER}{_TAG_LETTERS}*+)?\$"


def _compile(*, standard_conforming_strings: bool) -> re.Pattern[str]:
    plain = PLAIN_BODY if standard_conforming_strings else ESCAPED_BODY
    groups = (
        rf"({_LETTER}{_LETTERS}++)",  # two letters or more are never the prefix of a literal
        r"(::|:=|\.\.|\.(?![0-9])|[,()\[\];:])",
        rf"({_OP})",
        f"({_literal('', plain)})",
        f"({_NUMBER})",
        r"(\$[0-9]+)",
        r'("[^"]*+(?:""[^"]*+)*"(?!"))',
        f"({_literal('[eE]', ESCAPED_BODY)})",
        rf"(({_TAG})(?s:.*?)\10)",
        f"({_literal('[bBxX]', _BITS, doubled=False)})",
        f"({_literal('[nN]', plain)})",
        f"({_literal('[uU]&', PLAIN_BODY)})",
        r'([uU]&"[^"]*+(?:""[^"]*+)*"(?!"))',
        rf"((?:['\"]|[eEbBxXnN]'|[uU]&['\"]|{_TAG}|/\*)(?s:.*))",
        rf"({_LETTER})",
        r"((?s:.))",
        r"\Z",
    )
    return re.compile(_GAP + "(?:" + "|".join(groups) + ")", re.DOTALL)


_STANDARD = _compile(standard_conforming_strings=True)
_BACKSLASH = _compile(standard_conforming_strings=False)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_FREE_OPERATOR = re.compile(r"[~!@#^&|`?%]")
_OPERATOR, _ERROR = TokenKind.OP.value, TokenKind.ERROR.value
_WORDS = (TokenKind.WORD.value, 16)  # 16: words of one letter
_KINDS: dict[int, TokenKind] = {int(kind): kind for kind in TokenKind}
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold(word: str) -> str:
    """Fold an unquoted identifier as PostgreSQL does: the letters A to Z and no others (C-04)."""
    return word.lower() if word.isascii() else word.translate(_ASCII_LOWER)


def tokenize(text: str, *, standard_conforming_strings: bool = True) -> list[Token]:
    """Cut ``text`` into tokens; white space and comments are left out. Takes any text.

    What cannot be finished (a literal or comment without end) becomes one ERROR token up to the
    end of the text: PostgreSQL refuses such a text as a whole.
    """
    pattern = _STANDARD if standard_conforming_strings else _BACKSLASH
    tokens: list[Token] = []
    position: int | None = 0
    while position is not None:
        position = _scan(pattern, text, position, len(text), tokens)
    return tokens if standard_conforming_strings else _as_escapes(tokens)


def tokenize_part(
    text: str, start: int, end: int, *, standard_conforming_strings: bool
) -> list[Token] | None:
    """The tokens from ``start``, where one has to begin, as if the text ended at ``end``.

    None where there are nested comments.
    """
    pattern = _STANDARD if standard_conforming_strings else _BACKSLASH
    tokens: list[Token] = []
    if _scan(pattern, text, start, end, tokens) is not None:
        return None
    return tokens if standard_conforming_strings else _as_escapes(tokens)


def _as_escapes(tokens: list[Token]) -> list[Token]:
    """What plain literals are while standard_conforming_strings is off."""
    plain = (TokenKind.STRING, TokenKind.NATIONAL)
    return [t._replace(kind=TokenKind.ESCAPE) if t.kind in plain else t for t in tokens]


def _scan(
    pattern: re.Pattern[str], text: str, position: int, limit: int, tokens: list[Token]
) -> int | None:
    """Add tokens from ``position`` to ``limit``; stops behind a nested comment and says where."""
    add = tokens.append
    new = tuple.__new__  # Token() itself costs twice as much
    kinds = _KINDS
    word = TokenKind.WORD
    for match in pattern.finditer(text, position, limit):
        group = match.lastindex
        if group is None:
            break
        start, end = match.span(group)
        if group in _WORDS:
            value = match[group]
            value = value.lower() if value.isascii() else fold(value)
            add(new(Token, (word, value, start, end)))
        elif group == _ERROR and text.startswith("/*", start):
            after = comment_end(text, start)
            if after is not None:
                return after
            add(Token(TokenKind.ERROR, match[group], start, end))
        elif group == _OPERATOR and end - start > 1:
            tokens.extend(_operators(match[group], start))
        else:
            add(new(Token, (kinds[group], match[group], start, end)))
    return None


def _operators(run: str, start: int) -> list[Token]:
    """Cut a run of operator characters (section 4.1.3).

    An operator of the characters of SQL's own operators alone does not end in + or -, so that
    ``=-`` is two.
    """
    length = len(run)
    if run[-1] in "+-" and not _FREE_OPERATOR.search(run):
        length = max(1, len(run.rstrip("+-")))
    first = Token(TokenKind.OP, run[:length], start, start + length)
    signs = range(length, len(run))
    return [first, *(Token(TokenKind.OP, run[i], start + i, start + i + 1) for i in signs)]


def comment_end(text: str, start: int) -> int | None:
    """Find where the ``/*`` comment at ``start`` ends (they nest); None when it never does."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return None
