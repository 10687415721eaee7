"""Events: what applications say has happened, and what that invalidates (``[events]``).

A message is an event's name, or a JSON object with ``event`` or with an order's own keys
(``tables``, ``tags``, ``matching``, ``all``). One that has an ``id`` is carried out once in a
while: senders may repeat themselves, and streams may be read again.

Counterpart: ``bus`` carries the orders out. Must not know: how messages arrive.
"""

from __future__ import annotations

import difflib
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pgcache.config.model import EventConfig
from pgcache.invalidation.bus import Applied, Bus
from pgcache.invalidation.orders import KNOWN, Order, OrderError, read_order
from pgcache.metrics.counters import Source

_MAX_IDS: Final = 100_000
_LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True)
class Message:
    """What a message asks for. ``identity``: its id, '' where it has none."""

    order: Order
    identity: str = ""
    event: str = ""


class Events:
    """Reads messages and has their orders carried out.

    ``window``: seconds for which an id is remembered. ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        bus: Bus[Any],
        declared: Mapping[str, EventConfig],
        *,
        window: float,
        clock: Callable[[], float],
    ) -> None:
        self.bus = bus
        self._declared = declared
        self._window = window
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def reconfigure(self, declared: Mapping[str, EventConfig], window: float) -> None:
        """Take other events; ids that were seen stay known."""
        self._declared, self._window = declared, window

    def read(self, given: object, *, database: str = "") -> Message:
        """Understand one message. ``database`` is the only one it can be about, where given.

        Raises OrderError with advice.
        """
        if isinstance(given, str):
            return Message(self._order_of(given, database), event=given)
        if not isinstance(given, Mapping):
            raise OrderError("a message is a JSON object", hint=_EXAMPLE)
        identity = given.get("id", "")
        if isinstance(identity, int) and not isinstance(identity, bool):
            identity = str(identity)
        if not isinstance(identity, str) or len(identity) > _LONGEST_ID:
            raise OrderError(f'"id" must be a text of at most {_LONGEST_ID} characters')
        event = given.get("event")
        if event is None:
            order = read_order(given, database=database)
            if order.is_empty:
                raise OrderError("nothing is named that could be invalidated", hint=_EXAMPLE)
            return Message(order, identity)
        if not isinstance(event, str):
            raise OrderError('"event" must be a name', hint=_EXAMPLE)
        where = database or read_order({"database": given.get("database", "")}).database
        return Message(self._order_of(event, where), identity, event)

    def read_text(self, text: str, *, database: str = "") -> Message:
        """Understand a message that is an event's name or a JSON object. Raises OrderError."""
        text = text.strip()
        if text[:1] not in ("{", "["):
            return self.read(text, database=database)
        return self.read(parse_json(text), database=database)

    def read_fields(self, fields: Mapping[str, str]) -> Message:
        """Understand a stream's entry: ``message`` with a text as above, or fields of an object's
        names, ``tables`` and ``tags`` with commas between names. Raises OrderError."""
        if "message" in fields:
            return self.read_text(fields["message"])
        given: dict[str, Any] = dict(fields)
        for name in ("tables", "tags"):
            if name in given:
                given[name] = [part.strip() for part in fields[name].split(",")]
        if "all" in given:
            given["all"] = fields["all"].lower() in ("true", "1")
        return self.read(given)

    def apply(self, message: Message, source: Source) -> Applied | None:
        """Carry a message out; None where its id was seen before."""
        if message.identity and self._is_known(message.identity):
            return None
        applied = self.bus.apply(message.order, source)
        if message.identity:
            self._remember(message.identity)
        return applied

    def _order_of(self, event: str, database: str) -> Order:
        declared = self._declared.get(event)
        if declared is None:
            near = difflib.get_close_matches(event, self._declared, n=1)
            known = f'did you mean "{near[0]}"?' if near else "declare it in the configuration:"
            raise OrderError(
                f'no event is called "{event[:_LONGEST_ID]}"', hint=f'{known} [events."…"]'
            )
        return Order(tables=declared.tables, tags=declared.tags, database=database)

    def _is_known(self, identity: str) -> bool:
        seen_at = self._seen.get(identity)
        return seen_at is not None and self._clock() < seen_at + self._window

    def _remember(self, identity: str) -> None:
        now = self._clock()
        self._seen.pop(identity, None)
        self._seen[identity] = now
        while self._seen:
            oldest = next(iter(self._seen))
            if len(self._seen) <= _MAX_IDS and now < self._seen[oldest] + self._window:
                break
            del self._seen[oldest]


_EXAMPLE: Final = 'Write {"event": "…"}, or some of ' + ", ".join(
    f'"{key}"' for key in KNOWN if key != "database"
)


def parse_json(text: str | bytes) -> Any:
    """JSON as Python values. Raises OrderError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OrderError(f"this is not JSON: {error}", hint=_EXAMPLE) from None
