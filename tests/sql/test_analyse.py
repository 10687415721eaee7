"""What the analysis says of single texts, rule by rule (C-10 to C-22, W-70)."""

from __future__ import annotations

import pytest

from pgcache.errors.reasons import Reason
from pgcache.sql import analyse
from pgcache.sql.analyse import UNREADABLE, analyse_read
from pgcache.sql.lexer import tokenize
from pgcache.sql.magic import is_magic_text
from pgcache.sql.model import Read


def read(text: str) -> Read:
    return analyse_read(text, tokenize(text))


def relations(text: str) -> list[str]:
    found = read(text)
    assert found.refusal is None, found.refusal
    return [
        ("only " if ref.only else "")
        + ".".join(part for part in (ref.name.database, ref.name.schema, ref.name.name) if part)
        for ref in found.relations
    ]


def reason(text: str) -> Reason | None:
    refusal = read(text).refusal
    return None if refusal is None else refusal.reason


def calls(text: str) -> dict[str, int]:
    return {call.name.name: call.nargs for call in read(text).functions}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from t", ["t"]),
        ('select * from "T", s.T, db.s."t ""q"""', ["T", "s.t", 'db.s.t "q"']),
        ("with ct as (select * from ct) select * from ct", ["ct"]),
        ("with a as (select 1 from b), b as (select 2 from a) select 1 from a, b", ["b"]),
        (
            "with recursive a as (select 1 from b), b as (select 2 from a) select 1 from a, b, c",
            ["c"],
        ),
        ("with a as (select 1 from t) select 1 from s.a, a", ["t", "s.a"]),
        ("select * from (with a as (select 1 from t) select * from a) x, a", ["t", "a"]),
        ("with a as (with b as (select 1 from t) select 1 from b) select 1 from a, b", ["t", "b"]),
        ("select (with x as (select 1 from y) select 1 from x) from x", ["y", "x"]),
        ("select * from only t, only (u), v *", ["only t", "only u", "v"]),
        ("table only t", ["only t"]),
        ("select from a join (b cross join c) on exists (select from d)", ["a", "b", "c", "d"]),
        ("values ((select 1 from t)), (2)", ["t"]),
        ("select 1 from a order by (select 1 from b) limit (select 1 from c)", ["a", "b", "c"]),
        ("select sum(x) over (order by (select 1 from b)) from a", ["b", "a"]),
        (
            "select array(select 1 from b), f((select 1 from c)), x[(select 1 from d)] from a",
            ["b", "c", "d", "a"],
        ),
        ("select case when (select true from b) then 1 end from a", ["b", "a"]),
        ("select * from f((select 1 from b)) x, a", ["b", "a"]),
        ('select * from exists e, "values" v', ["exists", "values"]),
    ],
)
def test_C22_relations(text: str, expected: list[str]) -> None:
    assert relations(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1", Reason.NO_TABLE),
        ("select version()", Reason.NO_TABLE),
        ("values (1)", Reason.NO_TABLE),
        ("with a as (select 1) select * from a", Reason.NO_TABLE),
        ("select * from generate_series(1, 2)", Reason.NO_TABLE),
        ("select * from t for update", Reason.ROW_LOCK),
        ("select * from (select * from t for no key update) x", Reason.ROW_LOCK),
        ("with a as (select * from t for share) select * from a", Reason.ROW_LOCK),
        ("select ctid from t for key share", Reason.ROW_LOCK),
        ("with a as (delete from t returning *) select * from a", Reason.WRITING_CTE),
        (
            "select * from (with a as (update t set a = 1 returning *) select 1 from a) x",
            Reason.WRITING_CTE,
        ),
        ("select * into x from t", Reason.SELECT_INTO),
        ("select * from t tablesample system (10)", Reason.TABLESAMPLE),
        ("select xmin from t", Reason.SYSTEM_COLUMN),
        ('select t."ctid" from t', Reason.SYSTEM_COLUMN),
        (
            "select * from json_table('[]', '$[*]' columns (a int path '$')), t",
            Reason.UNKNOWN_SYNTAX,
        ),
        ("select a operator(my.+) b from t", Reason.USER_OPERATOR),
        ("select * from t where", Reason.PARSE_ERROR),
        ("select * from t t2 t3", Reason.PARSE_ERROR),
        ("select (1 from t", Reason.PARSE_ERROR),
        ("select 'x", Reason.PARSE_ERROR),
        ("insert into t values (1)", Reason.NOT_A_SELECT),
        ("select " + "(" * 200 + "1" + ")" * 200 + " from t", Reason.UNKNOWN_SYNTAX),
        (
            "select 1 from t where " + " or ".join(f"c{i} = 1" for i in range(9000)),
            Reason.UNKNOWN_SYNTAX,
        ),
    ],
)
def test_C10_refusals(text: str, expected: Reason) -> None:
    assert reason(text) is expected


