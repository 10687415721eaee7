"""What clients say to any server before and beside their commands, answered without a server.

Drivers set options, open transactions and ask for the version, the schema, the user; tools look
into the catalogs, which here are empty. Counterpart: ``commands`` has the console's own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pgcache.sql.lexer import Token, TokenKind, tokenize

# Words that begin what needs no more than its tag.
_NODS = {
    "set": "SET",
    "reset": "RESET",
    "discard": "DISCARD ALL",
    "deallocate": "DEALLOCATE",
    "close": "CLOSE CURSOR",
    "listen": "LISTEN",
    "unlisten": "UNLISTEN",
    "begin": "BEGIN",
    "start": "START TRANSACTION",
    "commit": "COMMIT",
    "end": "COMMIT",
    "rollback": "ROLLBACK",
    "abort": "ROLLBACK",
    "savepoint": "SAVEPOINT",
    "release": "RELEASE",
}
_OPENS = frozenset(("begin", "start"))
_ENDS = frozenset(("commit", "end", "rollback", "abort"))
_SETTINGS = {
    "transaction_isolation": "read committed",
    "default_transaction_isolation": "read committed",
    "transaction_read_only": "off",
    "default_transaction_read_only": "off",
    "search_path": '"$user", public',
    "max_identifier_length": "63",
    "extra_float_digits": "1",
    "lc_collate": "C",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "server_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "timezone": "UTC",
}
_SPELLINGS = {
    ("transaction", "isolation", "level"): "transaction_isolation",
    ("time", "zone"): "timezone",
}
_LITERALS = (TokenKind.STRING, TokenKind.NUMBER)


@dataclass(frozen=True, slots=True)
class Reply:
    """A tag, and a table where there are ``columns``. ``opens`` and ``ends`` a transaction."""

    tag: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    opens: bool = False
    ends: bool = False


def respond(text: str, facts: Mapping[str, str]) -> Reply | None:
    """The answer to one statement; None where this is no small talk.

    ``facts``: what functions give, by name: version, current_user and so on.
    """
    tokens = [token for token in tokenize(text) if token.value != ";"]
    if not tokens or tokens[0].kind is not TokenKind.WORD:
        return None
    first = tokens[0].value
    if first == "show":
        return _show(tokens[1:], facts)
    if first == "select":
        return _select(text, tokens[1:], facts)
    tag = _NODS.get(first)
    if tag is None:
        return None
    to_savepoint = first == "rollback" and any(token.value == "to" for token in tokens)
    return Reply(tag, opens=first in _OPENS, ends=first in _ENDS and not to_savepoint)


def split(text: str) -> list[str]:
    """The statements of a text, one by one; empty ones are left out."""
    found: list[str] = []
    start = 0
    for token in tokenize(text):
        if token.value == ";" and token.kind is TokenKind.PUNCT:
            found.append(text[start : token.start])
            start = token.end
    found.append(text[start:])
    return [part for part in found if tokenize(part)]


def parameters(text: str) -> int:
    """How many parameters a text has: the highest $n."""
    numbers = [int(t.value[1:]) for t in tokenize(text) if t.kind is TokenKind.PARAM]
    return max(numbers, default=0)


def _show(tokens: Sequence[Token], facts: Mapping[str, str]) -> Reply | None:
    words = tuple(token.value.lower() for token in tokens)
    name = _SPELLINGS.get(words) or "".join(words)
    value = facts.get(name, _SETTINGS.get(name))
    return None if value is None else Reply("SHOW", (name,), ((value,),))


def _select(text: str, tokens: Sequence[Token], facts: Mapping[str, str]) -> Reply | None:
    """A SELECT of constants and known functions; over the catalogs, nothing but its columns."""
    depth = 0
    end = len(tokens)
    for number, token in enumerate(tokens):
        depth += (token.value in ("(", "[")) - (token.value in (")", "]"))
        if depth == 0 and token.value == "from" and token.kind is TokenKind.WORD:
            end = number
            break
    items = list(_items(tokens[:end]))
    if end < len(tokens):
        if not _is_of_catalogs(tokens[end:]):
            return None
        return Reply("SELECT 0", tuple(_name(item) for item in items))
    values = [_value(item, facts) for item in items]
    if any(value is None for value in values):
        return None
    return Reply("SELECT 1", tuple(_name(item) for item in items), (tuple(values),))


def _items(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The select list, cut at its commas."""
    item: list[Token] = []
    depth = 0
    for token in tokens:
        depth += (token.value in ("(", "[")) - (token.value in (")", "]"))
        if depth == 0 and token.value == "," and token.kind is TokenKind.PUNCT:
            yield item
            item = []
        else:
            item.append(token)
    yield item


def _is_of_catalogs(tokens: Sequence[Token]) -> bool:
    return any(t.value == "information_schema" or t.value.startswith("pg_") for t in tokens)


def _name(item: Sequence[Token]) -> str:
    """What PostgreSQL would call the column, nearly."""
    if len(item) > 2 and item[-2].value == "as":
        return item[-1].value.strip('"')
    words = [token for token in item if token.kind in (TokenKind.WORD, TokenKind.QUOTED)]
    if len(words) > 1 and words[0].value == "pg_catalog":
        words = words[1:]
    if len(item) > 1 and item[-1].kind in (TokenKind.WORD, TokenKind.QUOTED):
        return item[-1].value.strip('"')
    return words[0].value.strip('"') if len(words) == 1 else "?column?"


def _value(item: Sequence[Token], facts: Mapping[str, str]) -> str | None:
    if not item:
        return None
    if item[0].kind in _LITERALS:
        is_alone = len(item) == 1 or item[1].value in ("as", "::") or len(item) == 2
        return item[0].value.strip("'") if is_alone else None
    names = [token.value for token in item if token.kind is TokenKind.WORD]
    if names[:1] == ["pg_catalog"]:
        names = names[1:]
    if names[:1] == ["current_setting"] and len(item) > 2:
        literal = next((t.value.strip("'") for t in item if t.kind is TokenKind.STRING), "")
        return facts.get(literal.lower(), _SETTINGS.get(literal.lower()))
    return facts.get(names[0]) if names else None
