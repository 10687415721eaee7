"""Databases whose encoding is not UTF-8: names are cut and folded in the database's own bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.conftest import Proxies
from tests.isolation.arena import Arena
from tests.support.postgres import SUPERUSER, Server

# In UTF-8 the long name is cut to the short one; in these encodings it is not.
_NUMBERS = itertools.count(1)
_UTF8 = "set client_encoding = 'UTF8'"
_NAMES = {
    "LATIN1": ("é" * 31, "é" * 40),
    "EUC_JP": ("日" * 21, "日" * 30),
}


@pytest.fixture(params=sorted(_NAMES))
def foreign(
    request: pytest.FixtureRequest, newest_postgres: Server, proxies: Proxies
) -> Iterator[Arena]:
    """Yield an arena on a database of such an encoding."""
    name = f"in_{request.param}_{next(_NUMBERS)}".lower()
    newest_postgres.execute(
        f"create database {name} encoding '{request.param}' template template0"
        " lc_collate 'C' lc_ctype 'C'",
    )
    arena = Arena(newest_postgres, proxies.plain(newest_postgres), name)
    yield arena
    arena.close()
    newest_postgres.execute(f"drop database {name} with (force)")


def _encoding_of(foreign: Arena) -> str:
    return str(foreign.truth("select getdatabaseencoding()")[0][0])


def test_S12_two_names_that_UTF8_would_cut_to_one(foreign: Arena) -> None:
    short, long = _NAMES[_encoding_of(foreign)]
    foreign.run(
        _UTF8,
        f'create table "{short}" (v text)',
        f'create table "{long}" (v text)',
        f"insert into \"{long}\" values ('old')",
        f'create view seen as select v from "{long}"',
    )
    read = "select v from seen"
    foreign.warm(read, SUPERUSER)
    foreign.talk(SUPERUSER, client_encoding="UTF8").ask(f"update \"{long}\" set v = 'new'")
    assert (
        foreign.talk(SUPERUSER, client_encoding="UTF8").ask(read)
        == foreign.truth(read)
        == [("new",)]
    )


def test_S12_a_temporary_table_is_not_taken_for_another(foreign: Arena) -> None:
    short, long = _NAMES[_encoding_of(foreign)]
    foreign.run(
        _UTF8,
        f'create table "{short}" (v text)',
        f"insert into \"{short}\" values ('old')",
        f'create view seen as select v from "{short}"',
    )
    read = "select v from seen"
    foreign.warm(read, SUPERUSER)
    writer = foreign.talk(SUPERUSER, client_encoding="UTF8")
    writer.ask(f'create temp table "{long}" (v text)')
    foreign.warm(read, SUPERUSER)
    writer.ask(f"update \"{short}\" set v = 'new'")
    assert (
        foreign.talk(SUPERUSER, client_encoding="UTF8").ask(read)
        == foreign.truth(read)
        == [("new",)]
    )


def test_S12_rows_in_another_encoding_hit_byte_for_byte(foreign: Arena) -> None:
    letter = _NAMES[_encoding_of(foreign)][0][0]
    foreign.run(_UTF8, "create table words (v text)", f"insert into words values ('{letter}')")
    own = _encoding_of(foreign)
    read = f"select v from words where v = '{letter}'"
    for encoding in ("UTF8", own):
        talker = foreign.talk(SUPERUSER, client_encoding=encoding)
        for _ in range(20):
            assert talker.connection.execute(read).fetchall() == [(letter,)]
            if "; hit" in talker.verdict():
                break
        else:
            pytest.fail(talker.verdict())
