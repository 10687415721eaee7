"""The page of several workers: one set of figures, and buttons that act on all of them."""

from __future__ import annotations

import re
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests.support.raw import RawClient, eventually
from tests.workers.conftest import TOKEN, Workers

QUERY = "select a from t"


def _page(workers: Workers) -> str:
    with urlopen(f"http://{workers.admin}/", timeout=10) as answer:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.read().decode()))


def _press(workers: Workers, button: str, **fields: str) -> None:
    body = urlencode({"token": TOKEN, **fields}).encode()
    with urlopen(Request(f"http://{workers.admin}/do/{button}", body), timeout=10):
        pass


def _verdicts(clients: list[RawClient]) -> list[str]:
    """What each worker says of the same query, asked in turn."""
    found = []
    for client in clients:
        client.query(QUERY)
        found.append(str(client.rows("show pgcache.last")))
    return found


def test_figures_are_summed_and_buttons_reach_all(workers: Workers, newest_database: str) -> None:
    workers.proxy.server.execute("create table t as select 1 a", database=newest_database)
    opened = workers.spread(lambda: RawClient(workers.proxy.address, newest_database))
    clients = list(opened.values())
    eventually(lambda: all("; hit" in verdict for verdict in _verdicts(clients)))

    hits = int(workers.stats()["hits"])
    assert hits >= len(clients)
    # Whichever worker draws it, it is the same page.
    for _ in range(4):
        assert f" {hits:,} hits " in _page(workers)
    for _ in range(3):  # a connection each, which the kernel deals to either worker
        _press(workers, "pause")
        assert all("paused" in verdict for verdict in _verdicts(clients))
        assert " paused · " in _page(workers)
        _press(workers, "resume")
        eventually(lambda: all("; hit" in verdict for verdict in _verdicts(clients)))
    _press(workers, "invalidate", kind="TABLE", name="public.t")
    assert "; hit" not in _verdicts(clients)[0]
    for client in clients:
        client.socket.close()
