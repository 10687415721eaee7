"""A cursor over one statement's tokens: the steps in which the classifiers read.

Counterpart: the productions of PostgreSQL's ``gram.y`` that name things (``ColId``,
``qualified_name``, ``relation_expr``). Must not know: which statement it is reading.
"""

from __future__ import annotations

from collections.abc import Sequence

from pgcache.sql.keywords import RESERVED, TYPE_OR_FUNCTION_NAMES
from pgcache.sql.lexer import Token, TokenKind
from pgcache.sql.literals import identifier, string_value
from pgcache.sql.model import Kind, Name, RelationRef, Statement

__all__ = ["UNKNOWN", "Source", "TokenReader", "match_parentheses"]

UNKNOWN = Statement(Kind.UNKNOWN)
"""The answer of a classifier that does not understand: it may do anything (Z-00)."""

_NO_NAMES = RESERVED | TYPE_OR_FUNCTION_NAMES
_NAMES = frozenset({TokenKind.WORD, TokenKind.QUOTED, TokenKind.UNICODE_QUOTED})


def match_parentheses(tokens: Sequence[Token]) -> list[int]:
    """Give for each ``(`` the index of its ``)``, len(tokens) where there is none; -1 elsewhere."""
    partners = [-1] * len(tokens)
    stack: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind is TokenKind.PUNCT:
            if token.value == "(":
                stack.append(index)
            elif token.value == ")" and stack:
                partners[stack.pop()] = index
    for index in stack:
        partners[index] = len(tokens)
    return partners


class Source:
    """A text with its tokens, shared by the readers of all its parts."""

    __slots__ = ("_partners", "text", "tokens")

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self._partners: list[int] | None = None

    @property
    def partners(self) -> list[int]:
        """For each ``(`` the index of its ``)``; found when first asked for."""
        if self._partners is None:
            self._partners = match_parentheses(self.tokens)
        return self._partners


class TokenReader:
    """Reads ``tokens[index:end]`` of a text. Methods that find nothing consume nothing."""

    __slots__ = ("end", "index", "source", "tokens")

    def __init__(self, source: Source, index: int = 0, end: int | None = None) -> None:
        self.source = source
        self.tokens = source.tokens
        self.index = index
        self.end = len(source.tokens) if end is None else min(end, len(source.tokens))

    @property
    def partners(self) -> list[int]:
        """For each ``(`` the index of its ``)``."""
        return self.source.partners

    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.index >= self.end

    def is_last(self) -> bool:
        """Whether just one token is left."""
        return self.index == self.end - 1

    def part(self, start: int, end: int) -> TokenReader:
        """Return a reader of another stretch of the same tokens."""
        return TokenReader(self.source, start, min(end, self.end))

    def peek(self, ahead: int = 0) -> Token | None:
        position = self.index + ahead
        return self.tokens[position] if position < self.end else None

    def word(self, ahead: int = 0) -> str:
        """Return the unquoted word that stands there, "" when it is something else."""
        token = self.peek(ahead)
        return token.value if token is not None and token.kind is TokenKind.WORD else ""

    def mark(self, ahead: int = 0) -> str:
        """Return the punctuation or operator that stands there, "" when it is something else."""
        token = self.peek(ahead)
        if token is None or token.kind not in (TokenKind.PUNCT, TokenKind.OP):
            return ""
        return token.value

    def at(self, *words: str) -> bool:
        """Tell whether these words come next."""
        return all(self.word(ahead) == word for ahead, word in enumerate(words))

    def take(self, *words: str) -> bool:
        """Consume these words if they come next."""
        if not self.at(*words):
            return False
        self.index += len(words)
        return True

    def take_one_of(self, *words: str) -> str:
        """Consume one of these words; "" when none comes next."""
        found = self.word()
        if not found or found not in words:
            return ""
        self.index += 1
        return found

    def take_mark(self, *marks: str) -> bool:
        """Consume one of these pieces of punctuation or operators."""
        found = self.mark()
        if not found or found not in marks:
            return False
        self.index += 1
        return True

    def skip_parentheses(self) -> bool:
        """Consume ``( … )``."""
        if self.mark() != "(":
            return False
        self.index = min(self.partners[self.index] + 1, self.end)
        return True

    def rest_as_written(self) -> list[str]:
        """Consume all that is left; words are folded."""
        values = [token.value for token in self.tokens[self.index : self.end]]
        self.index = self.end
        return values

    def identifier(self) -> str | None:
        """Consume a name of one part, quoted or not, with its UESCAPE."""
        token = self.peek()
        if token is None or token.kind not in _NAMES:
            return None
        self.index += 1
        return identifier(token, self._escape() if token.kind is not TokenKind.WORD else "\\")

    def string(self) -> str | None:
        """Consume a string literal, with its UESCAPE."""
        token = self.peek()
        if token is None or string_value(token) is None:
            return None
        self.index += 1
        return string_value(token, self._escape())

    def _escape(self) -> str:
        """Consume UESCAPE 'x'."""
        if self.word() != "uescape":
            return "\\"
        literal = self.peek(1)
        value = string_value(literal) if literal is not None else None
        if value is None or len(value) != 1:
            return "\\"
        self.index += 2
        return value

    def name(self) -> Name | None:
        """Consume a name of up to three parts; a reserved word is none."""
        start = self.index
        if self.word() in _NO_NAMES:
            return None
        first = self.identifier()
        if first is None:
            return None
        parts = [first]
        while self.mark() == "." and len(parts) < 3:
            self.index += 1
            part = self.identifier()
            if part is None:
                self.index = start
                return None
            parts.append(part)
        if len(parts) == 1:
            return Name(parts[0])
        if len(parts) == 2:
            return Name(parts[1], parts[0])
        return Name(parts[2], parts[1], parts[0])

    def relation(self) -> RelationRef | None:
        """Consume ``name [*]``, ``ONLY name`` or ``ONLY (name)``."""
        start = self.index
        only = self.take("only")
        inside = only and self.take_mark("(")
        name = self.name()
        if name is None or (inside and not self.take_mark(")")):
            self.index = start
            return None
        if not only:
            self.take_mark("*")
        return RelationRef(name, only)

    def relations(self) -> tuple[RelationRef, ...]:
        """Consume a list of relations; empty when a part of it is not one."""
        start = self.index
        found: list[RelationRef] = []
        while True:
            relation = self.relation()
            if relation is None:
                self.index = start
                return ()
            found.append(relation)
            if not self.take_mark(","):
                return tuple(found)
