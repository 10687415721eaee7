from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pgcache.cli.checks import (
    check_lifetime,
    check_shared_store,
    check_store,
    check_tls,
    run_checks,
)
from pgcache.cli.findings import Finding, Grade
from pgcache.config import Config
from tests.support.postgres import Server
from tests.support.process import free_port
from tests.support.redis import RedisServer


def _config(url: str = "postgresql://u@h/d", **sections: Any) -> Config:
    return Config.model_validate({"upstream": {"url": url}, **sections})


def _by_matter(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.matter: finding for finding in findings}


def test_the_store() -> None:
    found = check_store(_config())
    assert found == Finding("store", Grade.GOOD, "memory://, 256MB, entries to 16MB")


@pytest.mark.parametrize(
    ("sections", "grade", "said"),
    [
        ({}, Grade.GOOD, "300s"),
        ({"cache": {"mode": "off"}}, Grade.GOOD, "opt in"),
        ({"tables": {"a.b": {"ttl": 1}}}, Grade.GOOD, "1 tables with their own"),
        ({"cache": {"enabled": False}}, Grade.WARNING, "nothing is cached"),
        ({"cache": {"ttl": 0}}, Grade.WARNING, "nothing is cached"),
        ({"cache": {"ttl": 0}, "tables": {"a.b": {"ttl": 1}}}, Grade.GOOD, "0s"),
    ],
)
def test_lifetimes(sections: dict[str, Any], grade: Grade, said: str) -> None:
    found = check_lifetime(_config(**sections))
    assert found.grade is grade
    assert said in found.found


def test_certificates_are_read_in_time(tmp_path: Path) -> None:
    assert check_tls(_config())[0].found == "not offered"
    cert = tmp_path / "c.pem"
    cert.touch()
    missing = check_tls(_config(tls={"cert": str(cert), "key": "/none"}))
    assert [finding.grade for finding in missing] == [Grade.FAILURE]
    assert "cannot read /none" in missing[0].found
    good = check_tls(_config(tls={"cert": str(cert), "key": str(cert)}))
    assert good[0].grade is Grade.GOOD


async def test_a_shared_store_that_answers(redis_server: RedisServer) -> None:
    found = await check_shared_store(_config(store={"url": redis_server.url()}))
    assert found.grade is Grade.GOOD
    assert found.found.startswith("Redis ")
    redis_server.say("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = await check_shared_store(_config(store={"url": redis_server.url()}))
    assert found.grade is Grade.WARNING
    assert "volatile-ttl" in found.advice


async def test_a_shared_store_that_is_not_there() -> None:
    config = _config(store={"url": f"redis://u:secret@127.0.0.1:{free_port()}/0"})
    found = await check_shared_store(config)
    assert found.grade is Grade.FAILURE
    assert "secret" not in found.found
    assert "Start it" in found.advice


async def test_an_origin_that_is_not_there() -> None:
    findings = await run_checks(_config(f"postgresql://u@127.0.0.1:{free_port()}/d"))
    origin = findings[-1]
    assert (origin.matter, origin.grade) == ("origin", Grade.FAILURE)
    assert "Connection refused" in origin.found
    assert origin.advice


@pytest.mark.postgres
async def test_all_is_well(postgres: Server) -> None:
    findings = _by_matter(await run_checks(_config(postgres.url("app"))))
    assert {finding.grade for finding in findings.values()} <= {Grade.GOOD, Grade.NOTE}
    assert f"PostgreSQL {postgres.major}." in findings["origin"].found
    assert findings["service role"].found == "app logs in"
    assert findings["catalogs"].found.startswith("postgres: read in ")
    assert findings["connections"].grade is Grade.NOTE
    assert "lacks REPLICATION" in findings["changes made elsewhere"].found


@pytest.mark.postgres
async def test_a_superuser_is_more_than_needed(newest_postgres: Server) -> None:
    findings = _by_matter(await run_checks(_config(newest_postgres.url())))
    assert findings["service role"].grade is Grade.WARNING
    assert "would allow it" in findings["changes made elsewhere"].found


@pytest.mark.postgres
async def test_a_wrong_password(newest_postgres: Server) -> None:
    findings = await run_checks(_config(newest_postgres.url("app", password="wrong")))
    assert findings[-1].grade is Grade.FAILURE
    assert "password authentication failed" in findings[-1].found
    assert "user and password in upstream.url" in findings[-1].advice


@pytest.mark.postgres
async def test_encryption_and_its_trap(postgres_tls: Server) -> None:
    url = postgres_tls.url("app")
    encrypted = _by_matter(await run_checks(_config(url)))["encryption"]
    assert encrypted.found.startswith("TLSv1.")
    assert encrypted.grade is Grade.GOOD
    tls = {"cert": "/none", "key": "/none"}
    both = _by_matter(await run_checks(_config(url, tls=tls)))["encryption"]
    assert both.grade is Grade.NOTE
    assert "channel_binding=disable" in both.advice  # W-21
