"""A session's context: every fact of it that can change what PostgreSQL would answer.

Settings that PostgreSQL reports (ParameterStatus) are exact at every ReadyForQuery (W-41); the
others are followed from the statements that set them, transactions included (S-03, S-04), on top
of what the session said at login (S-02). Where that knowledge ends the session is tainted and
passes until it was asked again (S-07).

Counterpart: ``probe`` asks, ``values`` holds the values, ``key`` uses the fingerprint.
Must not know: the wire, what a statement is.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.layers import DEFAULT, State
from pgcache.policy.options import NAMES, Options, read_options
from pgcache.policy.probe import Probe, Question, build_full_question
from pgcache.policy.settings import (
    SAFE_VALUES,
    canonical,
    is_ignored,
    is_safe_encoding,
    join_names,
    role_follows_user,
    split_names,
)
from pgcache.policy.values import Values
from pgcache.sql.model import SetScope, SettingChange

_READS_COMMITTED: Final = frozenset({"read committed", "read uncommitted"})  # T-02


class SessionSettings:
    """What is known of one session's settings and users.

    ``temporary_epoch`` moves whenever temporary relations may have come or gone (S-09, S-09a);
    ``own_tables`` are names of temporary tables that were made, and may still be there.
    ``salt`` makes the random bytes of a session that must share with none.
    """

    __slots__ = (
        "_blind",
        "_derived",
        "_isolation_at_begin",
        "_salt",
        "_taint",
        "_tainted_for_good",
        "_temporary_moved",
        "_values",
        "own_tables",
        "temporary_epoch",
    )

    def __init__(self, *, salt: Callable[[], bytes] = lambda: secrets.token_bytes(16)) -> None:
        self._salt = salt
        self._values = Values()
        self._derived: _Derived | None = None
        self._blind = b""  # where custom settings may have been set unseen
        self._taint = "its settings were not asked yet"
        self._tainted_for_good = False
        self.temporary_epoch = 0
        self.own_tables: frozenset[str] = frozenset()
        # of this transaction
        self._isolation_at_begin = ""
        self._temporary_moved = False

    # What is learned

    def learn(self, probe: Probe) -> None:
        """Take the answer to the login question, before any change is applied."""
        self._values.learn(probe)
        self._untaint()

    def full_question(self, custom: Iterable[str] = ()) -> Question:
        """What to ask a session that is no longer known; ``custom``: two-part names that matter."""
        return build_full_question({*custom, *self._values.custom_names()})

    def relearn(self, probe: Probe, *, complete: bool) -> None:
        """Take the answer to the full question, asked outside of a transaction.

        ``complete``: the question named every custom setting that anything in the database reads.
        Otherwise one may have been set unseen, and the session shares with no other from now on.
        """
        complete = self._values.relearn(probe) and complete
        self._blind = b"" if complete else (self._blind or self._salt())
        self.temporary_epoch += 1
        self._untaint()

    def report(self, name: str, value: str) -> None:
        """Take a ParameterStatus: exact for the statements after the next ReadyForQuery."""
        name = name.lower()
        if self._values.report(name, value) and not is_ignored(name):
            self._derived = None

    def taint(self, reason: str, *, for_good: bool = False) -> None:
        """Settings may have changed unseen: pass until asked again (S-07), or for good."""
        self._taint = reason
        self.own_tables = frozenset()
        self._tainted_for_good = self._tainted_for_good or for_good

    # What statements change

    def apply(self, change: SettingChange) -> None:
        """Follow a SET or RESET that has succeeded."""
        name, local = change.name, change.scope is not SetScope.SESSION
        if name == "session_authorization":
            version = self._values.reported("server_version")
            if version is not None and not role_follows_user(version):
                self.taint("this release of PostgreSQL loses the role with the session user")
        if change.value is None and (name == "*" or name in self._values.doubtful):
            self._doubt_defaults()
        if name == "*":
            self._values.reset_all()
        elif change.value is None:
            self._values.put(name, None, local=local)
        else:
            text = canonical(name, change.value)
            if name == "default_text_search_config" and "." not in text:
                # resolved once, under the path of this moment
                text = f"{text} under {join_names(self.search_path)}"
            self._values.put(name, text, local=local)
        self._derived = None

    def begin(self) -> None:
        """A transaction has begun (an implicit one of several statements counts)."""
        if not self._values.layers.in_transaction:
            self._isolation_at_begin = self.isolation
            self._values.layers.begin()

    def commit(self, *, chain: bool = False) -> None:
        """The transaction was committed, or prepared."""
        before, isolation = self._values.layers.state, self.isolation
        self._values.layers.commit()
        self._temporary_moved = False
        self._after_end(before, isolation, chain)

    def rollback(self, *, chain: bool = False) -> None:
        """The transaction was rolled back, which a COMMIT of a failed one is too (T-07)."""
        before, isolation = self._values.layers.state, self.isolation
        self._values.layers.rollback()
        self._undo_temporary()
        self._temporary_moved = False
        self._after_end(before, isolation, chain)

    def fail(self) -> None:
        """The transaction has failed (status E): what it set since the last savepoint is gone."""
        self._values.layers.fail()
        self._undo_temporary()
        self._derived = None

    def savepoint(self, name: str) -> None:
        """A savepoint was set."""
        self._values.layers.savepoint(name)

    def release(self, name: str) -> None:
        """A savepoint was released."""
        try:
            self._values.layers.release(name)
        except KeyError:
            self.taint(f"savepoint {name} was not seen")

    def rollback_to(self, name: str) -> None:
        """The transaction was rolled back to a savepoint, which stays."""
        try:
            self._values.layers.rollback_to(name)
        except KeyError:
            self.taint(f"savepoint {name} was not seen")
        self._undo_temporary()
        self._derived = None

    def discard_all(self) -> None:
        """DISCARD ALL: everything back to login, but that custom names were once set (S-04a)."""
        self._values.layers.clear()
        self.temporary_epoch += 1
        if self._taint and not self._tainted_for_good:
            self._values.forget_unset()
            self._blind = self._blind or self._salt()
            self._untaint()
        self._doubt_defaults()
        self._derived = None

    def note_temporary(self, table: str = "") -> None:
        """Temporary relations may have come; ``table`` is one that only holds rows."""
        self._put_temporary(True)
        if table:
            self.own_tables |= {table}

    def discard_temporary(self) -> None:
        """DISCARD TEMP: there are none any more."""
        self._put_temporary(False)

    # What others ask

    @property
    def known(self) -> bool:
        """Whether the fingerprint is true."""
        return not self._taint

    @property
    def is_lost(self) -> bool:
        """Whether asking again is no use."""
        return self._tainted_for_good

    @property
    def in_transaction(self) -> bool:
        """Whether changes made now may be undone together."""
        return self._values.layers.in_transaction

    @property
    def refusal(self) -> Refusal | None:
        """Why nothing may be served to or filled from this session, None where it may."""
        if self._taint:
            return Refusal(Reason.TAINTED_SESSION, self._taint)
        return self._derive().unsafe

    @property
    def fingerprint(self) -> bytes:
        """128 bits of all that changes results: equal only for equal contexts (2.2)."""
        return self._derive().fingerprint

    @property
    def current_user(self) -> str:
        """The role whose privileges count (S-08)."""
        return self._derive().current_user

    @property
    def session_user(self) -> str:
        """The user that logged in, or whom SET SESSION AUTHORIZATION put in its place."""
        return self._derive().session_user

    @property
    def search_path(self) -> tuple[str, ...]:
        """Schema names in order, "$user" replaced, implicit ones left out (S-11)."""
        return self._derive().search_path

    @property
    def options(self) -> Options:
        """pgcache's own settings."""
        return self._derive().options

    @property
    def client_encoding(self) -> str:
        """In PostgreSQL's spelling."""
        return self._values.reported("client_encoding") or ""

    @property
    def standard_conforming_strings(self) -> bool:
        """Whether backslashes in plain literals mean themselves (S-13)."""
        return self._values.reported("standard_conforming_strings") != "off"

    @property
    def in_hot_standby(self) -> bool:
        """Whether the origin is a standby (S-14)."""
        return self._values.reported("in_hot_standby") == "on"

    @property
    def temporary(self) -> bool:
        """Whether temporary relations may exist, or their schema counts where it does (S-09)."""
        first = self.search_path[0] if self.search_path else ""
        return self._values.layers.state.temporary or first.startswith("pg_temp")

    @property
    def isolation(self) -> str:
        """The isolation level of this transaction, or of the next; '' where it is not known."""
        layers = self._values.layers
        if not layers.in_transaction:
            return self._values.get("default_transaction_isolation") or ""
        value = layers.state.get("transaction_isolation")
        if value is DEFAULT:
            return ""
        return self._isolation_at_begin if value is None else value

    @property
    def reads_committed(self) -> bool:
        """Whether each statement sees what was committed before it (T-01 to T-03)."""
        return self.isolation in _READS_COMMITTED

    def knows(self, name: str) -> bool:
        """Whether the fingerprint tells this setting, so that a cached query may read it."""
        return self._values.knows(name.lower())

    @property
    def in_force(self) -> State:
        """What statements have set, as it is at this moment (it does not change afterwards)."""
        return self._values.layers.state

    @property
    def is_shared(self) -> bool:
        """Whether another session can have this fingerprint."""
        return not self._blind

    def describe(self) -> dict[str, str]:
        """All that is in the fingerprint, by name, for display."""
        return dict(self._values.material())

    # How it is done

    def _doubt_defaults(self) -> None:
        """Defaults come into force that were never seen: ask what they are."""
        if self._values.doubtful and not self._taint:
            self._taint = "a setting went back to a default that was never seen"

    def _untaint(self) -> None:
        if not self._tainted_for_good:
            self._taint = ""
        self._derived = None

    def _after_end(self, before: object, isolation: str, chain: bool) -> None:
        if self._values.layers.state is not before:
            self._derived = None
        if chain:  # the new transaction keeps the modes of the old one
            self._values.layers.begin()
            self._isolation_at_begin = isolation

    def _put_temporary(self, temporary: bool) -> None:
        self._values.layers.put_temporary(temporary)
        self.temporary_epoch += 1
        self._temporary_moved = self._values.layers.in_transaction

    def _undo_temporary(self) -> None:
        if self._temporary_moved:
            self.temporary_epoch += 1

    def _derive(self) -> _Derived:
        if self._derived is None:
            self._derived = _Derived(self._values, self._blind)
        return self._derived


