"""What the key words of an expression do to its sketch: operators, CASE, OVER, IS.

Counterpart: ``a_expr`` and ``func_expr`` of PostgreSQL's ``gram.y``; the sketch is that of
``sketch.py``. Every handler takes the word at the walk's position and goes past it. Must not
know: which names exist.
"""

from __future__ import annotations

from typing import Final

from pgcache.errors.reasons import Reason
from pgcache.sql.clauses import Handler, separate
from pgcache.sql.keywords import RESERVED
from pgcache.sql.lexer import TokenKind
from pgcache.sql.literals import identifier
from pgcache.sql.model import FunctionRef, Name
from pgcache.sql.names import read_cast_type, read_name, read_type_word
from pgcache.sql.sketch import CALL, LITERALS, NAMES, Sketch
from pgcache.sql.typenames import BUILT_IN

__all__ = ["EXPRESSIONS"]

_PATTERN_OPERATORS: Final = {
    "like": ("~~", "!~~"),
    "ilike": ("~~*", "!~~*"),
    "similar": ("~", "!~"),
}
_PLAIN_CALLS: Final = ("coalesce", "greatest", "least", "nullif", "normalize", "merge_action")
_XML_CALLS: Final = (
    *("xmlconcat", "xmlelement", "xmlexists", "xmlforest"),
    *("xmlparse", "xmlpi", "xmlroot", "xmlserialize"),
)
_JSON_CALLS: Final = (
    *("json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg"),
    *("json_query", "json_scalar", "json_serialize", "json_value"),
)
_SPECIAL_CALLS: Final = ("extract", "overlay", "position", "substring", "trim")
_EXCLUSIONS: Final = frozenset({"exclude", "current", "row", "group", "ties", "no", "others"})
_JSON_PREDICATE: Final = frozenset(
    {"json", "value", "array", "object", "scalar", "with", "without", "unique", "keys"}
)


def _on_constant(s: Sketch, _word: str) -> None:
    s.position += 1
    s.write_constant()


def _on_clock(s: Sketch, _word: str) -> None:
    s.clock = True
    s.position += 1
    if s.at().value == "(" and s.at(2).value == ")":
        s.position += 3
    s.write_constant()


def _on_identity(s: Sketch, word: str) -> None:
    if word == "current_schema" and s.at(1).value == "(":
        read_name(s)
        return
    s.identity = True
    s.position += 1
    s.write_constant()


def _on_system_user(s: Sketch, word: str) -> None:
    """It says how the session logged in, which is no part of the key: the catalog judges it."""
    s.functions.append(FunctionRef(Name(word), 0))
    s.position += 1
    s.write_constant()


def _on_case(s: Sketch, _word: str) -> None:
    s.write(CALL, ended=False)
    s.open("case")


def _on_when(s: Sketch, word: str) -> None:
    s.skip(before=word)
    if s.ended:
        s.write(",", ended=False)
        s.before = word


def _on_end(s: Sketch, _word: str) -> None:
    if s.frame.opener != "case":
        s.is_dubious()
        s.skip()
    else:
        s.close()


def _on_not(s: Sketch, _word: str) -> None:
    if s.clause == "with" and s.before == "as":
        s.skip(before="as")  # NOT MATERIALIZED
    else:
        s.position += 1  # before an operand, or before LIKE, IN, BETWEEN
        s.before = ""


def _on_and(s: Sketch, _word: str) -> None:
    s.position += 1
    s.write_operator()


def _on_in(s: Sketch, _word: str) -> None:
    if s.frame.opener == "position":
        separate(s)
    else:
        _on_and(s, "")


def _on_pattern(s: Sketch, word: str) -> None:
    if not s.ended:
        read_name(s)  # like(a, b) is a function
        return
    s.operators.update(_PATTERN_OPERATORS[word])
    _on_and(s, word)


def _on_similar(s: Sketch, word: str) -> None:
    if s.word(1) == "to":
        s.operators.update(_PATTERN_OPERATORS[word])
        s.position += 1
        _on_and(s, word)
    else:
        separate(s)


def _on_between(s: Sketch, _word: str) -> None:
    if s.clause == "bounds":
        s.skip()
    elif s.ended:
        if s.word(1) in ("symmetric", "asymmetric"):
            s.position += 1
        _on_and(s, "")
    else:
        read_name(s)


