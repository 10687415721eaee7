"""The front door: splitting, offsets, encodings, and that nothing raises (W-66)."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pgcache.errors.reasons import Reason
from pgcache.sql.lexer import tokenize
from pgcache.sql.model import Hints, Kind, Name, RelationRef, Script, Statement
from pgcache.sql.script import read_script, split_statements
from tests.sql.corpus import STATEMENTS
from tests.sql.test_lexer import PIECES

K = Kind


def read(text: str) -> Script:
    return read_script(text.encode())


def kinds(text: str) -> list[Kind]:
    return [statement.kind for statement in read(text).statements]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BEGIN;select 1", [K.BEGIN, K.SELECT]),
        (
            "SET DateStyle = 'ISO';SET extra_float_digits = 2;show transaction_isolation",
            [K.SET, K.SET, K.SHOW],
        ),
        ("DISCARD ALL;SELECT 1", [K.DISCARD, K.SELECT]),
        (
            'BEGIN;declare "SQL_CUR0x7f" cursor with hold for SELECT 1;fetch 10 in "SQL_CUR0x7f"',
            [K.BEGIN, K.DECLARE, K.FETCH],
        ),
        ("select 1;;; ;select 2;", [K.SELECT, K.SELECT]),
        ("select ';' ; select $$;$$; select \";\" -- ;\n; /* ; */", [K.SELECT] * 3),
        (
            "create rule r as on insert to t do (delete from a; delete from b); select 1",
            [K.DDL, K.SELECT],
        ),
        (
            "create function f() begin atomic select case when a then b end; end; delete from t",
            [K.DDL, K.WRITE],
        ),
        ("create procedure p() begin atomic end; delete from t", [K.DDL, K.WRITE]),
        ("select begin atomic from t; delete from t", [K.SELECT, K.WRITE]),
        ("create table atomic (a int); delete from t", [K.DDL, K.WRITE]),
        ("begin; end; delete from t", [K.BEGIN, K.COMMIT, K.WRITE]),
        ("select (1; delete from t", [K.SELECT, K.WRITE]),
        ("select 1); delete from t; (select 1", [K.SELECT, K.WRITE, K.SELECT]),
        ("create function f() begin atomic select 1; delete from t", [K.DDL, K.WRITE]),
        ("", []),
        (" ;; -- c", []),
    ],
)
def test_W66_a_text_is_cut_into_statements(text: str, expected: list[Kind]) -> None:
    assert kinds(text) == expected


def test_ranges_of_tokens() -> None:
    assert split_statements(tokenize("; a b ;; c")) == [(1, 3), (5, 6)]


@pytest.mark.parametrize(
    "text",
    [
        "  SELECT 1 ; /* é */ INSERT INTO größe VALUES ('€') ;",
        "EXPLAIN ANALYZE DELETE FROM été;DECLARE c CURSOR FOR SELECT 'ß' ; PREPARE é AS TABLE t",
    ],
)
@pytest.mark.parametrize(("encoding", "codec"), [("UTF8", "utf-8"), ("WIN1252", "cp1252")])
def test_offsets_count_bytes(text: str, encoding: str, codec: str) -> None:
    raw = text.encode(codec)
    statements = read_script(raw, encoding=encoding).statements
    pieces = [raw[s.start : s.end].decode(codec) for s in statements]
    without_comments = text.replace("/* é */", "")
    assert pieces == [piece.strip() for piece in without_comments.split(";") if piece.strip()]
    for statement in statements:
        inner = statement.inner
        if inner is not None:
            assert raw[inner.start : inner.end].decode(codec) == statement_text(inner, raw, codec)
            assert inner.end == statement.end


def statement_text(inner: Statement, raw: bytes, codec: str) -> str:
    """The inner statement begins with its own verb."""
    found = raw[inner.start : inner.end].decode(codec)
    assert found.upper().startswith(inner.verb)
    return found


def test_names_are_decoded() -> None:
    (statement,) = read_script("DELETE FROM Größe".encode("latin-1"), encoding="LATIN1").statements
    assert statement.targets == (RelationRef(Name("größe")),)


def test_S13_backslashes_without_standard_strings() -> None:
    text = rb"select 'a\'; delete from t; --'"
    ones = read_script(text, standard_conforming_strings=False).statements
    assert [s.kind for s in ones] == [K.SELECT]
    assert [s.kind for s in read_script(text).statements] == [K.SELECT, K.WRITE]


@pytest.mark.parametrize("text", ["select 'a", "select 1 /* x", "select $$ x", 'select "a'])
def test_what_has_no_end_is_not_well_formed(text: str) -> None:
    script = read(text)
    assert not script.well_formed
    (statement,) = script.statements
    assert statement.read is not None
    assert statement.read.refusal is not None
    assert statement.read.refusal.reason is Reason.PARSE_ERROR


def test_an_ordinary_query() -> None:
    text = "-- Metabase:: userID: 5\nSELECT a FROM s.t /* pgcache: ttl=60 */;"
    script = read(text)
    assert script.key_text == b"select a from s.t"
    assert script.hints == Hints(ttl=60.0)
    assert script.well_formed
    (statement,) = script.statements
    assert (statement.kind, statement.verb) == (K.SELECT, "SELECT")
    assert text[statement.start : statement.end] == "SELECT a FROM s.t"
    assert statement.read is not None
    assert statement.read.refusal is None
    assert statement.read.relations == (RelationRef(Name("t", "s")),)


def test_C31_a_write_knows_what_it_calls() -> None:
    (statement,) = read("INSERT INTO t SELECT f(a) FROM s").statements
    assert statement.read is not None
    assert [function.name.name for function in statement.read.functions] == ["f"]
    assert Name("s") in [relation.name for relation in statement.read.relations]


@pytest.mark.parametrize(
    "text", ["EXECUTE p (f(1), 'x')", "COPY t (a) FROM STDIN (FORMAT csv) WHERE f(a) > 1"]
)
def test_S07_expressions_of_commands_are_read(text: str) -> None:
    (statement,) = read(text).statements
    assert statement.read is not None
    assert [function.name.name for function in statement.read.functions] == ["f"]


def test_long_values_lists_lose_only_constants() -> None:
    rows = ",".join("(1, 'x', -2.5, NULL, DEFAULT)" for _ in range(1_000))
    text = f"INSERT INTO t VALUES {rows}, (f(1), (2)), {rows}, (3, g(x => h())) RETURNING a"
    (statement,) = read(text).statements
    assert statement.targets == (RelationRef(Name("t")),)
    assert statement.read is not None
    assert {function.name.name for function in statement.read.functions} == {"f", "g", "h"}


def test_keys_of_ambiguous_encodings_are_the_bytes() -> None:
    """Two byte sequences of one character must not share a key."""
    one, other = b"select '\x81\xca'", b"select '\xee\xf9'"  # ¬ twice in Shift JIS
    assert one.decode("cp932") == other.decode("cp932")
    keys = {read_script(raw, encoding="SJIS").key_text for raw in (one, other)}
    assert len(keys) == 2


def test_bytes_that_are_no_utf_8_keep_apart() -> None:
    keys = {read_script(raw).key_text for raw in (b"select '\xff'", b"select '\xfe'")}
    assert keys == {b"select '\xff'", b"select '\xfe'"}


fragments = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(STATEMENTS),
    st.sampled_from(" ".join(STATEMENTS).split()),
)
mutated = st.lists(fragments, max_size=8).map(" ".join).map(str.encode)


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(st.binary(max_size=80), mutated),
    st.booleans(),
    st.sampled_from(["UTF8", "SJIS", "x"]),
)
@example(b"\xff\xfe;'\xff", True, "UTF8")
@example(b"copy (", True, "UTF8")
@example(b"explain", True, "UTF8")
@example(b"with", True, "UTF8")
@example(b"explain (", True, "UTF8")
@example(b"select into", True, "UTF8")
def test_nothing_raises_and_the_answer_is_one(raw: bytes, scs: bool, encoding: str) -> None:
    one = read_script(raw, standard_conforming_strings=scs, encoding=encoding)
    other = read_script(raw, standard_conforming_strings=scs, encoding=encoding)
    assert astuple(one) == astuple(other)
    end = 0
    for statement in one.statements:
        assert end <= statement.start <= statement.end <= len(raw)
        end = statement.end


DEEP = 10_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * DEEP,
        "select " + "(" * DEEP,
        "explain " * DEEP,
        "select (with " * DEEP,
        "( with a as () cycle x set y " * DEEP,
        "with a as (" * DEEP,
        "copy (" * DEEP,
        "create table a as " * DEEP,
        "savepoint a;" * DEEP,
        "é;" * DEEP,
        "create view v as table t;" * (DEEP // 10),
        "select a into " * DEEP,
        "update x set " * DEEP,
        "(update x " * DEEP,
        "/* pgcache: x */" * DEEP,
        "end;" * DEEP,
    ],
    ids=lambda text: repr(text[:16]),
)
def test_long_and_deep_texts_are_read_in_linear_time(text: str) -> None:
    assert isinstance(read(text), Script)
