"""Stored expressions, as each supported version prints them (C-17)."""

from __future__ import annotations

import pytest

from pgcache.catalog.nodetree import NO_FACTS, TreeFacts, parse_tree
from tests.support.postgres import Server

NOW, RANDOM, UPPER = 1299, 1598, 871


def tree_of(server: Server, database: str, query: str) -> TreeFacts:
    with server.connect(database=database) as connection:
        connection.execute(f"create view probe as {query}".encode())
        row = connection.execute(
            "select ev_action::text from pg_rewrite where ev_class = 'probe'::regclass"
        ).fetchone()
    assert row is not None
    return parse_tree(str(row[0]))


@pytest.mark.postgres
def test_C17_builtins_that_leave_no_dependency_are_found(postgres: Server, database: str) -> None:
    facts = tree_of(postgres, database, "select now(), random(), upper('a')")
    assert facts.functions >= {NOW, RANDOM, UPPER}
    assert not facts.problem


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("expression", "clock"),
    [
        ("current_date", True),
        ("current_time(2)", True),
        ("current_timestamp", True),
        ("current_timestamp(3)", True),
        ("localtime", True),
        ("localtimestamp(0)", True),
        ("current_user", False),
        ("current_role", False),
        ("session_user", False),
        ("current_catalog", False),
        ("current_schema", False),
    ],
)
def test_C13_keyword_functions(
    newest_postgres: Server, newest_database: str, expression: str, clock: bool
) -> None:
    facts = tree_of(newest_postgres, newest_database, f"select {expression} as x")
    assert facts.clock == clock
    assert not facts.problem


@pytest.mark.postgres
@pytest.mark.parametrize(
    "query",
    [
        (
            "select a, sum(b) over (partition by a order by b range between 1 preceding"
            " and 1 following) from (values (1, 2)) v(a, b)"
        ),
        "with recursive r(n) as (select 1 union all select n + 1 from r where n < 5) table r",
        (
            "with recursive r(n) as (select 1 union all select n + 1 from r) cycle n set c using p"
            " select n, c from r"
        ),
        (
            "with recursive r(n) as (select 1 union all select n + 1 from r where n < 3)"
            " search depth first by n set o select n from r"
        ),
        "select a, grouping(a) from (values (1, 2)) v(a, b) group by grouping sets ((a), ())",
        "select a from (values (1)) v(a) group by rollup (a)",
        "select percentile_cont(0.5) within group (order by a) from (values (1)) v(a)",
        "select count(distinct a) filter (where a > 1) from (values (1)) v(a)",
        "select 1 as x union select 2 intersect select 3 except select 4",
        (
            "select case a when 1 then 'x' else coalesce(nullif(a::text, '1'), 'y') end as x,"
            " greatest(a, 2) as g, a is distinct from 2 as d, (a, 1) < (2, 3) as r,"
            " a in (1, 2) as i, array[a]::text[] as l, (row(a, 1)) is null as n,"
            " (a > 1) is true as b, 'x' collate \"C\" as c from (values (1)) v(a)"
        ),
        (
            "select * from generate_series(1, 3) g, lateral (select g + 1) z, "
            "rows from (unnest(array[1]), generate_series(1, 2)) with ordinality"
        ),
        (
            "select (array[1, 2])[1] as a, ('[1]'::jsonb)->0 as b, exists (select 1) as c,"
            " 1 = any (select 1) as d"
        ),
        "select x.f from (select row(1)::record) s(r), lateral (select 1 as f) x",
        "select * from json_to_recordset('[]') as j(a int, b date)",
        "select distinct on (a) a from (values (1), (2)) v(a) order by a limit 1 offset 1",
        "select a.x from (values (1)) a(x) full join (values (1)) b(x) using (x)",
    ],
)
def test_common_queries_are_understood(postgres: Server, database: str, query: str) -> None:
    assert tree_of(postgres, database, query).problem == ""


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "since"),
    [
        ("select json_object('a': 1 null on null returning jsonb) as x", 16),
        ("select json_arrayagg(a order by a) as x from (values (1)) v(a)", 16),
        ("select '{}' is json object as x", 16),
        ("select json_value('{}', '$.a' returning int default 0 on empty) as x", 17),
        ("select * from json_table('[]', '$[*]' columns (a int path '$.a'))", 17),
    ],
)
def test_sql_json_is_understood(postgres: Server, database: str, query: str, since: int) -> None:
    if postgres.major >= since:
        assert tree_of(postgres, database, query).problem == ""


