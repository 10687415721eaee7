"""Prepared statements, cursors, notifications, locks, maintenance."""

from __future__ import annotations

import pytest

from pgcache.sql.model import Kind, Statement
from pgcache.sql.script import read_script


def read(text: str) -> Statement:
    (statement,) = read_script(text.encode()).statements
    return statement


@pytest.mark.parametrize(
    ("text", "kind", "verb", "name"),
    [
        ("EXECUTE P", Kind.EXECUTE, "EXECUTE", "p"),
        ('EXECUTE "P" (1, (2))', Kind.EXECUTE, "EXECUTE", "P"),
        ("DEALLOCATE p", Kind.DEALLOCATE, "DEALLOCATE", "p"),
        ("DEALLOCATE PREPARE p", Kind.DEALLOCATE, "DEALLOCATE", "p"),
        ("DEALLOCATE prepare", Kind.DEALLOCATE, "DEALLOCATE", "prepare"),
        ("DEALLOCATE ALL", Kind.DEALLOCATE, "DEALLOCATE ALL", ""),
        ("DEALLOCATE PREPARE ALL", Kind.DEALLOCATE, "DEALLOCATE ALL", ""),
        ('DEALLOCATE "all"', Kind.DEALLOCATE, "DEALLOCATE", "all"),
        ("CLOSE c", Kind.CLOSE, "CLOSE", "c"),
        ("CLOSE ALL", Kind.CLOSE, "CLOSE ALL", ""),
        ("FETCH c", Kind.FETCH, "FETCH", "c"),
        ("FETCH 10 FROM c", Kind.FETCH, "FETCH", "c"),
        ('fetch 10000 in "SQL_CUR0x7f"', Kind.FETCH, "FETCH", "SQL_CUR0x7f"),
        ("MOVE BACKWARD ALL IN c", Kind.FETCH, "MOVE", "c"),
        ("FETCH next", Kind.FETCH, "FETCH", "next"),
        ("LISTEN A", Kind.LISTEN, "LISTEN", "a"),
        ("UNLISTEN a", Kind.UNLISTEN, "UNLISTEN", "a"),
        ("UNLISTEN *", Kind.UNLISTEN, "UNLISTEN ALL", ""),
        ("NOTIFY a, 'b'", Kind.NOTIFY, "NOTIFY", "a"),
        ("CALL s.p(1)", Kind.CALL, "CALL", "p"),
    ],
)
def test_names(text: str, kind: Kind, verb: str, name: str) -> None:
    statement = read(text)
    assert (statement.kind, statement.verb, statement.name) == (kind, verb, name)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("LOCK a", Kind.LOCK, ["a"]),
        ("LOCK TABLE ONLY a, s.b IN SHARE MODE NOWAIT", Kind.LOCK, ["a", "b"]),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY s.m WITH DATA", Kind.REFRESH, ["m"]),
        ("VACUUM", Kind.MAINTENANCE, []),
        ("VACUUM (FULL, ANALYZE) a (x, y), b", Kind.MAINTENANCE, ["a", "b"]),
        ("VACUUM FULL VERBOSE a", Kind.MAINTENANCE, ["a"]),
        ("ANALYZE a (x)", Kind.MAINTENANCE, ["a"]),
        ("CLUSTER a USING i", Kind.MAINTENANCE, ["a"]),
        ("CLUSTER i ON a", Kind.MAINTENANCE, ["a"]),
        ("CLUSTER", Kind.MAINTENANCE, []),
        ("REINDEX TABLE CONCURRENTLY a", Kind.MAINTENANCE, ["a"]),
        ("REINDEX INDEX i", Kind.MAINTENANCE, []),
        ("CHECKPOINT", Kind.MAINTENANCE, []),
        ("LOAD 'x'", Kind.MAINTENANCE, []),
        ("DO $$BEGIN END$$", Kind.DO, []),
    ],
)
def test_C18_C35_T20_targets(text: str, kind: Kind, expected: list[str]) -> None:
    statement = read(text)
    assert statement.kind is kind
    assert [target.name.name for target in statement.targets] == expected


@pytest.mark.parametrize(
    "text",
    [
        "EXECUTE",
        "EXECUTE p q",
        "DEALLOCATE",
        "CLOSE",
        "CLOSE a b",
        "FETCH",
        "FETCH 10",
        "LISTEN",
        "LISTEN 'a'",
        "UNLISTEN",
        "NOTIFY",
        "CALL p",
        "CALL",
        "LOCK",
        "LOCK TABLE",
        "REFRESH",
        "REFRESH MATERIALIZED VIEW",
    ],
)
def test_Z00_what_is_not_understood_is_unknown(text: str) -> None:
    assert read(text).kind is Kind.UNKNOWN
