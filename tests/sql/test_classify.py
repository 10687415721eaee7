"""Every kind of statement against PostgreSQL's own parser (Z-00, C-10, C-30, C-40)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pglast import ast

from pgcache.sql.model import Kind, RelationRef, Statement
from pgcache.sql.script import read_script
from tests.sql import oracle
from tests.sql.corpus import STATEMENTS


def only_statement(text: str) -> Statement:
    script = read_script(text.encode())
    assert script.well_formed
    assert len(script.statements) == 1
    return script.statements[0]


def parsed(text: str) -> Any:
    trees = oracle.parse(text)
    assert trees is not None
    assert len(trees) == 1, "a block of the corpus holds one statement"
    return trees[0]


def nest(statement: Statement | None) -> Iterator[Statement]:
    while statement is not None:
        yield statement
        statement = statement.inner


def inner_node(node: Any) -> Any:
    """Return the statement inside of one that can hold one."""
    if isinstance(node, (ast.PrepareStmt, ast.ExplainStmt, ast.DeclareCursorStmt, ast.CopyStmt)):
        return node.query
    if isinstance(node, ast.CreateTableAsStmt):
        return node.query
    return None


@pytest.mark.parametrize("text", STATEMENTS)
def test_kind_is_that_of_the_parse_tree(text: str) -> None:
    statement, node = only_statement(text), parsed(text)
    assert statement.kind is oracle.kind_of(node)
    assert statement.verb
    assert statement.verb == statement.verb.upper()
    inner = inner_node(node)
    assert (statement.inner is None) == (inner is None)
    if statement.inner is not None:
        assert statement.inner.kind is oracle.kind_of(inner)


@pytest.mark.parametrize("text", STATEMENTS)
def test_targets_are_those_of_the_parse_tree(text: str) -> None:
    statement, node = only_statement(text), parsed(text)
    found: set[RelationRef] = set()
    for part in nest(statement):
        if part.kind is not Kind.MAINTENANCE and part.verb.split()[0] not in ("ALTER", "DROP"):
            found.update(part.targets)
    expected = oracle.writes_of(node)
    if statement.kind is Kind.DDL:  # a name more than the tree's does no harm
        assert found >= expected
    else:
        assert found == expected


@pytest.mark.parametrize("text", STATEMENTS)
def test_S09_temporary_objects_are_told(text: str) -> None:
    statement, node = only_statement(text), parsed(text)
    expected = oracle.temporary_of(node) or "pg_temp" in text
    assert any(part.temporary for part in nest(statement)) == expected


@pytest.mark.parametrize("text", STATEMENTS)
def test_spelling_does_not_matter(text: str) -> None:
    """Upper case, comments and line breaks change nothing but offsets."""
    spaced = f"/* INSERT INTO x; */ ;\n{text} -- DELETE FROM x;\n;"
    assert [plain(s) for s in read_script(spaced.encode()).statements] == [
        plain(only_statement(text))
    ]


def plain(statement: Statement) -> tuple[object, ...]:
    return tuple(
        (part.kind, part.verb, part.targets, part.settings, part.name, part.chain, part.cascade)
        for part in nest(statement)
    )


@pytest.mark.parametrize("text", STATEMENTS)
def test_W66_statements_part_where_the_parser_parts_them(text: str) -> None:
    joined = f"SELECT 1; {text}\n;BEGIN;{text}"
    kinds = [statement.kind for statement in read_script(joined.encode()).statements]
    one = only_statement(text).kind
    assert kinds == [Kind.SELECT, one, Kind.BEGIN, one]


@pytest.mark.parametrize("text", STATEMENTS)
def test_what_is_cut_off_never_becomes_a_query(text: str) -> None:
    """A statement that lost its last token is refused by PostgreSQL or is what the tree says."""
    words = text.split(" ")
    for count in range(1, len(words)):
        short = " ".join(words[:count])
        trees = oracle.parse(short)
        if trees is None:
            continue
        statements = read_script(short.encode()).statements
        assert [s.kind for s in statements] == [oracle.kind_of(tree) for tree in trees]