@pytest.mark.postgres
@pytest.mark.parametrize("catalog", ["pg_catalog", "information_schema"])
def test_the_views_of_postgresql_are_understood(postgres: Server, catalog: str) -> None:
    with postgres.connect() as connection:
        rows = connection.execute(
            "select ev_action::text from pg_rewrite r join pg_class c on c.oid = ev_class"
            " where ev_type = '1' and relnamespace = %s::regnamespace",
            (catalog,),
        ).fetchall()
    assert len(rows) > 50
    for (tree,) in rows:
        facts = parse_tree(str(tree))
        assert not facts.problem
        assert facts.relations or facts.functions


@pytest.mark.postgres
def test_every_function_of_a_tree_is_found(postgres: Server) -> None:
    """Whatever field holds it: what pg_depend knows of functions must be found in the trees."""
    with postgres.connect() as connection:
        rows = connection.execute(
            "select r.ev_class, r.ev_action::text, array_agg(d.refobjid) filter (where"
            " d.refclassid = 'pg_proc'::regclass), array_agg(d.refobjid) filter (where"
            " d.refclassid = 'pg_class'::regclass)"
            " from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass"
            " and d.objid = r.oid where r.ev_type = '1' group by r.oid, r.ev_action::text"
        ).fetchall()
    for view, tree, functions, relations in rows:
        facts = parse_tree(str(tree))
        assert set(functions or ()) <= facts.functions  # type: ignore[call-overload]
        assert set(relations) - {view} <= facts.relations  # type: ignore[call-overload]


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from t tablesample system (10)", "TABLESAMPLECLAUSE"),
        ("select * from t for update", "ROWMARKCLAUSE"),
    ],
)
def test_Z00_unknown_nodes_are_a_problem(
    postgres: Server, database: str, query: str, words: str
) -> None:
    postgres.execute("create table t()", database=database)
    assert words in tree_of(postgres, database, query).problem


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("expression", "settings", "is_understood"),
    [
        ("current_setting('App.Tenant')", {"app.tenant"}, True),
        ("current_setting('app.tenant', true)::int", {"app.tenant"}, True),
        ("current_setting('a.b') || current_setting('c.d')", {"a.b", "c.d"}, True),
        ("current_setting('x.' || 'y')", set(), False),
        ("current_setting('a.b') || current_setting(lower('C.D'))", set(), False),
    ],
)
def test_settings_read_by_name(
    postgres: Server,
    database: str,
    expression: str,
    settings: set[str],
    is_understood: bool,
) -> None:
    facts = tree_of(postgres, database, f"select {expression} as x")
    assert facts.settings == settings
    assert (facts.problem == "") == is_understood


@pytest.mark.postgres
def test_an_alias_cannot_fake_a_field(postgres: Server, database: str) -> None:
    facts = tree_of(
        postgres, database, 'select 1 as " :funcid 1598 {TABLESAMPLECLAUSE", 2 as "} :relid 1259 "'
    )
    assert facts.problem == ""
    assert RANDOM not in facts.functions
    assert 1259 not in facts.relations


@pytest.mark.parametrize("text", ["", "<>"])
def test_no_expression_has_no_facts(text: str) -> None:
    assert parse_tree(text) is NO_FACTS


def test_negative_bytes_of_a_name_are_no_name() -> None:
    tree = (
        "{FUNCEXPR :funcid 2077 :args ({CONST :consttype 25 :constvalue 6"
        " [ 24 0 0 0 -61 -87 ]}) :location -1}"
    )
    assert parse_tree(tree).problem
