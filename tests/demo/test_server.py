from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg
import pytest

from pgcache.demo import process
from pgcache.demo.server import SUPERUSER, EmbeddedPostgres
from pgcache.errors import StartError
from tests.demo.conftest import Filled

pytestmark = pytest.mark.postgres


def test_it_runs_and_asks_for_a_password(filled: Filled) -> None:
    server = filled.server
    assert server.is_running
    assert server.version.startswith("18.")
    assert server.psql.exists()
    with psycopg.connect(server.url(SUPERUSER, server.password, "postgres")) as connection:
        assert connection.info.server_version // 10000 == 18
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(SUPERUSER, "wrong", "postgres"))


def test_nothing_is_left_when_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    # as in a home directory that other users cannot enter: the programs are copied
    monkeypatch.setattr(process.Account, "can_reach", lambda _self, _path: False)
    with EmbeddedPostgres() as server:
        url = server.url(SUPERUSER, server.password, "postgres")
        folder = server.psql.parents[3]
        assert folder.name.startswith("pgcache-demo-")
        with psycopg.connect(url):
            pass
    assert not folder.exists()
    assert not server.is_running


def test_what_went_wrong_is_said_and_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[str] = []

    def remember(**options: str) -> str:
        folders.append(tempfile.mkdtemp(**options))
        return folders[0]

    monkeypatch.setattr("pgcache.demo.server.mkdtemp", remember)
    monkeypatch.setattr("pgcache.demo.server._SETTINGS", {"no_such_setting": "1"})
    with pytest.raises(StartError, match="no_such_setting"), EmbeddedPostgres():
        pass
    assert len(folders) == 1
    assert not Path(folders[0]).exists()