class _Derived:
    """What follows from the values, found once after each change."""

    __slots__ = (
        "current_user",
        "fingerprint",
        "options",
        "search_path",
        "session_user",
        "unsafe",
    )

    def __init__(self, values: Values, blind: bytes) -> None:
        self.session_user, self.current_user = values.users()
        self.options = read_options(*map(values.get, NAMES))
        self.unsafe = _find_unsafe(values)
        try:
            names = split_names(values.get("search_path") or "")
        except ValueError:
            names = ()
        user = self.current_user
        self.search_path = tuple(user if name == "$user" else name for name in names if name)
        sized = "".join(
            f"{len(name)}:{name}{len(value)}:{value}" for name, value in values.material()
        )
        # lone surrogates stand for bytes that are not UTF-8; the blind part has a length of its own
        told = len(blind).to_bytes(1, "big") + blind + sized.encode("utf-8", "surrogatepass")
        self.fingerprint = blake2b(told, digest_size=16).digest()


def _find_unsafe(values: Values) -> Refusal | None:
    for name, safe in SAFE_VALUES.items():
        if values.get(name) not in (safe, None):
            return Refusal(Reason.UNSAFE_SETTING, name)
    encoding = values.reported("client_encoding") or ""
    if not is_safe_encoding(encoding):
        return Refusal(Reason.UNSAFE_ENCODING, encoding)
    return None
