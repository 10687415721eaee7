"""Directives in comments (C-03)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgcache.sql.hints import NO_HINTS, read_hints
from pgcache.sql.lexer import tokenize
from pgcache.sql.model import Hints


def hints(text: str) -> Hints:
    return read_hints(text, tokenize(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/* pgcache: ttl=60 tags=a,b */ SELECT 1", Hints(ttl=60.0, tags=("a", "b"))),
        ("SELECT 1 -- pgcache: off", Hints(off=True)),
        ("SELECT /*pgcache:refresh*/ 1", Hints(refresh=True)),
        ("-- PGCACHE: OFF\nSELECT 1", Hints(off=True)),
        ("/* pgcache: ttl = 5m ; tags = a , b */", Hints(ttl=300.0, tags=("a", "b"))),
        ("/* pgcache: ttl=1.5h, refresh */", Hints(ttl=5400.0, refresh=True)),
        ("/* pgcache: ttl='30s' */", Hints(ttl=30.0)),
        ("/* pgcache: ttl=250ms */", Hints(ttl=0.25)),
        ("/* pgcache: ttl=0 */", Hints(ttl=0.0)),
        ("/* pgcache: tag=a */ SELECT /* pgcache: tags=b,a */ 1", Hints(tags=("a", "b"))),
        ("/* pgcache: ttl=1 */ /* pgcache: ttl=2 */", Hints(ttl=2.0)),
        ("/* pgcache:\n  ttl=60\n  tags=Größe */", Hints(ttl=60.0, tags=("Größe",))),
    ],
)
def test_C03_directives(text: str, expected: Hints) -> None:
    assert hints(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '/* pgcache: off */'",
        'SELECT "-- pgcache: off"',
        "SELECT $$ /* pgcache: off */ $$",
        "SELECT 'a' -- x\n '/* pgcache: off */'",
        "/* see /* pgcache: off */ */ SELECT 1",
        "-- not pgcache: off\nSELECT 1",
        "/* pgcache off */ SELECT 1",
        "SELECT pgcache FROM t",
        "/* pgcache: off",
        "",
    ],
)
def test_only_comments_of_their_own_direct(text: str) -> None:
    assert hints(text) == NO_HINTS


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/* pgcache: ttl=soon */", "ttl=soon"),
        ("/* pgcache: ttl=-1 */", "ttl=-1"),
        ("/* pgcache: ttl= */", "ttl="),
        ("/* pgcache: tags= */", "tags="),
        ("/* pgcache: of */", "of"),
        ("/* pgcache: off=1 */", "off=1"),
        ("/* pgcache: {off} */", "{off}"),
    ],
)
def test_what_is_wrong_is_told_and_ignored(text: str, word: str) -> None:
    found = hints(text)
    assert found == Hints(problems=found.problems)
    (problem,) = found.problems
    assert problem.startswith(word)


@settings(deadline=None)
@given(st.text())
def test_no_comment_fails(body: str) -> None:
    assert isinstance(hints(f"/* pgcache: {body} */ SELECT 1 -- pgcache: {body}"), Hints)


def test_endless_lists_are_cut() -> None:
    found = hints("/* pgcache: " + "x " * 10_000 + " tags=" + "a," * 10_000 + " */")
    assert len(found.problems) < 100


def test_stale_if_error_is_a_time() -> None:
    assert hints("/* pgcache: ttl=1m stale_if_error=2h */") == Hints(ttl=60, stale_if_error=7200)
    (problem,) = hints("/* pgcache: stale_if_error=long */").problems
    assert problem.startswith("stale_if_error=long: write a time")
