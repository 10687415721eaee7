"""Texts are analysed once, within bounds, and never answered for by another's meaning."""

from __future__ import annotations

from pgcache.sql.analyses import Analyses, Text
from pgcache.sql.model import Script


def text(sql: str, *, standard: bool = True, encoding: str = "utf-8") -> Text:
    return Text(sql.encode(), standard, encoding)


def analyses(max_items: int = 100, max_bytes: int = 1 << 20) -> Analyses:
    return Analyses(max_items, max_bytes=max_bytes)


def shares(one: Script, other: Script) -> bool:
    return one.statements[0] is other.statements[0]


def test_a_text_is_analysed_once() -> None:
    known = analyses()
    assert known.script(text("SELECT a FROM t")) is known.script(text("SELECT a FROM t"))
    assert known.knows(text("SELECT a FROM t"))
    assert not known.knows(text("SELECT b FROM t"))


def test_B01_B02_texts_that_differ_in_comments_share_one_script() -> None:
    known = analyses()
    one = known.script(text('-- Looker Query Context \'{"history_slug":"fc83"}\'\nSELECT a FROM t'))
    assert known.script(text("SELECT a FROM t -- Metabase:: userID: 5")) is one
    assert known.script(text("SELECT a FROM t /* pgcache: ttl=60 */")) is not one
    assert known.script(text("SELECT b FROM t")) is not one


def test_queries_that_differ_in_constants_share_their_analysis_and_no_key() -> None:
    known = analyses()
    one = known.script(text("SELECT a FROM t WHERE b = 1 AND c = 'x'"))
    other = known.script(text("SELECT a FROM t WHERE b = 2 AND c = 'y' /* pgcache: ttl=60 */"))
    assert shares(one, other)
    assert one.key_text == b"select a from t where b = 1 and c = 'x'"
    assert other.key_text == b"select a from t where b = 2 and c = 'y'"
    assert (one.hints.ttl, other.hints.ttl) == (None, 60.0)
    assert not shares(one, known.script(text("SELECT a FROM t WHERE b = 2 AND c = 'today'")))


def test_settings_keep_apart() -> None:
    known = analyses()
    for sql in ("SELECT a FROM t WHERE b = 'x'", "SELECT a FROM t WHERE b = 1"):
        one = known.script(text(sql))
        for other in (text(sql, standard=False), text(sql, encoding="latin1")):
            assert not shares(one, known.script(other))


def test_finding_changes_nothing() -> None:
    known = analyses()
    found = known.find(text("SELECT a FROM t"))
    assert not known.knows(text("SELECT a FROM t"))
    assert known.keep(found) is known.script(text("SELECT a FROM t"))


def test_what_was_used_least_lately_is_forgotten() -> None:
    known = analyses(max_items=2)
    for name in "aba":
        known.script(text(f"SELECT {name} FROM t"))
    known.script(text("SELECT c FROM t"))
    assert [name for name in "abc" if known.knows(text(f"SELECT {name} FROM t"))] == ["a", "c"]


def test_bytes_are_bounded_and_the_newest_stays_however_long_it_is() -> None:
    known = analyses(max_bytes=10_000)
    for name in "abc":
        known.script(text(f"SELECT '{name * 2000}' FROM t"))
    assert [n for n in "abc" if known.knows(text(f"SELECT '{n * 2000}' FROM t"))] == ["b", "c"]
    long = text(f"SELECT '{'d' * 100_000}' FROM t")
    known.script(long)
    assert known.knows(long)
    assert len(known.scripts) == 1
    known.script(text("SELECT a FROM t"))
    assert not known.knows(long)


def test_an_outline_in_use_is_kept() -> None:
    known = analyses(max_items=2)
    first = known.script(text("SELECT a FROM t WHERE b = 0"))
    for number in range(1, 5):
        assert shares(first, known.script(text(f"SELECT a FROM t WHERE b = {number}")))
        known.script(text(f"SELECT a{number} FROM t"))