def _on_is(s: Sketch, _word: str) -> None:
    s.skip(2 if s.word(1) == "not" else 1)
    word = s.word()
    if word == "distinct" and s.word(1) == "from":
        s.position += 1
        _on_and(s, "")
    elif word in ("null", "true", "false", "unknown", "document", "normalized"):
        s.skip()
    elif s.word(1) == "normalized":
        s.skip(2)
    elif word == "json":
        while s.word() in _JSON_PREDICATE:
            s.skip()
    else:
        s.is_dubious()


def _on_null_test(s: Sketch, _word: str) -> None:
    s.skip()


def _on_overlaps(s: Sketch, _word: str) -> None:
    if s.ended:
        _on_and(s, "")
    else:
        read_name(s)


def _on_collate(s: Sketch, _word: str) -> None:
    if s.word(1) in RESERVED or s.at(1).kind not in NAMES:
        read_name(s)  # a label without AS
        return
    s.skip()
    while s.at().kind in NAMES:
        s.position += 1
        if s.at().value != ".":
            break
        s.position += 1


def _on_collation(s: Sketch, _word: str) -> None:
    if s.word(1) == "for" and s.at(2).value == "(":
        s.skip(2)
        s.open_call(Name("pg_collation_for"), "call")
    else:
        read_name(s)


def _on_at(s: Sketch, _word: str) -> None:
    if s.ended and s.word(1) == "time" and s.word(2) == "zone":
        s.zoned = True
        s.position += 2
        _on_and(s, "")
    elif s.ended and s.word(1) == "local":
        s.zoned = True
        s.skip(2)
    else:
        read_name(s)


def _on_escape(s: Sketch, _word: str) -> None:
    after = s.at(1)
    begins = after.kind in LITERALS or after.kind in NAMES or after.value == "("
    begins = begins or after.kind in (TokenKind.PARAM, TokenKind.NUMBER, TokenKind.OP)
    is_operand = s.word(1) not in RESERVED or s.word(1) in ("null", "case")
    if s.ended and begins and is_operand and s.clause != "from":
        _on_and(s, "")
    else:
        read_name(s)


def _on_over(s: Sketch, word: str) -> None:
    """OVER, FILTER and WITHIN GROUP come behind a call; elsewhere they are names."""
    opening = 2 if word == "within" else 1
    if s.at(-1).value != ")" or s.clause == "from":
        read_name(s)
    elif s.at(opening).value == "(" and (word != "within" or s.word(1) == "group"):
        s.position += opening
        s.write("-", CALL, ended=False)
        s.open(word)
    elif word == "over" and s.at(1).kind in NAMES:
        s.skip(2)
    else:
        read_name(s)


def _on_partition(s: Sketch, _word: str) -> None:
    if s.word(1) == "by" and s.frame.opener in ("over", "window"):
        s.skip(2)
        if s.ended:
            s.write(",", ended=False)
    else:
        read_name(s)


def _on_bound(s: Sketch, word: str) -> None:
    if s.clause != "bounds" or s.at(1).value == "(":
        read_name(s)
    elif word in ("unbounded", "current"):
        s.skip(2 if word == "current" else 1)
        s.write_constant()
    elif word == "exclude":
        while s.word() in _EXCLUSIONS:
            s.skip()
    else:
        s.skip()  # PRECEDING, FOLLOWING


def _on_direction(s: Sketch, _word: str) -> None:
    s.skip()


def _on_nulls(s: Sketch, _word: str) -> None:
    if s.word(1) in ("first", "last") and s.ended:
        s.skip(2)
    else:
        read_name(s)


def _on_grouping(s: Sketch, word: str) -> None:
    if word == "grouping" and s.word(1) == "sets":
        s.skip(2)
        s.write(CALL, ended=False)
        s.open("sets", "group")
    elif word == "grouping" and s.at(1).value == "(":
        _on_special_call(s, word)
    elif s.clause == "group" and s.at(1).value == "(" and word != "grouping":
        s.skip()
        s.write(CALL, ended=False)
        s.open("sets", "group")
    else:
        read_name(s)


