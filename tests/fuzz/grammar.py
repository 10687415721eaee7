"""Random SQL over a handful of names: queries, writes, definitions, settings.

The names are few, so that statements meet: a view's table is dropped, a table shadows another, a
function reads what a trigger writes. Many statements fail; they have to fail alike. What PostgreSQL
itself would not answer twice alike (clocks, oids, samples, unordered parallel plans) is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable

SCHEMAS = ("public", "s1", "s2")
TABLES = tuple(f"t{n}" for n in range(6))
VIEWS = ("v0", "v1", "v2")
ROLES = ("app", "alice", "bob")
COLUMNS = "id int, n int, v text"

_TEXTS = ("'a'", "'b'", "'A'", "E'\\x61'", "U&'\\0061'", "$$b$$", "'it''s'", "''", "null")
_SETTINGS = (
    "timezone = 'UTC'",
    "timezone = 'Asia/Tokyo'",
    "time zone 'America/New_York'",
    "datestyle = 'German'",
    "datestyle to iso, dmy",
    "intervalstyle = 'iso_8601'",
    "bytea_output = 'escape'",
    "extra_float_digits = -10",
    "extra_float_digits = '1'",
    "app.tenant = '1'",
    "app.tenant to 2",
    "app.\"Tenant\" = '2'",
    "quote_all_identifiers = on",
    "transform_null_equals = true",
    "array_nulls = off",
    "xmlbinary = hex",
    "standard_conforming_strings = off",
    "escape_string_warning = off",
    "client_min_messages = error",
    "client_encoding = 'LATIN1'",
    "names 'utf8'",
    "row_security = off",
    "default_text_search_config = 'simple'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_read_only = on",
    "statement_timeout = '60s'",
    "application_name = 'x'",
    "work_mem = '8MB'",
    "enable_seqscan = on",
    "plpgsql.variable_conflict = 'use_column'",
    "lc_monetary = 'C'",
    "nonsense_setting = 1",
    "timezone = 'Nowhere/Land'",
    "default_tablespace = ''",
    "session_replication_role = replica",
    "check_function_bodies = off",
    "seed = 0.5",
)
_PATHS = (
    "public",
    "s1, public",
    "s2, s1, public",
    '"$user", public',
    "pg_temp, public",
    "public, pg_catalog",
    "s1, public, pg_catalog",
    "''",
    "nowhere, public",
    '"S1", public',
)


class Grammar:
    """Makes statements by chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def one(self, *choices: str) -> str:
        """Choose."""
        return self._chance.choice(choices)

    def odds(self, share: float) -> bool:
        """Be true so often."""
        return self._chance.random() < share

    def _number(self) -> int:
        return self._chance.randint(0, 4)

    # Names

    def table(self) -> str:
        """Name a table."""
        name = self.one(*TABLES)
        if self.odds(0.06):
            return f"{self.one(*SCHEMAS, 'pg_temp')}.{name}"
        if self.odds(0.08):
            return self.one("public.t0", "s1.t0", "s2.t1", "public.t1")
        return self.one(name, name, name, name, f'"{name}"', name.upper())

    def view(self) -> str:
        """Name a view."""
        name = self.one(*VIEWS)
        return f"{self.one(*SCHEMAS)}.{name}" if self.odds(0.05) else name

    def relation(self) -> str:
        """Name what can be read."""
        return self.table() if self.odds(0.7) else self.one(self.view(), self.view(), "m0")

    # Expressions over the columns id, n, v

    def integer(self, depth: int = 2) -> str:
        """Make an integer expression."""
        k = self._number()
        plain = ["n", "id", str(k), f"n + {k}", "length(v)", "abs(n)", "coalesce(n, 0)"]
        plain += [f"n::bigint::int + {k}", "case when n > 1 then id else n end", "-n"]
        plain += ["array_length(array[n, id], 1)", "(array[n, id])[1]", "greatest(n, id)"]
        plain += ["row_number() over (order by id, n, v)", "position('a' in v)", "n % 3"]
        plain += [f"cast({k} as int)", f"'{k}'::int", "extract(year from date '2024-01-01')::int"]
        if depth:
            plain += [
                f"({self.scalar_query(depth - 1)})",
                f"f0({self.integer(depth - 1)})",
                f"f1({self.integer(depth - 1)})",
                f"public.f2({self.integer(0)})" if self.odds(0.1) else "n",
                f"sum({self.integer(0)}) over (partition by v)",
                f"nullif({self.integer(depth - 1)}, {k})",
                f"{self.integer(depth - 1)} |+| {k}",
            ]
        return self.one(*plain)

    def string(self, depth: int = 1) -> str:
        """Make a text expression."""
        plain = ["v", "upper(v)", "lower(v)", "v || 'x'", "v::varchar(1)::text", *_TEXTS]
        plain += ["'2024-01-01 00:00+00'::timestamptz::text", "0.1::float8 + 0.2::float8"]
        plain += [
            "'\\xdead'::bytea",
            "quote_ident('a b')",
            "format('%I', v)",
            "interval '26 hours'",
        ]
        plain += ["current_setting('app.tenant', true)", "current_setting('timezone')"]
        plain += ["to_char(1234.5, '9G999D9')", "current_user::text", "session_user::text"]
        plain += ["current_schema::text", "date '2024-02-03'::text", "array[n, null]::text"]
        plain += [
            "json_build_object('a', n)::text",
            "to_tsvector('cats')::text",
            "'{1,NULL}'::int[]",
        ]
        plain += ["timestamp '2024-01-01 10:00'::timestamptz", "'x'::e0", 'v collate "C"']
        plain += ["current_role::text", "to_timestamp('2024', 'YYYY')", "'a' 'b'", "'a'\n'b'"]
        plain += [
            "1.5::numeric::text",
            "1::money::text",
            "true::text",
            "n::d0::text",
            "'{2,1}'::int[]",
        ]
        plain += [
            "id::text",
            "has_table_privilege('public.t0', 'select')::text",
            "v.length" if self.odds(0.1) else "v",
        ]
        if depth:
            plain += [f"g0({self.string(0)})", f"coalesce({self.string(0)}, '-')"]
            plain += [
                f"concat({self.string(0)}, {self.integer(0)})",
                f"n::text || {self.string(0)}",
            ]
        return self.one(*plain)

    def condition(self, depth: int = 1) -> str:
        """Make a predicate."""
        k = self._number()
        plain = [f"n = {k}", f"id <= {k}", "v like 'a%'", "v ~ '^[ab]'", f"n between 0 and {k}"]
        plain += ["n is distinct from id", f"n = any(array[{k}, 1])", "v = 'a' collate \"C\""]
        plain += ["true", "v is not null", "n = null", f"(n, id) > ({k}, 0)", "not n > 2"]
        plain += [f"n in ({k}, 1)", f"n === {k}", f"n operator(pg_catalog.=) {k}"]
        plain += ["n = current_setting('app.tenant', true)::int"]
        if depth:
            plain += [
                f"exists (select from {self.relation()} x where x.n = {k})",
                f"n in (select n from {self.relation()})",
                f"n > (select count(*) from {self.relation()}) - 3",
                f"{self.condition(0)} or {self.condition(0)}",
            ]
        return self.one(*plain)

    def scalar_query(self, depth: int = 0) -> str:
        """Make a query of one value."""
        aggregate = self.one(
            "count(*)", "max(n)", "sum(n)", "min(id)", "count(distinct v)", "agg0(n)"
        )
        return f"select {aggregate} from {self.source(depth)} where {self.condition(0)}"

    def source(self, depth: int = 1) -> str:
        """Make what stands in FROM."""
        relation = self.relation()
        plain = [relation, relation, f"only {relation}", f"{relation} *", f"{relation} as t0"]
        plain += [f"{relation} as x (id, n, v)", f"only ({relation})"]
        if depth:
            other = self.relation()
            plain += [
                f"{relation} join {other} using (id, n, v)",
                f"{relation} natural left join {other}",
                f"(select id, n, v from {other} where {self.condition(0)}) as t0",
                "(values (1, 2, 'a'), (2, 3, 'b')) as t0 (id, n, v)",
                f"{relation} t0, lateral (select count(*) c from {other} y where y.n = t0.n) l",
                f"(table {other}) t0",
                f"(select * from {other} union select * from {relation}) t0 (id, n, v)",
                f"{relation} t0 cross join generate_series(1, 2) g",
                f"{relation} t0 cross join lateral srf0(t0.n) s",
                "srf0(2) as t0 (id, n, v)",
                f"{relation} tablesample system (100)",
            ]
        return self.one(*plain)

    # Queries

    def query(self) -> str:
        """Make a query."""
        kinds: tuple[Callable[[], str], ...] = (
            self._plain_query,
            self._plain_query,
            self._plain_query,
            self._aggregate_query,
            self._cte_query,
            self._compound_query,
            self._odd_query,
        )
        text = self._chance.choice(kinds)()
        if self.odds(0.1):
            text = f"/* {self._number()} */ {text.replace(' from ', '  FROM ', 1)} -- x"
        return text

    def _tail(self) -> str:
        return self.one(
            *("", "", "", " order by 1, 2", " order by 1 desc nulls last", " limit 2"),
            *(" order by 1 using >", " offset 1", " order by 1 fetch first 1 rows with ties"),
            *(" for update", " limit (select 1)") if self.odds(0.2) else (),
        )

    def _plain_query(self) -> str:
        columns = self.one(
            "*",
            "*",
            f"id, {self.integer()}",
            f"n, {self.string()}",
            f'{self.string()}, {self.integer()} as "X"',
            "t0.*",
            "t0",
            f"distinct {self.integer(1)}",
            "distinct on (n) n, id",
            f"{self.condition()} as c, n",
        )
        where = f" where {self.condition()}" if self.odds(0.5) else ""
        return f"select {columns} from {self.source()}{where}{self._tail()}"

    def _aggregate_query(self) -> str:
        groups = self.one("n", "rollup (n)", "cube (n, v)", "grouping sets ((n), ())", "distinct n")
        value = self.one("count(*)", "sum(id)", "string_agg(v, ',' order by v)", "array_agg(id)")
        if self.odds(0.3):
            value = self.one("agg0(id)", "count(*) filter (where n > 1)", "max(v)", "grouping(n)")
        having = f" having count(*) > {self._number()}" if self.odds(0.2) else ""
        return f"select n, {value} from {self.source()} group by {groups}{having} order by 1, 2"

    def _cte_query(self) -> str:
        name = self.one("t2", "t0", "t1", "v0")
        inner = self.one(
            f"select * from {self.relation()}",
            f"select id, n, v from {name} where {self.condition(0)}",
            f"insert into {self.table()} values (9, 9, 'w') returning *",
        )
        if self.odds(0.8) and inner.startswith("insert"):
            inner = f"select * from {self.relation()}"
        style = self.one("", "", "recursive ", "")
        kind = self.one("", "materialized ", "not materialized ")
        outer = self.one(name, self.relation())
        return f"with {style}{name} as {kind}({inner}) select n, id from {outer}"

    def _compound_query(self) -> str:
        glue = self.one("union all", "union", "intersect", "except", "except all")
        left, right = self.relation(), self.relation()
        return f"select id, n from {left} {glue} select n, id from {right} order by 1, 2"

    def _odd_query(self) -> str:
        relation = self.relation()
        return self.one(
            f"table {relation}",
            f"values (({self.scalar_query()}))",
            f"select count(*) from {relation}",
            f"select ({self.scalar_query()}) as a, ({self.scalar_query()}) as b",
            f"select tableoid::regclass::text, n from {relation}",
            f"select ctid, n from {relation}",
            f"select x.n.n from {relation} x",
            f"select (x).v from (select x from {relation} x) y",
            f"select x.g0 from {relation} x",
            f"select current_user, count(*) from {relation}",
            f"select 'now'::date > '2000-01-01', n from {relation}",
            f"select relname from pg_class where relname = '{self.one(*TABLES)}'",
            f"explain (costs off) select * from {relation}",
            "select current_user, session_user, current_setting('search_path')",
            f"select set_config('app.tenant', '{self._number()}', false), count(*) from {relation}",
            f"select {self._writer()}, count(*) from {relation}",
            f"select cast(n as d0), v::e0 from {relation}",
            f"select n, v from {relation} x where x = row(1, 1, 'a')",
            f"select json_agg(x) from {relation} x",
            f"select query_to_xml('select 1', true, true, '')::text, n from {relation}",
            f"select pg_advisory_xact_lock(1), n from {relation}",
            f"select * into {self.one('temp ', '')}t5 from {relation}",
        )

    def _writer(self) -> str:
        k = self._number()
        if self.odds(0.6):
            return "n"
        return self.one(f"fw({k})", f"fset('{k}')", "nextval('q0')", "lo_creat(-1) > 0")

    def parametrised(self) -> tuple[str, int]:
        """Make a query with parameters; returns how many it has."""
        relation = self.relation()
        forms = (
            (f"select * from {relation} where n = $1", 1),
            (f"select n, $1 from {relation}", 1),
            (f"select v, $1::text, $2::int from {relation} where n < $2", 2),
            (f"select $1::timestamptz, n from {relation}", 1),
            (f"select count(*) from {relation} where v = $1", 1),
            (f"select f0($1), n from {relation} limit $2", 2),
            (f"select $1::date, n from {relation}", 1),
        )
        return self._chance.choice(forms)
