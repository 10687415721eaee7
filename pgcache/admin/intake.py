"""``POST /events`` and ``POST /invalidate``: what ETL jobs and applications tell pgcache.

Counterpart: ``invalidation/events`` understands and carries out. Decides nothing.
"""

from __future__ import annotations

from typing import Any, Final

from pgcache.admin.site import Access, Refused, Request, Response, Site
from pgcache.invalidation.bus import Applied
from pgcache.invalidation.events import Events, Message, parse_json
from pgcache.invalidation.orders import KNOWN, OrderError
from pgcache.metrics.counters import Source

_MAX_BODY: Final = 64 * 1024  # bytes
_MAX_EVENTS: Final = 100  # in one request


class Intake:
    """The two routes."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def add_to(self, site: Site) -> None:
        """Serve them, to those who have the token."""
        site.add("POST", "/events", self._on_events, Access.PROGRAM)
        site.add("POST", "/invalidate", self._on_invalidate, Access.PROGRAM)

    async def _on_events(self, request: Request) -> Response:
        """One event, or a list of them: all are understood before the first is carried out."""
        given = _body(request)
        several = given if isinstance(given, list) else [given]
        if not 0 < len(several) <= _MAX_EVENTS:
            raise Refused(400, f"send 1 to {_MAX_EVENTS} events at once")
        messages = [self._read(one) for one in several]
        answers = [await _describe(self._events.apply(m, Source.HTTP)) for m in messages]
        return Response.json(200, answers if isinstance(given, list) else answers[0])

    async def _on_invalidate(self, request: Request) -> Response:
        """One order; a table that no database has is a mistake that the job should hear of."""
        given = _body(request)
        if isinstance(given, dict):
            odd = sorted(given.keys() - {*KNOWN, "id"})
            if odd:
                known = ", ".join((*KNOWN, "id"))
                raise Refused(400, f'"{odd[0]}" is not known here; known are {known}')
        applied = self._events.apply(self._read(given), Source.HTTP)
        status = 404 if applied is not None and applied.unknown else 200
        return Response.json(status, await _describe(applied))

    def _read(self, given: object) -> Message:
        if not isinstance(given, dict):
            raise Refused(400, "send a JSON object")
        try:
            return self._events.read(given)
        except OrderError as error:
            status = 404 if "event" in given else 400
            advice = f" ({error.hint})" if error.hint else ""
            raise Refused(status, f"{error.message}{advice}") from None


def _body(request: Request) -> Any:
    if len(request.body) > _MAX_BODY:
        raise Refused(413, f"the body is larger than {_MAX_BODY} bytes")
    try:
        return parse_json(request.body)
    except OrderError as error:
        raise Refused(400, f"{error.message} ({error.hint})") from None


async def _describe(applied: Applied | None) -> dict[str, object]:
    """What came of it. ``duplicate``: this id was carried out before, and is not again."""
    if applied is None:
        return {"status": "duplicate"}
    answer: dict[str, object] = {
        "status": "applied",
        "databases": list(applied.databases),
        "count": await applied.whole_count(),
    }
    if applied.unknown:
        answer["unknown_tables"] = list(applied.unknown)
        answer["advice"] = "no database in use has these tables; write them as schema.table"
    return answer
