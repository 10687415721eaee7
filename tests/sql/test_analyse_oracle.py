"""The analysis of reads against PostgreSQL's own parser: relations, calls, locks (C-10 to C-22).

What matters is one-sided: a relation or a call that the analysis misses makes a wrong answer, one
too many costs a hit. What is accepted has to be exact.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pglast import keywords
from pglast.parser import ParseError

from pgcache.errors.reasons import Reason
from pgcache.sql.analyse import UNREADABLE, analyse_read
from pgcache.sql.keywords import COLUMN_NAMES, RESERVED, TYPE_OR_FUNCTION_NAMES, UNRESERVED
from pgcache.sql.lexer import tokenize
from pgcache.sql.model import Kind, Read
from pgcache.sql.script import read_script
from tests.sql.corpus import STATEMENTS, statements
from tests.sql.reads_oracle import Seen, see

DASHBOARDS = statements("dashboards")
CASES = Path(__file__).parents[1] / "policy" / "cases"
# Grammar words that stand before a parenthesis: PostgreSQL makes nodes of their own of them.
GRAMMAR = frozenset(
    {
        *("coalesce", "nullif", "greatest", "least", "grouping", "treat", "merge_action"),
        *("extract", "overlay", "position", "substring", "trim", "normalize"),
    }
)


def case_texts() -> list[str]:
    """Return the statements of the policy's cases, which are SQL files as well."""
    return [
        text.strip().rstrip(";")
        for path in sorted(CASES.glob("*.sql"))
        for text in "\n".join(
            line for line in path.read_text().splitlines() if not line.startswith("--")
        ).split("\n\n")
        if text.strip()
    ]


def read_of(text: str, seen: Seen) -> Read | None:
    """Return the analysis, as the script reader would ask for it."""
    if seen.is_query and not seen.changes:
        return analyse_read(text, tokenize(text))
    (statement,) = read_script(text.encode()).statements
    return statement.read if statement.kind is Kind.WRITE else None


def complain(text: str) -> list[str]:
    """Compare one statement; return what is wrong, nothing for texts that are no SQL."""
    try:
        seen = see(text)
    except (ParseError, ValueError):
        return []
    read = read_of(text, seen)
    if read is None:
        return []
    complaints = _complain_of_calls(read, seen)
    refusal = read.refusal
    is_accepted = refusal is None or refusal.reason is Reason.NO_TABLE
    if seen.is_query and not seen.changes and is_accepted:
        complaints += _complain_of_relations(read, seen)
    elif is_accepted and not text.lower().startswith("copy"):  # its WHERE is read like a query
        complaints.append("a write is accepted")
    if seen.locks and (refusal is None or refusal.reason is not Reason.ROW_LOCK):
        complaints.append(f"a row lock is seen as {refusal}")
    if seen.clock and not read.clock:
        complaints.append("the clock is missed")
    return complaints


def _complain_of_calls(read: Read, seen: Seen) -> list[str]:
    found = {(call.name.schema, call.name.name, call.nargs) for call in read.functions}
    names = {name[:2] for name in found}
    complaints = []
    for schema, name, nargs in seen.calls:
        is_grammar = schema == "pg_catalog" and (None, name) in names  # json_object('{}')
        if (schema, name) not in names and not is_grammar:
            complaints.append(f"missed call {schema}.{name}")
        elif nargs >= 0 and not is_grammar and not {nargs, -1} & _counts(found, schema, name):
            complaints.append(f"{name} has {nargs} arguments, not {_counts(found, schema, name)}")
    return complaints


def _counts(found: set[tuple[str | None, str, int]], schema: str | None, name: str) -> set[int]:
    return {call[2] for call in found if call[:2] == (schema, name)}


def _complain_of_relations(read: Read, seen: Seen) -> list[str]:
    found = {(ref.name.database, ref.name.schema, ref.name.name) for ref in read.relations}
    complaints = []
    if found != seen.relations:
        complaints.append(f"relations {found} instead of {seen.relations}")
    types = {(name.schema, name.name) for name in read.types}
    missed = {name for name in seen.types if name[0] != "pg_catalog"} - types
    if missed:
        complaints.append(f"missed types {missed}")
    operators = {name for name in seen.operators if "BETWEEN" not in name}
    if not operators <= read.operators:
        complaints.append(f"missed operators {operators - read.operators}")
    if seen.samples or seen.creates:
        complaints.append("TABLESAMPLE or INTO is accepted")
    return complaints


def is_plain_call(schema: str | None, name: str) -> bool:
    """Tell a function from what the grammar itself defines."""
    return schema is not None or not (name in GRAMMAR or name.startswith(("xml", "json")))


@pytest.mark.parametrize("text", STATEMENTS + DASHBOARDS + case_texts())
def test_agrees_with_postgresql(text: str) -> None:
    assert complain(text) == []


@pytest.mark.parametrize("text", DASHBOARDS)
def test_takes_what_tools_send(text: str) -> None:
    read = analyse_read(text, tokenize(text))
    assert read.refusal is None
    calls = {call[:2] for call in see(text).calls}
    found = {(call.name.schema, call.name.name) for call in read.functions}
    assert {call for call in found if is_plain_call(*call)} <= calls


@pytest.mark.parametrize("seed", range(8))
def test_agrees_about_altered_statements(seed: int) -> None:
    """Words of other statements, and key words as names, where the grammar allows them."""
    rng = random.Random(seed)
    texts = [[t.value for t in tokenize(text)] for text in STATEMENTS + DASHBOARDS]
    words = [*sorted(RESERVED | UNRESERVED | COLUMN_NAMES | TYPE_OR_FUNCTION_NAMES), "f", "zz"]
    inserts = ["f ( 1 )", "( select 1 from zz )", "as g ( a )", "escape f ( 1 )", 'collate "C"']
    for _ in range(400):
        pieces = list(rng.choice(texts))
        for _ in range(rng.randint(1, 2)):
            place = rng.randrange(len(pieces))
            change = rng.random()
            if change < 0.5 and pieces[place].isidentifier():
                pieces[place] = rng.choice(words)
            elif change < 0.7:
                pieces.insert(place, rng.choice(words))
            elif change < 0.85:
                pieces.insert(place, rng.choice(inserts))
            elif len(pieces) > 1:
                del pieces[place]
        text = " ".join(pieces)
        assert complain(text) == [], text


@pytest.mark.parametrize("seed", range(4))
def test_takes_any_tokens(seed: int) -> None:
    rng = random.Random(seed)
    words = [*sorted(RESERVED | COLUMN_NAMES | TYPE_OR_FUNCTION_NAMES), *"()[].,:*"] * 2
    words += ["::", ":=", "=>", "<", "'s'", "1", "$1", '"q"', "U&'x'", 'U&"x"', "uescape", "rows"]
    words += ["(", ")", "a", "by", "sets", "search", "over", "filter", "within", "set", "at"]
    for _ in range(1500):
        text = "select " + " ".join(rng.choices(words, k=rng.randint(1, 30)))
        assert analyse_read(text, tokenize(text)) is not UNREADABLE, text


def test_key_words_are_those_of_the_newest_grammar() -> None:
    assert RESERVED == keywords.RESERVED_KEYWORDS
    assert COLUMN_NAMES == keywords.COL_NAME_KEYWORDS
    assert TYPE_OR_FUNCTION_NAMES == keywords.TYPE_FUNC_NAME_KEYWORDS
    assert UNRESERVED == keywords.UNRESERVED_KEYWORDS
