"""SQLAlchemy through the proxy with each of its drivers: pools, pre-ping, streams, reflection."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from tests.drivers.conftest import Arena

pytestmark = pytest.mark.driver
dialects = pytest.mark.parametrize("dialect", ["psycopg2", "psycopg"])


def _url(url: str, dialect: str) -> str:
    return url.replace("postgresql:", f"postgresql+{dialect}:", 1)


@dialects
def test_pool_with_pre_ping(arena: Arena, dialect: str) -> None:
    def work(url: str) -> Any:
        engine = sa.create_engine(_url(url, dialect), pool_pre_ping=True)
        seen: list[Any] = []
        for number in (1, 2, 1, 2):
            with engine.connect() as connection:
                statement = sa.text("select * from t where id = :id")
                seen += [tuple(row) for row in connection.execute(statement, {"id": number})]
        with engine.begin() as connection:
            connection.execute(sa.text("insert into empty values (1, 'kept')"))
        with engine.connect() as connection:
            seen += [tuple(row) for row in connection.execute(sa.text("select * from empty"))]
        with engine.begin() as connection:
            connection.execute(sa.text("delete from empty"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            seen += [tuple(row) for row in connection.execute(sa.text("select * from empty"))]
        engine.dispose()
        return seen

    arena.same_thrice(work)


@dialects
def test_streams(arena: Arena, dialect: str) -> None:
    def work(url: str) -> Any:
        engine = sa.create_engine(_url(url, dialect))
        with engine.connect().execution_options(stream_results=True) as connection:
            result = connection.execute(sa.text("select * from t order by id"))
            rows = [tuple(row) for row in result.yield_per(300)]
        engine.dispose()
        return rows

    assert len(arena.same_thrice(work)) == 1000


@dialects
def test_reflection_and_expressions(arena: Arena, dialect: str) -> None:
    def work(url: str) -> Any:
        engine = sa.create_engine(_url(url, dialect))
        metadata = sa.MetaData()
        metadata.reflect(engine)
        parent, child = metadata.tables["parent"], metadata.tables["child"]
        statement = (
            sa.select(parent.c.name, sa.func.count())
            .join(child, child.c.parent == parent.c.id)
            .group_by(parent.c.name)
            .order_by(parent.c.name)
        )
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(statement)]
        engine.dispose()
        return sorted(metadata.tables), rows

    assert arena.same_thrice(work)[1] == [("one", 2), ("two", 1)]


def test_a_chart_of_superset(arena: Arena) -> None:
    def work(url: str) -> Any:
        engine = sa.create_engine(_url(url, "psycopg2"), poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(sa.text('set search_path = "s1"'))
            rows = [tuple(row) for row in connection.execute(sa.text("select a from sh limit 9"))]
        with engine.connect() as connection:
            connection.execute(sa.text('set search_path = "s2"'))
            rows += [tuple(row) for row in connection.execute(sa.text("select a from sh limit 9"))]
        engine.dispose()
        return rows

    assert arena.same_thrice(work) == [("in s1",), ("in s2",)]


@dialects
def test_hits(arena: Arena, dialect: str) -> None:
    def read(url: str) -> Any:
        engine = sa.create_engine(_url(url, dialect))
        with engine.connect() as connection:
            connection.execute(sa.text('set search_path = "s1"'))
            value = connection.execute(sa.text("select a from sh")).scalar_one()
        engine.dispose()
        return value

    arena.comes_from_the_cache(read)
