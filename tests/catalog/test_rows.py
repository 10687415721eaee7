"""The rows that the loader fills: their order is the columns' order in the queries."""

from __future__ import annotations

from types import GenericAlias
from typing import get_type_hints

import asyncpg
import pytest

from pgcache.catalog import queries, rows
from tests.support.postgres import Server

PAIRS = [
    (queries.RELATIONS, rows.RelationRow),
    (queries.FUNCTIONS, rows.FunctionRow),
    (queries.TYPES, rows.TypeRow),
    (queries.VIEWS, rows.ViewRow),
    (queries.POLICIES, rows.PolicyRow),
    (queries.DOMAINS, rows.DomainRow),
    (queries.TRIGGERS, rows.TriggerRow),
    (queries.FOREIGN_KEYS, rows.ForeignKeyRow),
    (queries.INHERITS, rows.InheritRow),
    (queries.OPERATORS, rows.OperatorRow),
    (queries.CASTS, rows.CastRow),
    (queries.SUPPORTS, rows.SupportRow),
    (queries.CALLED, rows.CalledRow),
    (queries.RULES, rows.RuleRow),
]
_TYPES: dict[str, type] = {"oid": int, "int4": int, "text": str, "bool": bool}


@pytest.mark.postgres
async def test_every_row_has_the_columns_of_its_query(postgres: Server) -> None:
    connection = await asyncpg.connect(postgres.url())
    try:
        for query, kind in PAIRS:
            prepared = await connection.prepare(query)
            columns = [_type_of(column.type.name) for column in prepared.get_attributes()]
            assert columns == list(get_type_hints(kind).values()), kind
    finally:
        await connection.close()


def _type_of(name: str) -> object:
    element = name.removesuffix("[]").removeprefix("_")
    plain = _TYPES[element]
    return plain if element == name else GenericAlias(tuple, (plain, ...))
