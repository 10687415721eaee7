"""Names to relations (S-10, S-11), and inheritance trees (C-20)."""

from __future__ import annotations

import pytest

from pgcache.catalog.resolve import Families, Resolver
from pgcache.catalog.rows import RelationRow
from pgcache.sql.model import Name

RESOLVER = Resolver(
    "db",
    [
        RelationRow(1259, "pg_catalog", "pg_class", "r", "p", False),
        RelationRow(20001, "public", "t", "r", "p", False, ("a", "b"), (23, 25)),
        RelationRow(20002, "s1", "t", "v", "p", False),
        RelationRow(20003, "s1", "pg_class", "r", "p", False),
        RelationRow(20004, "public", "pair", "c", "p", False),
    ],
)


@pytest.mark.parametrize(
    ("name", "path", "oids"),
    [
        (Name("t"), ("public",), {20001}),
        (Name("t"), ("s1", "public"), {20001, 20002}),
        (Name("t"), (), set()),
        (Name("t", "s1"), ("public",), {20002}),
        (Name("t", "public", "db"), (), {20001}),
        (Name("t", "public", "other"), (), set()),
        (Name("pg_class"), ("public",), {1259}),
        (Name("pg_class"), ("s1",), {1259, 20003}),
        (Name("pg_class"), ("s1", "pg_catalog"), {1259, 20003}),
        (Name("absent"), ("public",), set()),
        (Name("pair"), ("public",), set()),
    ],
)
def test_S11_find(name: Name, path: tuple[str, ...], oids: set[int]) -> None:
    assert {relation.oid for relation in RESOLVER.find(name, path)} == oids


@pytest.mark.parametrize(
    ("display", "count"), [("public.t", 1), ("public.absent", 0), ("t", 0), ("", 0)]
)
def test_names_of_the_configuration(display: str, count: int) -> None:
    assert len(RESOLVER.find_display(display)) == count


def test_C20_families_reach_up_and_down() -> None:
    families = Families([(2, 1), (3, 2), (4, 2), (4, 5)])
    assert families.descendants(1) == {1, 2, 3, 4}
    assert families.ancestors(4) == {4, 2, 1, 5}
    assert families.descendants(9) == families.ancestors(9) == {9}