def _on_operator(s: Sketch, _word: str) -> None:
    """OPERATOR(pg_catalog.+); another schema is not looked up."""
    schemas: list[str] = []
    ahead = 2
    while s.at(ahead).kind in NAMES and s.at(ahead + 1).value == ".":
        schemas.append(identifier(s.at(ahead)) or "")
        ahead += 2
    is_operator = s.at(ahead).kind is TokenKind.OP and s.at(ahead + 1).value == ")"
    if s.at(1).value != "(" or not is_operator:
        read_name(s)
        return
    s.position += ahead
    s.operators.add(s.at().value)
    if schemas not in ([], ["pg_catalog"]):
        s.refuse(Reason.USER_OPERATOR, ".".join([*schemas, s.at().value]))
    s.position += 2
    s.write_operator()


def _on_any(s: Sketch, _word: str) -> None:
    s.skip(ended=False)


def _on_cast(s: Sketch, word: str) -> None:
    if s.at(1).value != "(":
        s.is_dubious()
    s.skip()
    s.write(CALL, ended=False)
    s.open(word)


def _on_special_call(s: Sketch, word: str) -> None:
    if s.at(1).value != "(":
        read_name(s)
        return
    s.skip()
    s.open_call(Name(word), word)


def _on_table_call(s: Sketch, word: str) -> None:
    if s.at(1).value == "(":
        s.is_dubious()
    _on_special_call(s, word)


def _on_content(s: Sketch, word: str) -> None:
    opener = s.frame.opener
    if s.at(-1).value == "(" and opener in ("xmlparse", "xmlserialize") and word != "name":
        s.skip()
    elif s.at(-1).value == "(" and opener in ("xmlelement", "xmlpi") and word == "name":
        s.skip(2)
        s.write_constant()
    else:
        read_name(s)


def _on_variadic(s: Sketch, _word: str) -> None:
    s.frame.countless = True
    s.skip()


def _on_returning(s: Sketch, _word: str) -> None:
    if s.frame.opener.startswith("json"):
        s.skip()
        read_cast_type(s, s.position, s.position)
    else:
        s.frame.clause = "returning"
        s.skip(ended=False)


EXPRESSIONS: Final[dict[str, Handler]] = {
    **dict.fromkeys(("null", "true", "false", "default"), _on_constant),
    **dict.fromkeys(("current_date", "current_time", "current_timestamp"), _on_clock),
    **dict.fromkeys(("localtime", "localtimestamp"), _on_clock),
    **dict.fromkeys(("current_user", "current_role", "session_user", "user"), _on_identity),
    **dict.fromkeys(("current_catalog", "current_schema"), _on_identity),
    "system_user": _on_system_user,
    "case": _on_case,
    **dict.fromkeys(("when", "then", "else"), _on_when),
    "end": _on_end,
    "not": _on_not,
    "and": _on_and,
    "or": _on_and,
    "in": _on_in,
    "like": _on_pattern,
    "ilike": _on_pattern,
    "similar": _on_similar,
    "between": _on_between,
    "is": _on_is,
    "isnull": _on_null_test,
    "notnull": _on_null_test,
    "overlaps": _on_overlaps,
    "collate": _on_collate,
    "collation": _on_collation,
    "at": _on_at,
    "escape": _on_escape,
    **dict.fromkeys(("over", "filter", "within"), _on_over),
    "partition": _on_partition,
    **dict.fromkeys(("unbounded", "current", "exclude", "preceding", "following"), _on_bound),
    "asc": _on_direction,
    "desc": _on_direction,
    "nulls": _on_nulls,
    **dict.fromkeys(("grouping", "rollup", "cube"), _on_grouping),
    "operator": _on_operator,
    **dict.fromkeys(("any", "some", "all", "array", "exists"), _on_any),
    **dict.fromkeys(("both", "leading", "trailing", "symmetric", "asymmetric"), _on_any),
    "cast": _on_cast,
    **dict.fromkeys((*_PLAIN_CALLS, *_SPECIAL_CALLS, *_XML_CALLS, *_JSON_CALLS), _on_special_call),
    **dict.fromkeys(("xmltable", "json_table", "treat"), _on_table_call),
    **dict.fromkeys(("document", "content", "name"), _on_content),
    "placing": separate,
    "variadic": _on_variadic,
    "returning": _on_returning,
    **dict.fromkeys(BUILT_IN, read_type_word),
}
