"""Reads pg_node_tree text: which functions, relations and types a stored expression uses.

Views and row security policies are kept by PostgreSQL as printed parse trees. Dependencies on
built-in functions are not recorded anywhere (C-17), but the trees name every function by OID.
Unknown kinds of nodes are a problem, never skipped (Z-00). Source: PostgreSQL 14 to 18,
nodes/primnodes.h and outfuncs.c. No catalog, no I/O.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from pgcache.catalog.builtins import CURRENT_SETTING_OIDS, names

# Nodes without meaning of their own: what they call or read stands in fields found below.
_KNOWN_NODES: Final = names(
    """
    AGGREF ALIAS ARRAYCOERCEEXPR ARRAYEXPR BOOLEANTEST BOOLEXPR CASEEXPR CASETESTEXPR CASEWHEN
    COALESCEEXPR COERCETODOMAIN COERCETODOMAINVALUE COERCEVIAIO COLLATEEXPR COMMONTABLEEXPR CONST
    CONVERTROWTYPEEXPR CTECYCLECLAUSE CTESEARCHCLAUSE DISTINCTEXPR FIELDSELECT FROMEXPR FUNCEXPR
    GROUPINGFUNC GROUPINGSET JOINEXPR JSONBEHAVIOR JSONCONSTRUCTOREXPR JSONEXPR JSONFORMAT
    JSONISPREDICATE JSONRETURNING JSONTABLEPATH JSONTABLEPATHSCAN JSONTABLESIBLINGJOIN
    JSONVALUEEXPR MINMAXEXPR NAMEDARGEXPR NULLIFEXPR NULLTEST OPEXPR PARAM QUERY RANGETBLENTRY
    RANGETBLFUNCTION RANGETBLREF RELABELTYPE ROWCOMPAREEXPR ROWEXPR RTEPERMISSIONINFO
    SCALARARRAYOPEXPR SETOPERATIONSTMT SORTGROUPCLAUSE SQLVALUEFUNCTION SUBLINK SUBSCRIPTINGREF
    TABLEFUNC TARGETENTRY VAR WINDOWCLAUSE WINDOWFUNC XMLEXPR
    """
)
_CLOCK_OPS: Final = frozenset(range(9))  # SVFOP_CURRENT_DATE .. SVFOP_LOCALTIMESTAMP_N
_IDENTITY_OPS: Final = frozenset(range(9, 15))  # SVFOP_CURRENT_ROLE .. SVFOP_CURRENT_SCHEMA

# Braces, parentheses and blanks inside names are escaped with a backslash, so that a label or a
# field cannot be faked by an alias; a superset would do no harm anyway.
_NODE = re.compile(r"(?<!\\)\{([A-Z_a-z0-9]+)")
_FIELD = re.compile(r" :(?!location )(\w+) (\d+)")
_LIST = re.compile(r" :(\w+) \(o ([\d ]+)\)")
_FUNCTION = re.compile(r"\w*(?:funcid|fnoid|Func)|tsmhandler")
_OPERATOR = re.compile(r"opnos?|eqop|sortop|\w*neop")
_RELATION = re.compile(r"relid")
_TYPE = re.compile(r"\w*[tT]ypes?|\w*typeid|typeId|\w*typid")
# CoerceViaIO alone has these two fields in a row; json_to_record and kin have their columns' types
# in the range table. Other nodes that read text as some type are rare: all their types count.
_MADE = re.compile(r" :resulttype (\d+) :resultcollid ")
_MADE_COLUMNS = re.compile(r" :funccoltypes \(o ([\d ]+)\)")
_MAKERS = re.compile(r"\{(?:JSONEXPR|TABLEFUNC) ")
_VALUE_FUNCTION = re.compile(r"\{SQLVALUEFUNCTION :op (\d+)")
_SYSTEM_COLUMN = re.compile(r" :varattno -[1-5]\b")  # ctid xmin cmin xmax cmax, not tableoid
_SETTING_CALL = re.compile(
    r"\{FUNCEXPR :funcid (?:" + "|".join(map(str, sorted(CURRENT_SETTING_OIDS))) + r") "
)
_SETTING_NAME = re.compile(
    _SETTING_CALL.pattern
    + r"[^{}]*:args \(\{CONST :consttype 25 [^{}]*:constvalue \d+ \[ ([-\d ]+)\]\}"
)
_VARLENA_HEADER: Final = 4  # bytes


@dataclass(frozen=True, slots=True)
class TreeFacts:
    """All that a stored expression may call or read; OIDs throughout.

    ``problem`` says in words what was not understood; '' when everything was.
    """

    functions: frozenset[int] = frozenset()
    operators: frozenset[int] = frozenset()
    relations: frozenset[int] = frozenset()
    types: frozenset[int] = frozenset()
    settings: frozenset[str] = frozenset()
    made: frozenset[int] = frozenset()  # types that text may be read as
    clock: bool = False
    problem: str = ""


NO_FACTS: Final = TreeFacts()


def parse_tree(text: str) -> TreeFacts:
    """Find everything that ``text``, a pg_node_tree, may call or read."""
    if not text or text == "<>":
        return NO_FACTS
    ops = frozenset(map(int, _VALUE_FUNCTION.findall(text)))
    settings, unread = _find_settings(text)
    fields = _find_fields(text)
    return TreeFacts(
        functions=_numbers(_FUNCTION, fields),
        operators=_numbers(_OPERATOR, fields),
        relations=_numbers(_RELATION, fields),
        types=_numbers(_TYPE, fields),
        settings=settings,
        made=_find_made(text, fields),
        clock=bool(ops & _CLOCK_OPS),
        problem=_find_problem(text, ops) or unread,
    )


def _find_made(text: str, fields: dict[str, set[int]]) -> frozenset[int]:
    if _MAKERS.search(text):
        return _numbers(_TYPE, fields)
    columns = " ".join(_MADE_COLUMNS.findall(text)).split()
    return frozenset(map(int, (*_MADE.findall(text), *columns)))


def _find_problem(text: str, value_functions: frozenset[int]) -> str:
    unknown = set(_NODE.findall(text)) - _KNOWN_NODES
    if unknown:
        return "uses " + ", ".join(sorted(unknown))
    if value_functions - _CLOCK_OPS - _IDENTITY_OPS:
        return "uses a keyword function that pgcache does not know"
    return "reads a system column" if _SYSTEM_COLUMN.search(text) else ""


def _find_settings(text: str) -> tuple[frozenset[str], str]:
    calls = len(_SETTING_CALL.findall(text))
    found = [_decode_text(numbers) for numbers in _SETTING_NAME.findall(text)]
    if len(found) != calls or "" in found:
        return frozenset(), "calls current_setting() with a name that is not a literal"
    return frozenset(name.lower() for name in found), ""


def _decode_text(numbers: str) -> str:
    """The text of a Const: signed bytes, the first four being its length word."""
    octets = bytes(int(number) & 0xFF for number in numbers.split())[_VARLENA_HEADER:]
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError:
        return ""


def _find_fields(text: str) -> dict[str, set[int]]:
    """All numbers of a tree by the name of their field: one scan, since trees can be long."""
    fields: dict[str, set[int]] = defaultdict(set)
    for name, number in set(_FIELD.findall(text)):
        fields[name].add(int(number))
    for name, numbers in set(_LIST.findall(text)):
        fields[name].update(map(int, numbers.split()))
    return fields


def _numbers(names: re.Pattern[str], fields: dict[str, set[int]]) -> frozenset[int]:
    """The numbers, OIDs but zero, of all fields whose names match."""
    found = (numbers for name, numbers in fields.items() if names.fullmatch(name))
    return frozenset().union(*found) - {0}
