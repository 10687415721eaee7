from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg
import pytest

from pgcache.demo import process
from pgcache.demo.postgres import SUPERUSER, Postgres
from pgcache.errors import StartError

pytestmark = pytest.mark.postgres


def _url(server: Postgres, password: str) -> str:
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{server.port}/postgres"


def test_who_may_log_in_and_how() -> None:
    hba = "host all all 127.0.0.1/32 trust\n"
    with (
        Postgres("pgcache-test-", {"work_mem": "5MB"}, hba) as server,
        psycopg.connect(_url(server, "any")) as connection,
    ):
        assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)


def test_nothing_is_left_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    # as in a home directory that other users cannot enter: the programs are copied
    monkeypatch.setattr(process.Account, "can_reach", lambda _self, _path: False)
    with Postgres("pgcache-test-", {}) as server:
        folder = server.bin.parents[2]
        assert folder.name.startswith("pgcache-test-")
        with psycopg.connect(_url(server, server.password)):
            pass
    assert not folder.exists()
    assert not server.is_running


def test_what_went_wrong_is_said_and_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[str] = []

    def remember(**options: str) -> str:
        folders.append(tempfile.mkdtemp(**options))
        return folders[0]

    monkeypatch.setattr("pgcache.demo.postgres.mkdtemp", remember)
    server = Postgres("pgcache-test-", {"no_such_setting": "1"})
    with pytest.raises(StartError, match=r"^PostgreSQL did not start: .*no_such_setting"), server:
        pass
    assert len(folders) == 1
    assert not Path(folders[0]).exists()
