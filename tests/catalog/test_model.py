"""Values of the catalog room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgcache.catalog.model import Relation, Server

SERVER = Server("db", 7, 150000, "42", 1, "1.5", "1.0")


@pytest.mark.parametrize(
    ("field", "value", "is_same"),
    [
        ("database", "renamed", True),
        ("database_oid", 8, False),
        ("version", 160000, False),
        ("system_identifier", "43", False),
        ("timeline", 2, False),
        ("started", "2.5", False),
        ("recovered", "2.0", False),
        ("in_recovery", True, False),
    ],
)
def test_S15_what_makes_another_history(field: str, value: object, is_same: bool) -> None:
    other = replace(SERVER, **{field: value})  # type: ignore[arg-type]
    assert other.is_same_history(SERVER) == is_same


def test_relations_are_equal_whatever_their_row_security() -> None:
    plain = Relation(1, "public", "t", "r")
    assert plain == Relation(1, "public", "t", "r", row_security=True)
    assert plain.display == "public.t"
