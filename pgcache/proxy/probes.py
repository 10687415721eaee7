"""When to ask a session about itself: at login, and when its settings are no longer known.

The questions are ``policy.probe``'s; they travel on the client's own connection, because only
there the answers are true (S-02). A session whose answer fails is never cached for.
"""

from __future__ import annotations

import structlog

from pgcache.policy.probe import Probe, Question, build_login_question
from pgcache.proxy.forward import Forwarder
from pgcache.proxy.probing import Probing
from pgcache.proxy.state import State
from pgcache.wire import codes

log = structlog.get_logger("pgcache.proxy")


class Prober:
    """Asks on behalf of one session; runs that wait for the answer go on with its end."""

    __slots__ = ("_forwarder", "_state", "is_asking")

    def __init__(self, state: State, forwarder: Forwarder) -> None:
        self._state = state
        self._forwarder = forwarder
        self.is_asking = False  # the client's messages wait for the answer

    def ask_at_login(self) -> None:
        """Ask a session that has just logged in, before its first ReadyForQuery has come.

        Which custom settings matter is in the catalogs; until those are read, ``wants`` asks.
        """
        if self._state.database is None or self._state.database.snapshot is None:
            return
        self._state.doubts = self._state.database.doubts
        question = build_login_question(self._names())
        self.is_asking = True
        self._forwarder.probe(question.sql, lambda probing: self._learn(question, probing))

    def wants(self) -> bool:
        """Whether the session has to be asked before anything can be decided; asks it if so.

        Only outside of transactions: inside one, a question could take the transaction's
        snapshot, and its failure would abort the client's work.
        """
        state = self._state
        state.check()
        settings = state.settings
        if settings is None or settings.known or settings.is_lost or state.opaque:
            return False
        if state.status != codes.IDLE or state.group is not None:
            return False
        if state.database is None or state.database.snapshot is None:
            return False
        state.doubts = state.database.doubts
        question = settings.full_question(self._names())
        self.is_asking = True
        self._forwarder.probe(question.sql, lambda probing: self._relearn(question, probing))
        return True

    def _names(self) -> frozenset[str]:
        database = self._state.database
        snapshot = None if database is None else database.snapshot
        return frozenset() if snapshot is None else snapshot.setting_names

    def _learn(self, question: Question, probing: Probing) -> None:
        settings = self._state.settings
        if settings is not None:
            try:
                settings.learn(self._parse(question, probing))
            except ValueError as error:
                self._give_up(error)

    def _relearn(self, question: Question, probing: Probing) -> None:
        settings = self._state.settings
        if settings is not None:
            try:
                # Text that calls current_setting() with a name of its own is refused where the
                # name is not known, so that the names in policies and views are complete.
                settings.relearn(self._parse(question, probing), complete=True)
            except ValueError as error:
                self._give_up(error)

    def _parse(self, question: Question, probing: Probing) -> Probe:
        self.is_asking = False
        if probing.failed:
            raise ValueError("the origin refused the settings probe")
        return question.parse(probing.rows, self._state.encoding)

    def _give_up(self, error: ValueError) -> None:
        log.warning("session settings unknown, its queries are not cached", error=str(error))
        if self._state.settings is not None:
            self._state.settings.taint(str(error), for_good=True)
