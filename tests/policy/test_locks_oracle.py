"""Plans and effects against PostgreSQL itself: the locks that it takes tell what it touches.

A query takes a lock on every relation it reads (views and partitions included), a write a stronger
one on what it changes. What is cached must depend on all of the former, what is written must move
all of the latter.
"""

from __future__ import annotations

import psycopg
import pytest

from pgcache.catalog.model import EVERYTHING
from pgcache.policy.effects import plan_effects
from pgcache.policy.plan import View, plan_read
from pgcache.policy.ttl import Lifetimes
from pgcache.sql.model import Hints, Statement
from pgcache.sql.script import read_script
from tests.policy.case_files import CASES, Case
from tests.policy.conftest import Origin
from tests.support.postgres import SUPERUSER

READS = [case for case in CASES if case.cached is not None and "$1" not in case.sql]
# COPY talks to the client, EXPLAIN and PREPARE lock what they do not touch, the next are not for
# transactions, so that their locks are gone when they are done. The last cannot be run at all.
OTHERS = (
    *("copy", "explain", "prepare", "vacuum", "discard all", "rollback prepared"),
    "select from from",
)
# What a statement needs to find, made under no locks of its own transaction.
BEFORE = """
    set session_replication_role = replica;
    insert into orders (id) values (1) on conflict do nothing;
    select lo_create(5) where not exists (select from pg_largeobject_metadata where oid = 5)
"""
AFTER = """
    set session_replication_role = replica;
    delete from orders where id = 1
"""
SURROUNDINGS = {
    "release s": ("savepoint s",),
    "rollback to savepoint s": ("savepoint s",),
    "fetch all from c": ("declare c cursor for select 1",),
    "delete from refunds where current of c": (
        "insert into refunds (id) values (9)",
        "declare c cursor for select * from refunds",
        "fetch c",
    ),
}
WRITES = [
    case
    for case in CASES
    if case.changes not in (None, {"everything"}) and not case.sql.startswith(OTHERS)
]
CHANGING = ("RowExclusiveLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")
LOCKS = b"""
    select c.oid::int, l.mode
    from pg_catalog.pg_locks l join pg_catalog.pg_class c on c.oid = l.relation
    where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and c.oid >= 16384
    and c.relpersistence <> 't' and c.relkind not in ('i', 'I', 't', 'S')
    and c.oid not in (  -- a partition's parents are locked to see its bounds
        select a.relid from pg_catalog.pg_locks p, pg_catalog.pg_partition_ancestors(p.relation) a
        where p.pid = l.pid and p.relation <> a.relid)
"""


def run(origin: Origin, case: Case, user: str) -> list[tuple[int, str]] | psycopg.Error:
    """Run a statement and take it back; return the locks that it took."""
    with psycopg.connect(origin.server.url(user, origin.database)) as connection:
        path = ", ".join(f'"{name}"' for name in case.path)
        connection.execute(f"set local search_path to {path}".encode())
        try:
            for needed in SURROUNDINGS.get(case.sql.strip(), ()):
                connection.execute(needed.encode())
            connection.execute(case.sql.encode())
            return connection.execute(LOCKS).fetchall()
        except psycopg.Error as error:
            return error
        finally:
            connection.rollback()


def parse(case: Case) -> tuple[Statement, Hints]:
    script = read_script(case.sql.encode())
    (statement,) = script.statements
    return statement, script.hints


@pytest.mark.postgres
@pytest.mark.parametrize("case", READS, ids=str)
def test_a_cached_read_depends_on_all_that_it_locks(case: Case, origin: Origin) -> None:
    locks = run(origin, case, "app")
    assert isinstance(locks, list), locks
    plan = plan_read(*parse(case), View(case.path, "app"), origin.snapshot, Lifetimes())
    assert {oid for oid, _ in locks} <= set(plan.tags)


@pytest.mark.postgres
@pytest.mark.parametrize("case", WRITES, ids=str)
def test_a_write_moves_all_that_it_locks(case: Case, origin: Origin) -> None:
    origin.server.execute(BEFORE, database=origin.database)
    try:
        locks = run(origin, case, SUPERUSER)
    finally:
        origin.server.execute(AFTER, database=origin.database)
    assert isinstance(locks, list), locks
    statement, _ = parse(case)
    effects = plan_effects(statement, View(case.path, SUPERUSER), origin.snapshot)
    if effects.writes is EVERYTHING or effects.pins:
        return
    changed = {oid for oid, mode in locks if mode in CHANGING}
    assert changed <= effects.writes
