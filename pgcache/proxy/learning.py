"""What a session waits for before its turns can be decided: the catalogs, its own settings, the
analysis of a long text.

Counterpart: ``probes`` asks the session, ``catalog.service`` reads the catalogs, ``reading`` texts.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from pgcache.proxy.engine import Database
from pgcache.proxy.probes import Prober
from pgcache.proxy.reading import LONG_TEXT, Reader
from pgcache.proxy.runs import Message, Run
from pgcache.proxy.state import State
from pgcache.sql.analyses import Text
from pgcache.wire import codes
from pgcache.wire.messages import Parse

log = structlog.get_logger("pgcache.proxy")

# How long a query waits for the catalogs to be read before it passes, in seconds.
_CATALOG_PATIENCE = 1.0


class Learner:
    """One session's learning; ``go_on`` decides the waiting runs again."""

    __slots__ = ("_go_on", "_prober", "_state", "is_waiting")

    def __init__(self, state: State, prober: Prober, go_on: Callable[[], None]) -> None:
        self._state = state
        self._prober = prober
        self._go_on = go_on
        self.is_waiting = False  # for the catalogs to be read, or a text

    def wants(self, run: Run) -> bool:
        """Whether the session or its database has to be learnt first; sees to it if so."""
        state = self._state
        database = state.database
        if database is None or state.status == codes.FAILED:
            return False
        # What a transaction that has written asks is not looked up, whatever the catalogs say.
        is_moot = run.waited or state.dirty or state.pinned
        if not is_moot and database.snapshot is None and database.is_loading:
            if not database.patience.is_left:
                return self._prober.wants()
            run.waited = True
            self.is_waiting = True
            state.engine.background(self._await_catalog(database))
            return True
        return self._prober.wants()

    def reads(self, run: Run) -> bool:
        """Whether a long text of ``run`` has to be analysed first; sees to it if so."""
        if run.read or not any(len(message.raw) > LONG_TEXT for message in run.messages):
            return False
        state = self._state
        reader, settings = state.engine.reader, (state.standard_strings, state.encoding)
        texts = [Text(text, *settings) for text in map(_text_of, run.messages) if text]
        texts = [text for text in texts if reader.wants(text)]
        if not texts:
            return False
        run.read = self.is_waiting = True
        state.engine.background(self._await_texts(reader, texts))
        return True

    async def _await_texts(self, reader: Reader, texts: list[Text]) -> None:
        try:
            for text in texts:
                await reader.read(text)
        except Exception:  # in the thread; on the loop it will be tried once more, and seen
            log.exception("a long text could not be analysed beside the loop")
        finally:
            self.is_waiting = False
        self._go_on()

    def is_due(self, opens: bool) -> bool:
        """Whether the session has to be known before what ``opens`` something.

        A statement prepared in an unknown context could never be executed from the cache (W-56),
        and inside a transaction it is too late to ask.
        """
        settings = self._state.settings
        if not opens or settings is None or settings.known or settings.is_lost:
            return False
        return self._state.status == codes.IDLE

    async def _await_catalog(self, database: Database) -> None:
        began = self._state.engine.clock()
        try:
            await database.settled(_CATALOG_PATIENCE)
        finally:
            database.patience.spend(began)
            self.is_waiting = False
        self._go_on()


def _text_of(message: Message) -> bytes:
    """The SQL that a message brings, b'' where it brings none."""
    if isinstance(message.parsed, Parse):
        return message.parsed.text
    # Of a Query only its end can be wrong, and then there is nothing to be analysed.
    return message.raw[5:-1] if message.kind == codes.QUERY and message.whole else b""
