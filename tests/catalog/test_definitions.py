"""Stored expressions by relation."""

from __future__ import annotations

from pgcache.catalog.definitions import Definitions, expand
from pgcache.catalog.model import Relation, Server
from pgcache.catalog.resolve import Families
from pgcache.catalog.rows import PolicyRow, Rows, ViewRow
from pgcache.errors.reasons import Reason

VIEW = Relation(1, "public", "v", "v")
MATVIEW = Relation(2, "public", "m", "m")
TABLE = Relation(3, "public", "t", "r", row_security=True)
OPEN = Relation(4, "public", "o", "r")
LOST = Relation(5, "public", "lost", "v")
BY_OID = {relation.oid: relation for relation in (VIEW, MATVIEW, TABLE, OPEN, LOST)}


def tree(relation: int) -> str:
    return f"{{RANGETBLENTRY :rtekind 0 :relid {relation} :relkind r}}"


DEFINITIONS = Definitions(
    Rows(
        server=Server("db", 1, 150000),
        views=(ViewRow(1, tree(3)), ViewRow(2, tree(4))),
        policies=(
            PolicyRow(3, "reading", "r", tree(4)),
            PolicyRow(3, "all", "*", tree(6), tree(7)),
            PolicyRow(3, "inserting", "a", "", tree(8)),
            PolicyRow(4, "idle", "*", tree(9)),
        ),
    )
)


def test_reading_evaluates_views_and_policies_in_force() -> None:
    assert [(reason, facts.relations) for reason, facts in DEFINITIONS.read_by(TABLE)] == [
        (Reason.ROW_SECURITY_POLICY, frozenset({4})),
        (Reason.ROW_SECURITY_POLICY, frozenset({6})),
    ]
    assert [reason for reason, _ in DEFINITIONS.read_by(VIEW)] == [Reason.VIEW_DEFINITION]
    assert DEFINITIONS.read_by(OPEN) == DEFINITIONS.read_by(MATVIEW) == []


def test_Z00_a_view_without_a_definition_is_a_problem() -> None:
    ((_, facts),) = DEFINITIONS.read_by(LOST)
    assert facts.problem


def test_writing_evaluates_every_policy_and_the_query() -> None:
    reached = {oid for facts in DEFINITIONS.written_by(3) for oid in facts.relations}
    assert reached == {4, 6, 7, 8}
    assert DEFINITIONS.query(2).relations == {4}
    assert DEFINITIONS.query(4).relations == frozenset()


def test_expand_follows_views_children_and_policies() -> None:
    families = Families([(10, 4)])
    assert expand([1], BY_OID, families, DEFINITIONS) == {1, 3, 4, 6, 10}
    assert expand([2], BY_OID, families, DEFINITIONS) == {2}
