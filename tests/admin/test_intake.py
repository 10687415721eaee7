"""POST /events and /invalidate: what is taken, what is refused with which advice."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest

from pgcache.admin.intake import Intake
from pgcache.admin.site import Request, Site
from pgcache.config.model import AdminConfig, EventConfig
from pgcache.invalidation.bus import Applied, Bus
from pgcache.invalidation.events import Events
from pgcache.invalidation.orders import Order
from pgcache.metrics.counters import Source

TOKEN = "correct horse"


class Place:
    """The two routes on a bus that only remembers."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.unknown: tuple[str, ...] = ()
        declared = {"order.created": EventConfig(tags=("revenue",))}
        events = Events(cast("Bus[Any]", self), declared, window=60, clock=lambda: 0.0)
        self.site = Site(AdminConfig.model_validate({"token": TOKEN}))
        Intake(events).add_to(self.site)

    def apply(self, order: Order, source: Source) -> Applied:
        assert source is Source.HTTP
        self.orders.append(order)
        return Applied(("shop",), 1, self.unknown)

    def post(self, path: str, body: object, token: str = TOKEN) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"host": "pgcache:6480", "authorization": f"Bearer {token}"}
        answer = asyncio.run(self.site.respond(Request("POST", path, headers=headers, body=raw)))
        text = answer.body.decode()
        is_json = answer.content_type == "application/json"
        return answer.status, json.loads(text) if is_json else text.strip()


APPLIED = {"status": "applied", "databases": ["shop"], "count": 1}


def test_an_event_is_carried_out_once() -> None:
    place = Place()
    event = {"event": "order.created", "id": "7", "amount": 12}
    assert place.post("/events", event) == (200, APPLIED)
    assert place.post("/events", event) == (200, {"status": "duplicate"})
    assert place.orders == [Order(tags=("revenue",))]


def test_several_events_are_all_understood_before_the_first_is_carried_out() -> None:
    place = Place()
    good, bad = {"event": "order.created"}, {"event": "order.creatd"}
    assert place.post("/events", [good, bad])[0] == 404
    assert place.orders == []
    assert place.post("/events", [good, {"tags": ["x"]}]) == (200, [APPLIED] * 2)
    assert place.orders == [Order(tags=("revenue",)), Order(tags=("x",))]


def test_orders() -> None:
    place = Place()
    order = {"tables": ["public.t"], "matching": "select%", "database": "shop", "id": "a"}
    assert place.post("/invalidate", order) == (200, APPLIED)
    assert place.post("/invalidate", order) == (200, {"status": "duplicate"})
    assert place.orders == [Order(tables=("public.t",), patterns=("select%",), database="shop")]


def test_a_table_that_no_database_has_is_said() -> None:
    place = Place()
    place.unknown = ("public.ordres",)
    status, answer = place.post("/invalidate", {"tables": ["public.ordres"]})
    assert (status, answer["unknown_tables"]) == (404, ["public.ordres"])
    assert "schema.table" in answer["advice"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/events", b"{", 400, "this is not JSON"),
        ("/events", b"\xff", 400, "this is not JSON"),
        ("/events", [], 400, "send 1 to 100 events"),
        ("/events", [{"tags": "x"}] * 101, 400, "send 1 to 100 events"),
        ("/events", "order.created", 400, "send a JSON object"),
        ("/events", {"event": "order.creatd"}, 404, 'did you mean "order.created"?'),
        ("/events", {}, 400, "nothing is named that could be invalidated"),
        ("/invalidate", {"tabels": ["t"]}, 400, '"tabels" is not known here; known are tables'),
        ("/invalidate", {"tables": ["a..b"]}, 400, "is no table's name (Write it as schema.table"),
        ("/invalidate", {"event": "order.created"}, 400, '"event" is not known here'),
        ("/invalidate", b" " * 65_537, 413, "larger than 65536 bytes"),
    ],
)
def test_what_is_refused(path: str, body: object, status: int, said: str) -> None:
    place = Place()
    found, advice = place.post(path, body)
    assert (found, said in advice) == (status, True), advice
    assert place.orders == []


@pytest.mark.parametrize("path", ["/events", "/invalidate"])
def test_nothing_without_the_token(path: str) -> None:
    place = Place()
    assert place.post(path, {"all": True}, token="wrong")[0] == 401
    assert place.orders == []
