"""Whether the origin can be reached, found out once for all sessions that have lost it.

Counterpart: ``outage`` asks here before it goes on without the origin. Must not know: what sessions
do meanwhile.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from pgcache.config import Origin
from pgcache.metrics.counters import Counters
from pgcache.proxy.origin import OriginConnection, OriginUnreachable, connect_origin
from pgcache.wire import codes
from pgcache.wire.messages import error_code
from pgcache.wire.startup import PROTOCOL_3_0, build_startup

log = structlog.get_logger("pgcache.proxy")

# How often a lost origin is looked for, in seconds.
_INTERVAL: Final = 1.0

Verdict = Callable[[str], None]


class Reach:
    """Tells those who ask, again and again, until the origin can be reached.

    ``find_problem`` says why nobody can log in there now, '' where somebody might. ``work`` runs
    a coroutine beside the conversation.
    """

    def __init__(
        self,
        find_problem: Callable[[], Awaitable[str]],
        work: Callable[[Coroutine[Any, Any, None]], None],
        counters: Counters,
        *,
        interval: float = _INTERVAL,
    ) -> None:
        self._find_problem = find_problem
        self._work = work
        self._counters = counters
        self._interval = interval
        self._asking: dict[object, Verdict] = {}
        self._told: set[object] = set()  # that it cannot be reached
        self._is_working = False
        self._has_come = asyncio.Event()

    def ask(self, who: object, verdict: Verdict) -> None:
        """Call ``verdict`` with why the origin cannot be reached, as often as that is found so.

        With '' once it can: that is the last time. No look that began before this call counts.
        """
        self._asking[who] = verdict
        self._has_come.set()
        if not self._is_working:
            self._is_working = True
            self._work(self._look())

    def forget(self, who: object) -> None:
        """``who`` is gone."""
        self._asking.pop(who, None)
        self._told.discard(who)
        self._counters.clients_cut_off = len(self._told)

    async def _look(self) -> None:
        is_lost = False
        try:
            while self._asking:
                self._has_come.clear()
                asking = dict(self._asking)
                problem = await self._find_problem()
                if problem and not is_lost:
                    log.error("origin lost, sessions go on with what is stored", problem=problem)
                elif is_lost and not problem:
                    log.info("the origin is back, sessions that went on without it end")
                is_lost = bool(problem)
                self._tell(asking, problem)
                await self._rest()
        finally:
            self._is_working = False

    def _tell(self, asking: dict[object, Verdict], problem: str) -> None:
        for who, verdict in asking.items():
            if self._asking.get(who) is not verdict:
                continue
            if problem:
                self._told.add(who)
            else:
                self.forget(who)
            verdict(problem)
        self._counters.clients_cut_off = len(self._told)

    async def _rest(self) -> None:
        """Wait for the next look: those who have come meanwhile do not wait."""
        if not self._asking:
            return
        try:
            async with asyncio.timeout(self._interval):
                await self._has_come.wait()
        except TimeoutError:
            pass


async def find_problem(origin: Origin, context: ssl.SSLContext | None) -> str:
    """Why nobody can log in at the origin now, '' where somebody might.

    A startup packet is sent, because a PostgreSQL that is starting, stopping or recovering takes
    connections, and says so only then (57P01 to 57P03). No login is finished.
    """
    try:
        connection = await connect_origin(origin, context)
    except OriginUnreachable as error:
        return error.message
    try:
        async with asyncio.timeout(origin.connect_timeout):
            answer = await _first_message(connection, origin)
    except TimeoutError:
        return f"no answer within {origin.connect_timeout:g} s"
    finally:
        connection.close()
    if not answer:
        return "it hung up"
    if answer[0] != codes.ERROR_RESPONSE:
        return ""
    code = error_code(answer)
    # A pooler in between says with class 08 that it does not reach PostgreSQL; 08P01 is about us.
    is_away = code.startswith(("57P", "08")) and code != "08P01"
    return f"it lets nobody in ({code})" if is_away else ""


async def _first_message(connection: OriginConnection, origin: Origin) -> bytes:
    """What the origin says to a startup packet; b'' if it hangs up."""
    over = asyncio.Event()
    heard = bytearray()

    def on_data(data: bytes) -> None:
        heard.extend(data)
        if len(heard) >= 5 and len(heard) > int.from_bytes(heard[1:5], "big"):
            over.set()

    connection.on_data, connection.on_lost = on_data, over.set
    connection.send(build_startup(PROTOCOL_3_0, {"user": origin.user, "database": origin.dbname}))
    await over.wait()
    return bytes(heard)
