"""What casts are given, as far as their text tells (C-13)."""

from __future__ import annotations

import pytest

from pgcache.sql.analyse import analyse_read
from pgcache.sql.lexer import tokenize
from pgcache.sql.model import Cast, Name, Read


def read(sql: str) -> Read:
    return analyse_read(sql, list(tokenize(sql)))


def told(cast: Cast) -> str:
    """The columns, and '?' where there may be more."""
    names = [".".join(filter(None, (c.database, c.schema, c.name))) for c in cast.columns]
    return " ".join([*names, *(["?"] if cast.opaque else [])])


@pytest.mark.parametrize(
    ("expression", "given"),
    [
        ("a::date", "a"),
        ("x.a::date", "x.a"),
        ('s.x."A b"::date', "s.x.A b"),
        ("cast(a as timestamp(3) with time zone)", "a"),
        ("date(a)", "a"),
        ("b + a::timestamptz", "a"),
        ("-a::timestamptz", "a"),
        ("(b + a - c * 2)::timestamptz", "b a c"),
        ("(a)::timestamptz", "a"),
        ("a[1]::date", "a"),
        ("(array[a, b])[1]::date", "a b"),
        ("array[a, b]::date[]", "a b"),
        ("'2024-01-01'::date", ""),
        ("$1::date", ""),
        ("null::date", ""),
        ("current_date::timestamptz", ""),
        ("date_trunc('day', a)::date", ""),
        ("pg_catalog.date_trunc('day', a)::date", ""),
        ("s.date_trunc('day', a)::date", "?"),
        ("lower(a)::date", "?"),
        ("max(a)::date", "a"),
        ("coalesce(a, b, '2024-01-01')::date", "a b"),
        ("lag(a, 1) over (partition by c order by d)::date", "a"),
        ("max(a) filter (where c = 'x')::date", "a"),
        ("max(a) filter (where c = 'x') over (order by d)::date", "a"),
        ("(a at time zone 'UTC')::date", "a"),
        ("(a at time zone b)::date", "a b"),
        ("(a + interval '1' day to second)::date", "a"),
        ("(timestamp with time zone '2024-01-01' - a)::date", "a"),
        ("a::text::date", "?"),
        ("a::varchar(10)::date", "?"),
        ("a::timestamp::date", ""),
        ("a::timestamp(3) with time zone::date", ""),
        ("cast(cast(a as timestamp) as date)", ""),
        ("cast(cast(a as text) as date)", "?"),
        ("(a || b)::date", "a ?"),
        ("(a ->> 'b')::date", "a ?"),
        ("(case when a then b end)::date", "?"),
        ("case when a then b end::date", "?"),
        ("(select a from t)::date", "?"),
        ("(a).b::date", "a ?"),
        ("f(a).b::date", "?"),
        ("count(*)::date", ""),
        ("(a.b.*)::date", "a.b ?"),
    ],
)
def test_C13_what_a_cast_is_given(expression: str, given: str) -> None:
    casts = read(f"select {expression} from t").casts
    assert told(casts[-1]) == given


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("timestamptz", "select a::timestamp with time zone from t"),
        ("timestamp", "select a::timestamp(3) without time zone from t"),
        ("timetz", "select time(0) with time zone '10:00' from t"),
        ("time", "select cast(a as time) from t"),
        ("moment", "select a::s.moment from t"),
        ("date", "select date '2024-01-01' from t"),
        ("timestamptz", "select r.a from t, jsonb_to_record(j) as r(a timestamptz)"),
        ("date", "select json_value(j, '$' returning date) from t"),
    ],
)
def test_types_of_the_grammar_have_names_too(name: str, sql: str) -> None:
    assert name in [cast.type.name for cast in read(sql).casts]


def test_timeless_types_of_the_grammar_are_left_out() -> None:
    assert (
        read("select a::int, b::varchar(3), c::double precision, interval '1' from t").casts == ()
    )


@pytest.mark.parametrize(
    ("sql", "labels"),
    [
        ("select a::date as b, c d from t x", {"x": "t"}),
        ("select b::date from (select a as b, lower(c) d from t) x", {"b": "a", "d": "?", "x": ""}),
        ("with y as (select a b from t) select b::date from y", {"y": "?", "b": "a"}),
        ("with y (b) as (select a from t) select b::date from y", {"y": "?", "b": "?"}),
        ("select d::date from generate_series(1, 2) as d, t", {"d": ""}),
        ("select d::date from t, f() as d(e, g)", {"d": "?", "e": "?", "g": "?"}),
        ("select a::date from t join u using (a)", {}),
        ("select a::date from (select (c).* from t) x", {"*": "?", "x": "?"}),
    ],
)
def test_C13_labels_and_what_they_are_given(sql: str, labels: dict[str, str]) -> None:
    found = {label.type.name: told(label) for label in read(sql).labels}
    assert found.keys() == labels.keys()
    assert {name: what for name, what in found.items() if labels[name]} == {
        name: what for name, what in labels.items() if what
    }


def test_AT_TIME_ZONE_is_noted() -> None:
    assert read("select a at time zone 'UTC' from t").zoned
    assert read("select timezone('UTC', a) from t").zoned
    assert not read("select a at from t").zoned


def test_labels_are_noted_only_beside_casts() -> None:
    assert read("select b from (select a as b from t) x").labels == ()


def test_what_must_be_own() -> None:
    (cast,) = read("select max(a)::date from t").casts
    assert cast == Cast(Name("date"), (Name("a"),), (Name("max"),))


def test_long_operands_are_not_looked_into() -> None:
    """Each cast would look at all that stands in it, however deep."""
    row = ", ".join(["b"] * 40)
    for operand in (f"coalesce({row})", f"({row.replace(',', ' +')})", f"max({row})"):
        for sql in (f"select {operand}::date from t", f"select cast({operand} as date) from t"):
            assert all(cast.opaque for cast in read(sql).casts), sql
            assert read(sql).casts
    (label,) = read(f"select c from (select coalesce({row}) as c, a::date from t)").labels
    assert label.opaque
