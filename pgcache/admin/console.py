"""The console database: any PostgreSQL client connects to ``pgcache`` and gives commands.

Whoever may use it has logged in at the origin as that user first: pgcache keeps no passwords.
Both protocols, with row limits; drivers' own questions are answered, so that psql, DBeaver and
drivers feel at home. Counterpart: ``commands`` carries them out, ``small_talk`` has the rest.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from pgcache import __version__
from pgcache.admin import small_talk
from pgcache.admin.commands import Answer, CommandError
from pgcache.admin.together import Together
from pgcache.errors import ProtocolViolation
from pgcache.proxy.client import ClientConnection
from pgcache.proxy.engine import Engine
from pgcache.proxy.runs import Message, read
from pgcache.wire import codes
from pgcache.wire.frames import ClientFrames
from pgcache.wire.messages import (
    Bind,
    Execute,
    Parse,
    Target,
    build,
    build_command_complete,
    build_data_row,
    build_error,
    build_row_description,
    parse_query,
)

log = structlog.get_logger("pgcache.admin")

_SERVER_VERSION = f"15.0 (pgcache {__version__})"
_PARAMETERS = {
    "client_encoding": "UTF8",
    "server_encoding": "UTF8",
    "server_version": _SERVER_VERSION,
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "integer_datetimes": "on",
}
_EMPTY = build(codes.EMPTY_QUERY_RESPONSE, b"")
_NO_DATA = build(codes.NO_DATA, b"")
_TEXT = (25).to_bytes(4, "big")  # text's OID: the type of all that is shown
T = TypeVar("T")

_MAX_STATEMENTS = 1_000  # of one session; more is somebody's leak


class Console:
    """Opens console sessions."""

    def __init__(self, engine: Engine, commands: Together) -> None:
        self._engine = engine
        self._commands = commands

    def open(self, client: ClientConnection, user: str, accepted: bytes) -> None:
        """Take over a client that the origin has let in; ``accepted`` is its AuthenticationOk."""
        if user not in self._engine.config.console_users:
            client.refuse(
                "42501",
                f'user "{user}" may not use the console',
                "List the user in admin.users.",
            )
            return
        session = ConsoleSession(self._commands, client, user)
        client.enter(session.received)
        client.send(accepted + session.greeting())


@dataclass(slots=True)
class _Portal:
    """A bound statement: what is left of its answer once it has run."""

    text: str
    answer: Answer | None = None
    position: int = 0
    has_run: bool = False


class ConsoleSession:
    """One client's console, in the simple and the extended protocol."""

    def __init__(self, commands: Together, client: ClientConnection, user: str) -> None:
        # the process
        self._commands = commands
        # the connection
        self._client = client
        self._facts = _facts(user)
        self._inbox: deque[Message] = deque()
        self._is_busy = False
        self._frames = ClientFrames()
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, _Portal] = {}
        # the transaction
        self._status = codes.IDLE
        # the turn
        self._skipping = False

    @staticmethod
    def greeting() -> bytes:
        """What follows AuthenticationOk."""
        out = b"".join(
            build(codes.PARAMETER_STATUS, f"{name}\0{value}\0".encode())
            for name, value in _PARAMETERS.items()
        )
        out += build(codes.BACKEND_KEY_DATA, b"\0\0\0\0" + secrets.token_bytes(4))
        return out + codes.MSG_READY[codes.IDLE]

    def received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._inbox.extend(map(read, self._frames.feed(data)))
        if self._inbox and not self._is_busy:
            self._is_busy = True
            self._client.gate.background(self._work())

    async def _work(self) -> None:
        """Answer what has come, in its order."""
        try:
            while self._inbox:
                out = await self._take(self._inbox.popleft())
                if out:
                    self._client.send(out)
        except ProtocolViolation as error:
            self._client.fail(error)
        finally:
            self._is_busy = False

    async def _take(self, message: Message) -> bytes:
        kind = message.kind
        if kind == codes.TERMINATE:
            self._client.close()
            return b""
        if kind == codes.SYNC:
            self._skipping = False
            if self._status == codes.IDLE:
                self._portals.clear()
            return codes.MSG_READY[self._status]
        if kind == codes.QUERY:
            self._skipping = False
            return await self._query(message) + codes.MSG_READY[self._status]
        if self._skipping or kind == codes.FLUSH:
            return b""
        try:
            return await self._extended(message)
        except CommandError as error:
            self._skipping = True
            return self._fail(error)

    def _fail(self, error: CommandError) -> bytes:
        if self._status != codes.IDLE:
            self._status = codes.FAILED
        return build_error(error.sqlstate, error.message, hint=error.hint or "")

    async def _run(self, text: str) -> Answer | None:
        """One statement. Raises CommandError, also where something is wrong with the console."""
        try:
            if self._commands.is_one(text):
                self._refuse_in_failed()
                return await self._commands.run(text)
            said = small_talk.respond(text, self._facts)
            if said is None or not said.ends:
                self._refuse_in_failed()
            if said is None:
                return await self._commands.run(
                    text
                )  # which has the words for what it does not know
        except CommandError:
            raise
        except Exception as error:
            log.exception("console command failed", command=text[:200])
            raise CommandError(f"this failed: {error!r}", hint="The log says more.") from error
        if said.opens:
            self._status = codes.IN_TRANSACTION
        elif said.ends:
            self._status = codes.IDLE
        return Answer(said.tag, said.columns, said.rows)

    def _refuse_in_failed(self) -> None:
        if self._status == codes.FAILED:
            error = CommandError("current transaction is aborted", hint="ROLLBACK first.")
            error.sqlstate = "25P02"
            raise error

    # -- simple

    async def _query(self, message: Message) -> bytes:
        texts = small_talk.split(parse_query(message.raw).decode("utf-8", "replace"))
        out = bytearray() if texts else bytearray(_EMPTY)
        try:
            for text in texts:
                answer = await self._run(text)
                if answer is not None:
                    out += build_row_description(answer.columns) if answer.columns else b""
                    out += _rows(answer.rows) + build_command_complete(answer.tag)
        except CommandError as error:
            out += self._fail(error)
        return bytes(out)

    # -- extended

    async def _extended(self, message: Message) -> bytes:
        parsed = message.parsed
        if isinstance(parsed, Parse):
            return self._parse(parsed)
        if isinstance(parsed, Bind):
            self._portals[parsed.portal] = _Portal(_find(self._statements, parsed.statement))
            return codes.MSG_BIND_COMPLETE
        if isinstance(parsed, Execute):
            return await self._execute(_find(self._portals, parsed.portal), parsed.maximum)
        if isinstance(parsed, Target):
            return self._close(parsed) if message.kind == codes.CLOSE else self._describe(parsed)
        raise CommandError("the console does not take this kind of message")

    def _parse(self, parsed: Parse) -> bytes:
        text = parsed.text.decode("utf-8", "replace")
        if len(small_talk.split(text)) > 1:
            raise CommandError("cannot insert multiple commands into a prepared statement")
        if len(self._statements) >= _MAX_STATEMENTS and parsed.name not in self._statements:
            raise CommandError("too many prepared statements", hint="Close some.")
        self._statements[parsed.name] = text
        return codes.MSG_PARSE_COMPLETE

    async def _execute(self, portal: _Portal, maximum: int) -> bytes:
        if not portal.has_run:
            portal.answer, portal.has_run = await self._run(portal.text), True
        answer = portal.answer
        if answer is None:
            return _EMPTY
        start = portal.position
        end = min(len(answer.rows), start + maximum) if maximum else len(answer.rows)
        portal.position = end
        rows = _rows(answer.rows[start:end])
        if maximum and end - start == maximum:
            return rows + codes.MSG_PORTAL_SUSPENDED
        return rows + build_command_complete(answer.tag)

    def _close(self, target: Target) -> bytes:
        held: dict[bytes, str] | dict[bytes, _Portal]
        held = self._statements if target.is_statement else self._portals
        held.pop(target.name, None)
        return codes.MSG_CLOSE_COMPLETE

    def _describe(self, target: Target) -> bytes:
        """Nothing is run for it: a command's columns are known."""
        if not target.is_statement:
            return self._description(_find(self._portals, target.name).text)
        text = _find(self._statements, target.name)
        count = small_talk.parameters(text)
        body = count.to_bytes(2, "big") + _TEXT * count
        return build(codes.PARAMETER_DESCRIPTION, body) + self._description(text)

    def _description(self, text: str) -> bytes:
        if self._commands.is_one(text) or not (said := small_talk.respond(text, self._facts)):
            columns = self._commands.columns(text)
        else:
            columns = said.columns
        return build_row_description(columns) if columns else _NO_DATA


def _facts(user: str) -> dict[str, str]:
    """What functions and settings say here, by name."""
    return {
        "version": f"PostgreSQL {_SERVER_VERSION}",
        "server_version": _SERVER_VERSION,
        "server_version_num": "150000",
        "current_schema": "public",
        "current_schemas": "{public}",
        "current_database": "pgcache",
        "current_catalog": "pgcache",
        "current_user": user,
        "session_user": user,
        "user": user,
        "pg_backend_pid": "0",
        "pg_is_in_recovery": "f",
    }


def _find(held: dict[bytes, T], name: bytes) -> T:
    if name not in held:
        raise CommandError(f'"{name.decode("utf-8", "replace")}" does not exist')
    return held[name]


def _rows(rows: Sequence[Sequence[str | None]]) -> bytes:
    return b"".join(build_data_row(row) for row in rows)
