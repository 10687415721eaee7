"""Work of pgcache's own on one client's origin connection, while the client does not need it.

A client that was served a stale result has it refreshed here: with its own rights and settings,
after its answer, outside of transactions, once the connection has been at rest for a moment. The
client's next messages are held back while that runs, for a moment; then it is cancelled, and only
when the origin has taken notice do they go on (W-31, W-32). What is cancelled is not tried again
in the background: the next who asks waits for it, and the others go on with the stale result.

Counterpart: ``rerun`` has the conversation, ``session`` asks here before it forwards anything.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from pgcache.cache.entry import Entry
from pgcache.cache.shared.lookup import Grant, look_once
from pgcache.cache.shared.space import Space
from pgcache.cache.store import Outcome
from pgcache.errors.reasons import Reason, Refusal
from pgcache.proxy.capture import Capture
from pgcache.proxy.checking import check
from pgcache.proxy.chores import Chore, take_in, wanted_anew
from pgcache.proxy.decide import Ask, ask, flight_key
from pgcache.proxy.filling import forgo_large, keep
from pgcache.proxy.flow import Hold, Peer
from pgcache.proxy.recording import Asked, start_capture
from pgcache.proxy.rerun import Rerun
from pgcache.proxy.state import State
from pgcache.wire import codes
from pgcache.wire.messages import is_fatal

# How long the connection must have been at rest before it is used, in seconds.
IDLE = 0.05
# How long the client's next message waits for the end of what is running, in seconds.
PATIENCE = 0.1
# What one session may have to do.
_MAX_CHORES = 16

Cancel = Callable[[Callable[[], None]], None]


class Background:
    """One session's chores. ``send`` writes to the origin; ``is_quiet``: it owes nothing.

    ``is_active``: the session has to ask before it forwards, and when the origin says something.
    ``cancel`` has the origin cancel what it is doing and calls back when it has taken notice.
    ``on_asked`` is called when a shared store has said whether anything is to be done.
    """

    __slots__ = (
        "_chores",
        "_client",
        "_held",
        "_is_asking",
        "_is_cancelling",
        "_is_over",
        "_is_quiet",
        "_loop",
        "_rerun",
        "_running",
        "_send",
        "_state",
        "_timer",
        "_when_sent",
        "cancel",
        "is_active",
        "on_asked",
    )

    def __init__(
        self,
        state: State,
        client: Peer,
        send: Callable[[bytes], object],
        is_quiet: Callable[[], bool],
    ) -> None:
        self._state = state
        self._client = client
        self._send = send
        self._is_quiet = is_quiet
        self._loop = asyncio.get_running_loop()
        self.cancel: Cancel = lambda done: done()
        self.on_asked: Callable[[], None] = lambda: None
        self.is_active = False
        self._is_over = False  # nothing is begun any more
        self._chores: OrderedDict[bytes, Chore] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._is_asking = False  # the shared store, who renews it
        # what is running
        self._running: Chore | None = None
        self._rerun: Rerun | None = None
        self._is_cancelling = False
        self._held: list[bytes] = []
        self._when_sent: list[asyncio.Event] = []

    @property
    def is_running(self) -> bool:
        """Whether the origin is at work for pgcache."""
        return self._rerun is not None

    @property
    def is_needed(self) -> bool:
        """Whether the connection is in use, or may be in a moment."""
        return self._rerun is not None or self._is_asking

    @property
    def has_work(self) -> bool:
        """Whether something is running or waiting."""
        return self.is_needed or bool(self._chores)

    def add(self, chore: Chore | None) -> None:
        """Have this done when the connection is at rest."""
        if chore is not None and not self._is_over and len(self._chores) < _MAX_CHORES:
            self._chores.setdefault(chore.key, chore)
            self.is_active = True

    # -- beginning

    def consider(self) -> None:
        """Something has happened: begin a little later, if nothing else happens."""
        if self._chores and self._timer is None and not self._is_busy and self._is_free():
            self._timer = self._loop.call_later(IDLE, self.begin)

    def begin(self) -> None:
        """Begin what waits, if the connection is free."""
        self._stop_timer()
        while self._chores and not (self._is_asking or self._is_busy) and self._is_free():
            engine = self._state.engine
            if engine.reruns >= engine.config.cache.refresh_limit:
                self._timer = self._loop.call_later(IDLE, self.begin)
                return
            self._start(self._chores.popitem(last=False)[1])
        self._settle()

    def _is_free(self) -> bool:
        """Whether the origin is at rest outside of a transaction, and the client at a boundary."""
        state, settings = self._state, self._state.settings
        return (
            settings is not None
            and not settings.in_transaction
            and state.status == codes.IDLE
            and not (state.local or state.unflushed or state.opaque or state.groups)
            and self._is_quiet()
        )

    def _start(self, chore: Chore, grant: Grant | None = None) -> None:
        """Ask the origin, unless it is no longer worth it; ``grant``: the shared store's leave."""
        state = self._state
        question = ask(state, chore.script, chore.prepared, chore.bind)
        if isinstance(question, Refusal) or question.key != chore.key:
            return
        settings, prepared = state.settings, chore.prepared
        if prepared is not None and settings and prepared.fingerprint != settings.fingerprint:
            return  # prepared now, it could mean something else (W-56)
        space = question.database.space
        if grant is None and space is not None and not chore.is_check:
            self._is_asking = True
            state.engine.background(self._ask_store(chore, question, space))
            return
        capture = self._record(chore, question)
        if capture is None:
            return
        if capture.lead is not None:
            capture.lead.grant = grant
        rerun = Rerun(capture, chore.limit, state.engine.clock, state.on_setting)
        self._running, self._rerun = chore, rerun
        state.engine.reruns += 1
        self._send(rerun.question(chore.text, prepared, chore.bind))

    async def _ask_store(self, chore: Chore, question: Ask, space: Space) -> None:
        """Renew it if nobody else has, or is at it (P7)."""
        engine = self._state.engine
        found: Entry | Grant | None = None
        try:
            found = await look_once(space, wanted_anew(chore, question, engine.clock()))
        finally:
            self._is_asking = False
            if isinstance(found, Entry):
                take_in(engine, question.database, found)
            elif found is not None:
                self._use(chore, found)
            self.begin()
            self.on_asked()

    def _use(self, chore: Chore, grant: Grant) -> None:
        """Renew a result with the store's leave, or give it back."""
        if self._is_busy or not self._is_free():
            self.add(chore)  # the client was faster
            grant.release()
            return
        if not self._is_over:
            self._start(chore, grant)
        if self._running is not chore:
            grant.release()

    def _record(self, chore: Chore, question: Ask) -> Capture | None:
        """What records the answer; None where it is no longer needed, or somebody else is at it."""
        engine, database = self._state.engine, question.database
        live = engine.store.get(question.key, database.generations, engine.clock())
        if live is not None and live is not chore.entry:
            return None
        asked = Asked(statement=chore.text)  # whoever asked first has been recorded
        if chore.is_check:
            if live is None:
                return None
            return start_capture(self._state, question, None, asked, is_check=True)
        key = flight_key(question, chore.limit)
        lead = database.flights.lead(key, question.tags, database.generations)
        return None if lead is None else start_capture(self._state, question, lead, asked)

    # -- the client needs its connection

    def takes(self, data: bytes) -> bool:
        """Whether ``data`` has to wait before it goes to the origin; it is sent later then."""
        if not self._is_busy:
            self._stop_timer()
            return False
        self._held.append(data)
        if len(self._held) == 1:
            self._client.hold(Hold.BACKGROUND, True)
            self._hurry()
        return True

    @property
    def is_holding(self) -> bool:
        """Whether something that the client sent is held back."""
        return bool(self._held)

    async def sent(self) -> None:
        """Wait until nothing is."""
        if self._held:
            sent = asyncio.Event()
            self._when_sent.append(sent)
            await sent.wait()

    def _hurry(self) -> None:
        """Wait for what is about to end, and have the rest cancelled."""
        if self._rerun is None or self._running is None:
            return
        spent = self._state.engine.clock() - self._rerun.capture.started
        if self._running.entry.cost_ms / 1000 - spent <= PATIENCE:
            self._stop_timer()
            self._timer = self._loop.call_later(PATIENCE, self._interrupt)
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        self._stop_timer()
        if self._rerun is not None and not self._is_cancelling:
            self._is_cancelling = True
            self._state.engine.counters.refreshes_interrupted += 1
            self.cancel(self._cancelled)

    def _cancelled(self) -> None:
        """The origin has taken notice: a later message can no longer be hit."""
        self._is_cancelling = False
        self._go_on()

    # -- the origin's answer

    def hear(self, data: bytes) -> bool:
        """Take the answer; whether the client was told something. Raises ProtocolViolation."""
        rerun = self._rerun
        if rerun is None:
            return False
        for_client = rerun.feed(data)
        for message in for_client:
            self._state.is_ended = self._state.is_ended or is_fatal(message)
            self._client.send(message)
        if rerun.is_over:
            self._finish(rerun)
            self.consider()
        return bool(for_client)

    def _finish(self, rerun: Rerun) -> None:
        state, chore, database = self._state, self._running, self._state.database
        assert chore is not None and database is not None
        self._end()
        capture = rerun.capture
        if chore.is_check:
            check(state, chore, capture if rerun.is_good else None)
        elif rerun.is_good:
            entry, outcome = keep(state, database, capture)
            lead, capture.lead = capture.lead, None
            if lead is not None:
                lead.finish(entry)
            if outcome is Outcome.STORED:
                state.engine.counters.refreshes += 1
            else:
                if outcome is Outcome.TOO_LARGE:
                    forgo_large(state, capture)
                state.engine.store.delete(chore.key)  # it would be stale for nothing
        else:
            self._fail(rerun, chore)
        self._go_on()

    def _fail(self, rerun: Rerun, chore: Chore) -> None:
        database = self._state.database
        if chore.is_check:
            check(self._state, chore, None)
            return
        if database is not None:
            key = chore.key if rerun.capture.lead is None else rerun.capture.lead.key
            database.flights.insist(key)
            if rerun.capture.failed is Reason.TOO_LARGE:
                forgo_large(self._state, rerun.capture)
        rerun.capture.fail(Reason.UNCACHEABLE_REPLY)
        if not self._is_cancelling:
            self._state.engine.counters.refreshes_failed += 1

    def _end(self) -> None:
        self._rerun = self._running = None
        self._state.engine.reruns -= 1
        self._stop_timer()

    def _go_on(self) -> None:
        """Send what was held back, once nothing of pgcache's own can be in its way."""
        if self._is_busy:
            return
        held, self._held = self._held, []
        for data in held:
            self._send(data)
        if held:
            self._client.hold(Hold.BACKGROUND, False)
        waiting, self._when_sent = self._when_sent, []
        for event in waiting:
            event.set()
        self._settle()

    # -- the end

    def drop(self) -> None:
        """Begin nothing more, whatever is served from now on."""
        self._is_over = True
        self._chores.clear()
        self._settle()

    def lost(self) -> None:
        """The origin is gone, and with it what it was doing."""
        if self._rerun is not None and self._running is not None:
            self._fail(self._rerun, self._running)
            self._end()
        self._is_cancelling = False
        self._held.clear()
        self._go_on()
        self.drop()
        self._stop_timer()

    # -- how it is done

    @property
    def _is_busy(self) -> bool:
        return self._rerun is not None or self._is_cancelling

    def _settle(self) -> None:
        self.is_active = self._is_busy or self._is_asking or bool(self._chores)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
