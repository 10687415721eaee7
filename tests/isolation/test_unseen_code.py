"""Code that a query runs although its text does not show it, and that writes (C-31, Z-00)."""

from __future__ import annotations

import pytest

from tests.isolation.arena import Arena
from tests.support.postgres import SUPERUSER

_WRITES = (
    "language plpgsql volatile as"
    " $$ begin update public.kv set v = v || 'x'; return {answer}; end $$"
)
_SETUP = (
    "create type point2 as (x int)",
    "create table points (p point2)",
    "insert into points values (row(1)), (row(2)), (row(3))",
    "grant all on points to public",
    "create function compared(point2, point2) returns int " + _WRITES.format(answer="0"),
    "create function is_less(point2, point2) returns bool " + _WRITES.format(answer="false"),
    "create function as_number(point2) returns float8 " + _WRITES.format(answer="1"),
)
_OPERATORS = ("<<|", "<<=|", "==|", ">>=|", ">>|")
_ORDERING = (
    *(
        f"create operator {name} (leftarg = point2, rightarg = point2, function = is_less)"
        for name in _OPERATORS
    ),
    "create operator class point2_ops default for type point2 using btree as "
    + ", ".join(f"operator {n} {name}" for n, name in enumerate(_OPERATORS, 1))
    + ", function 1 compared(point2, point2)",
)


@pytest.mark.parametrize(
    "sql",
    [
        "select p from points order by p",
        "select count(*) from points group by p",
        "select count(distinct p) from points",
        "select p from points union select p from points",
        "select q from points q order by q",
        "select array[p] from points order by 1",
        "select row_number() over (order by p) from points",
        "analyze points",
    ],
)
def test_C31_what_orders_a_type_writes(arena: Arena, sql: str) -> None:
    arena.run(*_SETUP, *_ORDERING)
    _check(arena, sql)


@pytest.mark.parametrize("context", ["implicit", "assignment"])
def test_C31_a_cast_that_the_text_does_not_show_writes(arena: Arena, context: str) -> None:
    arena.run(
        *_SETUP,
        f"create cast (point2 as float8) with function as_number(point2) as {context}",
        "create table numbers (n float8)",
    )
    if context == "implicit":
        _check(arena, "select 1::float8 + p from points")
    _check(arena, "insert into numbers select p from points")


def test_C31_a_cast_only_where_it_is_named_lets_others_hit(arena: Arena) -> None:
    arena.run(*_SETUP, "create cast (point2 as float8) with function as_number(point2)")
    talker = arena.talk(SUPERUSER)
    talker.ask("create table noted ()")
    read = "select v from kv"
    arena.warm(read)
    talker.ask("select (p).x from points")
    assert "; hit" in _verdict_of(arena, read)


def _check(arena: Arena, sql: str) -> None:
    """Run ``sql``, which writes: what was read before is not served any more."""
    read = "select v from kv"
    talker = arena.talk(SUPERUSER)
    talker.ask("create table if not exists noted ()")
    arena.warm(read)
    before = arena.truth(read)
    assert not talker.fails(sql)
    after = arena.truth(read)
    assert after != before
    assert arena.talk().ask(read) == after


def _verdict_of(arena: Arena, sql: str) -> str:
    talker = arena.talk()
    talker.ask(sql)
    return talker.verdict()
