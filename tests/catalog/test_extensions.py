"""Functions of extensions that are known better than by their volatility."""

from __future__ import annotations

import pytest

from pgcache.catalog.builtins import SAFE
from pgcache.catalog.extensions import is_harmless_trigger, judge_extension
from pgcache.sql.model import Name
from tests.catalog.schema import PATH, load
from tests.support.postgres import Server


def test_a_name_counts_only_in_its_extension() -> None:
    assert judge_extension("pg_trgm", "similarity_op", "s") != SAFE
    assert judge_extension("other", "similarity_op", "s") is None
    assert is_harmless_trigger("moddatetime", "moddatetime")
    assert not is_harmless_trigger("", "moddatetime")


@pytest.mark.postgres
async def test_extensions_of_15(postgres15: Server) -> None:
    database = "catalog_extensions"
    postgres15.execute(f"drop database if exists {database}", f"create database {database}")
    with postgres15.connect() as connection:
        rows = connection.execute("select name from pg_available_extensions").fetchall()
    wanted = {"citext", "hstore", "moddatetime", "pg_trgm", "tablefunc", "unaccent", "uuid-ossp"}
    if not wanted <= {str(row[0]) for row in rows}:
        pytest.skip("PostgreSQL's own extensions are not installed")
    schema = await load(
        postgres15,
        database,
        *(f'create extension "{name}"' for name in sorted(wanted)),
        "create table person(id uuid default uuid_generate_v4(), name citext, tags hstore,"
        " at timestamptz)",
        "create trigger touched before update on person for each row"
        " execute function moddatetime(at)",
        "create view found as select * from person where name % 'x' and tags ? 'y'",
    )
    snapshot = schema.snapshot
    assert schema.write_names("person") == {"person"}
    assert schema.reads("found").refusal is None
    assert not snapshot.unsafe_operators
    threshold = frozenset({"pg_trgm.similarity_threshold"})
    assert snapshot.operator_settings["%"] == threshold <= snapshot.setting_names
    assert schema.reads("found").settings == threshold
    assert not snapshot.unsafe_type(Name("citext"), PATH)
    assert snapshot.function(Name("similarity"), PATH, 2, None).refusal is None
    assert snapshot.function(Name("unaccent"), PATH, 1, None).refusal is None
    assert snapshot.function(Name("crosstab"), PATH, 1, None).may_write
    assert snapshot.function(Name("set_limit"), PATH, 1, None).may_set
    generated = snapshot.function(Name("uuid_generate_v4"), PATH, 0, None)
    assert generated.refusal is not None
    assert not generated.may_write
    postgres15.execute(f"drop database {database}")
