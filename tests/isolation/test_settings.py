"""What changes results splits them: nobody gets the bytes of another's settings (S-01)."""

from __future__ import annotations

import pytest

from tests.isolation.arena import Arena

# What to set, and a query over a table whose bytes, columns or rows it changes.
CHANGES = [
    ("DateStyle = 'German'", "select d::text from s01"),
    ("IntervalStyle = 'iso_8601'", "select iv::text from s01"),
    ("TimeZone = 'Asia/Tokyo'", "select tz::text from s01"),
    ("extra_float_digits = 0", "select f from s01"),
    ("bytea_output = 'escape'", "select by::text from s01"),
    ("default_text_search_config = 'simple'", "select to_tsvector(t) from s01"),
    ("search_path = other, public", "select v from kv"),
    ("transform_null_equals = on", "select count(*) from s01 where n = null"),
    ("array_nulls = off", "select '{a,NULL}'::text[] from s01"),
    ("quote_all_identifiers = on", "select format('%I', lower(t)) from s01"),
    ("backslash_quote = off", "select E'a\\'b' from s01"),
    ("standard_conforming_strings = off", "select 'a\\\\b' from s01"),
    ("app.tenant = '2'", "select tenant from secured order by 1"),
    ("role = alice", "select current_user from s01"),
]


@pytest.fixture
def settled(arena: Arena) -> Arena:
    """Return the arena with a row of every kind that settings are about."""
    arena.run(
        "create table s01 (d date, iv interval, tz timestamptz, f float8, by bytea, m money,"
        " t text, n int, u text)",
        "insert into s01 values ('2024-02-29', '1 day 02:03', '2024-02-29 12:00+00',"
        " 0.1::float8 + 0.2,"
        " '\\x0001', 12.5, 'Cats', null, 'é')",
        "create schema other",
        "grant usage on schema other to public",
        "create table other.kv (k int, v text)",
        "insert into other.kv values (1, 'other')",
        "create table secured (tenant int)",
        "insert into secured values (1), (2)",
        "alter table secured enable row level security",
        "create policy own on secured"
        " using (tenant = nullif(current_setting('app.tenant', true), '')::int)",
        "grant select on s01, other.kv, secured to public",
        "grant alice to app",
    )
    arena.talk().ask("create table noted ()")  # the proxy looks at the catalogs
    return arena


@pytest.mark.parametrize(("setting", "query"), CHANGES, ids=[change for change, _ in CHANGES])
def test_S01_a_setting_that_changes_results_splits_them(
    settled: Arena, setting: str, query: str
) -> None:
    settled.warm(query)  # under the defaults
    changed, twin = settled.talk(), settled.direct()
    for talker in (changed, twin):
        talker.ask("set app.tenant = '1'" if "secured" in query else "select 1")
        talker.ask(f"set {setting}")
    expected = twin.ask(query)
    assert expected != settled.direct().ask(query)
    for _ in range(3):
        assert changed.ask(query) == expected
    plain, other = settled.talk(), settled.direct()
    assert plain.ask(query) == other.ask(query)