def test_tableoid_and_labels_are_no_system_columns() -> None:
    assert reason("select tableoid::regclass, 1 as xmin from t") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "select now(), f(), g(a), h(a, (b, c)), k(*) from t",
            {"now": 0, "f": 0, "g": 1, "h": 2, "k": -1},
        ),
        (
            "select f(variadic a), g(a => 1, b := 2), h(distinct a order by b, c) from t",
            {"f": -1, "g": 2, "h": 1},
        ),
        ('select "F"(1), s."g h"(1) from t', {"F": 1, "g h": 1}),
        ("select mode() within group (order by x) from t", {"mode": -1}),
        (
            "select extract(day from a), substring(a from 1) from t",
            {"extract": -1, "substring": -1},
        ),
        (
            "select left(a, 1), right(a, 2), like(a, b), a like ('x') from t",
            {"left": 2, "right": 2, "like": 2},
        ),
        (
            "select * from t as a(x, y), f(1) g(i), h(2) as k(a int, b numeric(10, 2))",
            {"f": 1, "h": 1},
        ),
        ("with w(a, b) as (select 1, 2) select * from w, t", {}),
        (
            "select a::numeric(10, 2), cast(a as s.typ(3)), varchar(3) 'x', time(3) 'x' from t",
            {},
        ),
        ("select distinct on (a) f(b) from t", {"f": 1}),
        (
            "select a operator(pg_catalog.+) f(b), a at time zone g(c), d escape h(e) from t",
            {"f": 1, "g": 1, "h": 1},
        ),
        (
            "select sum(a) over (rows f(1) preceding), b from t fetch first g(1) rows only",
            {"sum": 1, "f": 1, "g": 1},
        ),
        (
            "select current_schema(), collation for (a) from t",
            {"current_schema": 0, "pg_collation_for": 1},
        ),
        (
            "select set(1), unbounded(1), operator(1), exists(select 1), outer(2) from t",
            {"set": 1, "unbounded": 1, "operator": 1, "outer": 1},
        ),
        ("update t set a = f(1), (b, c) = (select g(2), 3)", {"f": 1, "g": 1}),
        ("insert into t as x (a, b) (select f(1), 2)", {"f": 1}),
        (
            "insert into t (a) values (f(1)) on conflict (lower(a)) do update set (a) = (g(1))",
            {"f": 1, "lower": 1, "g": 1},
        ),
        (
            "merge into t using s on true when not matched then insert (a, b) values (f(1), 2)",
            {"f": 1},
        ),
    ],
)
def test_C15_calls(text: str, expected: dict[str, int]) -> None:
    assert calls(text) == expected


def test_a_first_literal_is_kept() -> None:
    found = read("select current_setting('app.t'), f('a' || b), g(E'x'), h('o''k', 1) from t")
    assert {call.name.name: call.literal for call in found.functions} == {
        "current_setting": "app.t",
        "f": None,
        "g": None,
        "h": "o'k",
    }


@pytest.mark.parametrize(
    "text",
    [
        *("current_date", "current_time", "current_timestamp(3)", "localtime", "localtimestamp"),
        *("'now'", "timestamp 'today'", "cast('Tomorrow' as date)", "E'yester\\x64ay'", "$$now$$"),
    ],
)
def test_C13_clock(text: str) -> None:
    assert read(f"select {text} from t").clock
    assert not read('select 1 as current_date, t.localtime, "current_time" from t').clock


@pytest.mark.parametrize("word", ["current_user", "current_role", "user", "session_user"])
def test_C13_identity(word: str) -> None:
    assert read(f"select {word} from t").identity
    assert not read(f'select t.{word}, 1 as {word}, "{word}" from t').identity


@pytest.mark.parametrize(
    "text",
    ["now", " NOW ", "today 10:00", "%now%", "2024-01-01 tomorrow", "yesterday UTC", "now\t,"],
)
def test_C13_magic_texts(text: str) -> None:
    assert is_magic_text(text)


@pytest.mark.parametrize(
    "text", ["", "nowhere", "unknown", "know", "2024-01-01", "epoch", "infinity", "todays"]
)
def test_C13_other_texts(text: str) -> None:
    assert not is_magic_text(text)


def test_magic_literals_are_told_from_the_clock() -> None:
    assert read("select date 'today' from t").magic_literals
    assert not read("select current_date, 'nowhere' from t").magic_literals


def test_types_operators_and_dotted_names() -> None:
    found = read(
        "select t.a, (t.b).c, s.t.d, s.f(1), x::my.typ, cast(y as other[]), mood 'ok', z::int"
        " from s.t where a <-> b or c ilike d and e operator(pg_catalog.@@) f"
    )
    assert found.dotted == {"a", "b", "c", "t", "d"}
    assert [(name.schema, name.name) for name in found.types] == [
        ("my", "typ"),
        (None, "other"),
        (None, "mood"),
    ]
    assert {"<->", "~~*", "@@", "="} <= found.operators


def test_a_mistake_inside_is_no_harmless_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_tokens: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(analyse, "draw_sketch", fail)
    assert read("select 1 from t") is UNREADABLE
    assert UNREADABLE.functions
    assert UNREADABLE.refusal is not None


def test_two_readers_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyse, "find_relations", lambda _skeleton: ([], []))
    assert reason("select 1 from t") is Reason.UNKNOWN_SYNTAX
