"""The stored expressions of a database, read once: views and row security policies.

Counterpart: ``nodetree.py`` reads one expression; ``reads.py`` and ``writes.py`` ask here what
belongs to a relation. No I/O.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pgcache.catalog.model import Relation
from pgcache.catalog.nodetree import NO_FACTS, TreeFacts, parse_tree
from pgcache.catalog.resolve import Families
from pgcache.catalog.rows import Rows
from pgcache.errors.reasons import Reason

_VIEW: Final = "v"
_READING_COMMANDS: Final = frozenset({"r", "*"})  # FOR SELECT, FOR ALL
# A view always has a definition; should it be missing, nothing is known of it.
_MISSING: Final = TreeFacts(problem="has no definition")


class PolicyFacts(NamedTuple):
    """What one policy evaluates: ``using`` on rows read, ``check`` on rows written."""

    command: str
    using: TreeFacts
    check: TreeFacts


class Definitions:
    """Views and policies by the relation they belong to."""

    __slots__ = ("_policies", "_views")

    def __init__(self, rows: Rows) -> None:
        self._views: Mapping[int, TreeFacts] = {
            view.relation: parse_tree(view.tree) for view in rows.views
        }
        self._policies: dict[int, list[PolicyFacts]] = defaultdict(list)
        for policy in rows.policies:
            self._policies[policy.relation].append(
                PolicyFacts(policy.command, parse_tree(policy.using), parse_tree(policy.check))
            )

    @property
    def settings(self) -> frozenset[str]:
        """All settings that any of the expressions asks current_setting() for."""
        using = [policy.using for policies in self._policies.values() for policy in policies]
        trees = [*self._views.values(), *using]
        return frozenset().union(*(facts.settings for facts in trees))

    def read_by(self, relation: Relation) -> list[tuple[Reason, TreeFacts]]:
        """The expressions that reading the relation evaluates, with what they are."""
        trees = []
        if relation.kind == _VIEW:
            trees.append((Reason.VIEW_DEFINITION, self._views.get(relation.oid, _MISSING)))
        if relation.row_security:
            trees += [
                (Reason.ROW_SECURITY_POLICY, policy.using)
                for policy in self._policies.get(relation.oid, ())
                if policy.command in _READING_COMMANDS
            ]
        return trees

    def written_by(self, oid: int) -> list[TreeFacts]:
        """The expressions that writing to (or refreshing) the relation may evaluate."""
        policies = self._policies.get(oid, ())
        return [self.query(oid), *(f for policy in policies for f in (policy.using, policy.check))]

    def query(self, oid: int) -> TreeFacts:
        """The query of a view or materialized view; nothing for other relations."""
        return self._views.get(oid, NO_FACTS)


def expand(
    oids: Iterable[int],
    relations: Mapping[int, Relation],
    families: Families,
    definitions: Definitions,
) -> frozenset[int]:
    """The relations and everything that reading them reads, without judging it."""
    found: set[int] = set()
    queue = list(oids)
    while queue:
        oid = queue.pop()
        if oid in found:
            continue
        found.add(oid)
        queue += families.descendants(oid)
        relation = relations.get(oid)
        if relation is not None:
            for _, facts in definitions.read_by(relation):
                queue += facts.relations
    return frozenset(found)
