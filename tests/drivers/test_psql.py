"""psql through the proxy: a script of all it can say, compared with what it prints direct."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.drivers.conftest import Arena
from tests.support.postgres import Server
from tests.support.proxy import Proxy

pytestmark = pytest.mark.driver

_SCRIPT = r"""
select * from t where id <= 3 order by id;
select * from wide order by id;
\d t
\dn
\df noisy
\dt
begin;
insert into empty values (1, 'psql');
select * from empty;
savepoint a;
select 1/0;
rollback to a;
select * from empty;
rollback;
select * from empty;
select 1 as one \; select 2 as two \; select v from t where id = 1;
\set FETCH_COUNT 3
select id from t where id <= 10 order by id;
\unset FETCH_COUNT
select v from t where id = 2 \gdesc
select v from t where id = $1 \bind 3 \g
select format('select %s as n', id) from t where id <= 2 order by id \gexec
select v as val from t where id = 4 \gset got_
\echo :got_val
\copy (select id, v from t where id <= 3 order by id) to stdout csv header
copy empty from stdin;
10	ten
11	eleven
\.
select * from empty order by id;
delete from empty;
set datestyle = german;
select d from wide where id = 1;
reset all;
set search_path = s1;
table sh;
\encoding LATIN1
select v from public.t where id = 5;
\encoding UTF8
select noisy('x');
explain (costs off) select * from t where id = 1;
select broken from t;
select
  v
frm t;
prepare p as select v from t where id = $1;
execute p(6);
do $$ begin raise notice 'hi'; end $$;
call stepwise();
lock table t;
\lo_list
select count(*) from t;
"""


def _psql(where: Server | Proxy, database: str, *arguments: str, script: str = "") -> str:
    server = where if isinstance(where, Server) else where.server
    done = subprocess.run(
        [server.bin("psql"), "-X", *arguments],
        input=script,
        env=where.environment("app", database),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return f"{done.stdout}exit {done.returncode}"


@pytest.mark.parametrize("arguments", [("-a",), ("-1", "-At"), ("-v", "ON_ERROR_STOP=1")], ids=str)
def test_prints_the_same(arena: Arena, arguments: tuple[str, ...]) -> None:
    expected = _psql(arena.server, arena.database, *arguments, script=_SCRIPT)
    for _ in range(2):
        assert _psql(arena.proxy, arena.database, *arguments, script=_SCRIPT) == expected


def test_every_installed_version_of_psql(arena: Arena, postgres: Server) -> None:
    command = [postgres.bin("psql"), "-X", "-At", "-c", "select v from t where id = 7"]
    for _ in range(2):
        environment = arena.proxy.environment("app", arena.database)
        told = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
        assert told.stdout == "v7\n"


def test_startup_options_and_wrong_passwords(arena: Arena) -> None:
    def talk(where: Server | Proxy) -> list[str]:
        server = where if isinstance(where, Server) else where.server
        told = []
        for extra, query in (
            ({"PGOPTIONS": "-c search_path=s2 -c app.z=9"}, "table sh; show app.z"),
            ({"PGAPPNAME": "näme", "PGTZ": "Asia/Tokyo"}, "select tz from wide where id=1"),
            ({"PGPASSWORD": "wrong"}, "select v from t where id=1"),
            ({"PGDATABASE": "nowhere"}, "select 1"),
            ({"PGCLIENTENCODING": "LATIN1", "PGDATESTYLE": "German"}, "select d from wide"),
        ):
            done = subprocess.run(
                [server.bin("psql"), "-X", "-At", "-c", query],
                env={**where.environment("app", arena.database), **extra},
                capture_output=True,
                check=False,
            )
            told.append(
                (done.stdout + done.stderr).decode().replace(where.environment()["PGPORT"], "PORT")
            )
        return told

    expected = talk(arena.server)
    for _ in range(2):
        assert talk(arena.proxy) == expected


def test_large_results_come_whole(arena: Arena, tmp_path: Path) -> None:
    statement = (
        "copy (select g, repeat(md5(g::text), 30) from generate_series(1, 20000) g) to stdout"
    )
    outputs = []
    for where in (arena.server, arena.proxy):
        path = tmp_path / f"{where.environment()['PGPORT']}.out"
        _psql(where, arena.database, "-c", statement, "-o", str(path))
        outputs.append(path.read_bytes())
    assert len(outputs[0]) > 19_000_000
    assert outputs[0] == outputs[1]


def test_client_cancel(arena: Arena) -> None:
    environment = arena.proxy.environment("app", arena.database)
    with subprocess.Popen(
        [arena.server.bin("psql"), "-X", "-c", "select pg_sleep(60)"],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        with arena.server.connect("postgres", arena.database) as watcher:
            while not watcher.execute(
                "select 1 from pg_stat_activity where query like 'select pg_sleep(60)%'"
                " and state = 'active'"
            ).fetchone():
                pass
        running.send_signal(2)
        told, _ = running.communicate(timeout=30)
    assert "canceling statement due to user request" in told
