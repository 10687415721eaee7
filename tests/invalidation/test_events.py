"""Events: what messages mean, and that a repeated one is carried out once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from pgcache.config.model import EventConfig
from pgcache.invalidation.bus import Applied, Bus
from pgcache.invalidation.events import Events, Message
from pgcache.invalidation.orders import Order, OrderError
from pgcache.metrics.counters import Source

WINDOW = 600.0


class Recorder:
    """Stands for the bus."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def apply(self, order: Order, source: Source) -> Applied:
        assert source is Source.HTTP
        self.orders.append(order)
        return Applied(("shop",), 1)


class Place:
    """Events on a recording bus, with a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.bus = Recorder()
        declared = {
            "order.created": EventConfig(tags=("revenue",), tables=("public.orders",)),
            "stock.moved": EventConfig(tables=("public.stock",)),
        }
        bus = cast("Bus[Any]", self.bus)
        self.events = Events(bus, declared, window=WINDOW, clock=lambda: self.now)

    def apply(self, message: Message) -> Applied | None:
        return self.events.apply(message, Source.HTTP)


CREATED = Order(tags=("revenue",), tables=("public.orders",))


@pytest.mark.parametrize(
    ("text", "order", "identity"),
    [
        ("order.created", CREATED, ""),
        (" order.created\n", CREATED, ""),
        ('{"event": "order.created", "id": "7", "amount": 3}', CREATED, "7"),
        ('{"event": "order.created", "id": 7}', CREATED, "7"),
        ('{"tables": ["public.t"], "id": "x"}', Order(tables=("public.t",)), "x"),
        ('{"tags": "a"}', Order(tags=("a",)), ""),
        ('{"all": true}', Order(everything=True), ""),
    ],
)
def test_messages(text: str, order: Order, identity: str) -> None:
    message = Place().events.read_text(text)
    assert (message.order, message.identity) == (order, identity)


def test_a_message_from_one_database_is_about_that_alone() -> None:
    events = Place().events
    for text in ("stock.moved", '{"event": "stock.moved", "database": "other"}'):
        order = Order(tables=("public.stock",), database="shop")
        assert events.read_text(text, database="shop").order == order


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        ("order.creatd", 'no event is called "order.creatd"', 'did you mean "order.created"'),
        ("zzz", 'no event is called "zzz"', "declare it"),
        ("{", "this is not JSON", '{"event"'),
        ("[1]", "a message is a JSON object", '{"event"'),
        ("{}", "nothing is named", '{"event"'),
        ('{"event": 1}', '"event" must be a name', '{"event"'),
        ('{"event": "order.created", "id": []}', '"id" must be a text', ""),
        ("[" * 100_000, "this is not JSON", '{"event"'),
    ],
)
def test_what_is_not_understood_is_advice(text: str, said: str, advice: str) -> None:
    with pytest.raises(OrderError, match=said) as raised:
        Place().events.read_text(text)
    assert advice in (raised.value.hint or "")


def test_an_id_is_carried_out_once_while_it_is_remembered() -> None:
    place = Place()
    message = Message(CREATED, "7")
    assert place.apply(message) == Applied(("shop",), 1)
    assert place.apply(message) is None
    place.now = WINDOW - 1
    assert place.apply(message) is None
    place.now = WINDOW
    assert place.apply(message) is not None
    assert place.bus.orders == [CREATED] * 2


def test_without_an_id_each_is_carried_out() -> None:
    place = Place()
    for _ in range(3):
        assert place.apply(Message(CREATED)) is not None
    assert len(place.bus.orders) == 3


def test_ids_are_forgotten_when_their_time_is_over() -> None:
    place = Place()
    for number in range(10):
        place.now = float(number)
        place.apply(Message(CREATED, str(number)))
    place.now = WINDOW + 5
    place.apply(Message(CREATED, "new"))
    assert list(place.events._seen) == ["6", "7", "8", "9", "new"]


def test_other_events_and_another_window_can_be_declared() -> None:
    place = Place()
    assert place.apply(Message(CREATED, "7")) is not None
    place.events.reconfigure({"order.paid": EventConfig(tags=("finance",))}, WINDOW * 2)
    assert place.events.read("order.paid").order == Order(tags=("finance",))
    with pytest.raises(OrderError, match="no event is called"):
        place.events.read("order.created")
    place.now = WINDOW + 1.0
    assert place.apply(Message(CREATED, "7")) is None, "what was seen is still known"
