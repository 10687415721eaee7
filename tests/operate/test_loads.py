"""The documentation's snippets for dbt and Airflow, run by the tools themselves where they are.

They are too large to come with every run of the tests: these are collected only where the
environment names the program or its interpreter (`PGCACHE_TEST_DBT=/some/venv/bin/dbt`,
`PGCACHE_TEST_AIRFLOW=/some/venv/bin/python`; see `conftest.py`).
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.operate.conftest import TOKEN, Site
from tests.support.postgres import password_of
from tests.support.raw import eventually

DOCS = (Path(__file__).parents[2] / "docs" / "invalidation.md").read_text()
_DBT, _AIRFLOW = os.environ.get("PGCACHE_TEST_DBT"), os.environ.get("PGCACHE_TEST_AIRFLOW")
_PROFILE = """\
shop:
  target: dev
  outputs:
    dev:
      type: postgres
      host: 127.0.0.1
      port: {port}
      user: app
      password: {password}
      dbname: {database}
      schema: public
      threads: 2
"""

pytestmark = pytest.mark.postgres


def _snippet(language: str, first: str) -> str:
    found = re.search(rf"```{language}\n({first}.*?)```", DOCS, re.DOTALL)
    assert found is not None
    return found[1]


def _rows(site: Site, table: str) -> list[object]:
    with site.connect() as connection:
        return [row[0] for row in connection.execute(f"SELECT n FROM {table} ORDER BY n".encode())]


def _await(site: Site, table: str, rows: list[int]) -> None:
    """Wait until these are its rows, and are kept."""
    eventually(lambda: _rows(site, table) == rows)
    eventually(lambda: site.is_hit(f"SELECT n FROM {table} ORDER BY n"))


@pytest.mark.skipif(_DBT is None, reason="PGCACHE_TEST_DBT names no dbt")
def test_a_dbt_run_tells_of_its_load(site: Site, tmp_path: Path) -> None:
    """A model that grows, and one that is swapped in by its name."""
    site.start('[cache]\nttl = "1h"\n[invalidation]\nnotify_channel = "pgcache"\n')
    models = tmp_path / "models"
    models.mkdir()
    for name, kind in (("grown", "incremental"), ("swapped", "table")):
        (models / f"{name}.sql").write_text(
            f"{{{{ config(materialized='{kind}') }}}} select {{{{ var('n') }}}} as n"
        )
    head = "name: shop\nversion: '1.0'\nconfig-version: 2\nprofile: shop\n"
    (tmp_path / "dbt_project.yml").write_text(head + _snippet("yaml", "on-run-end:"))
    profile = _PROFILE.format(
        port=site.server.port, password=password_of("app"), database=site.database
    )
    (tmp_path / "profiles.yml").write_text(profile)
    for number in (1, 2):
        where = ("--project-dir", str(tmp_path), "--profiles-dir", str(tmp_path))
        subprocess.run(
            [str(_DBT), "run", *where, "--vars", f"n: {number}"],
            env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
            check=True,
            timeout=120,
        )
        expected = {"grown": [1, 2][:number], "swapped": [number]}
        for name, rows in expected.items():
            _await(site, name, rows)


@pytest.mark.skipif(_AIRFLOW is None, reason="PGCACHE_TEST_AIRFLOW names no Python with Airflow")
def test_a_task_of_airflows_tells_of_a_load(site: Site, admin_port: int, tmp_path: Path) -> None:
    site.execute("CREATE TABLE orders (n int)")
    site.start(
        f"[admin]\naddress = '127.0.0.1:{admin_port}'\ntoken = '{TOKEN}'\n"
        "[events.'order.created']\ntables = ['public.orders']\n"
    )
    assert _rows(site, "orders") == []
    eventually(lambda: site.is_hit("SELECT n FROM orders ORDER BY n"))
    site.execute("INSERT INTO orders VALUES (1)")
    (tmp_path / "shop.py").write_text(
        "from airflow.providers.http.operators.http import HttpOperator\n"
        "from airflow.sdk import DAG\n"
        "with DAG('shop') as dag:\n"
        + "".join(f"    {line}\n" for line in _snippet("python", "HttpOperator").splitlines())
        + "if __name__ == '__main__':\n    assert dag.test().state == 'success'\n"
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW_CONN_PGCACHE_ADMIN": f"http://127.0.0.1:{admin_port}",
        "AIRFLOW_VAR_PGCACHE_TOKEN": TOKEN,
    }
    for arguments in (("-m", "airflow", "db", "migrate"), (str(tmp_path / "shop.py"),)):
        subprocess.run([str(_AIRFLOW), *arguments], env=environment, check=True, timeout=180)
    assert _rows(site, "orders") == [1]
