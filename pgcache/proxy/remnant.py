"""What is left of a session without its origin: answers from the cache, and the frame around them.

Many drivers put a transaction around every read. Of nothing but hits, it is the same here as there,
whether BEGIN and COMMIT come as Query messages or as pgjdbc sends them: BEGIN in one run with the
first question, COMMIT under a statement's name, behind the Close of what it has done with.

The origin will never hear of this session again, so that named statements can be made and closed
here alone. A Parse is believed only where its text was parsed there before, or brings a hit.

Counterpart: ``outage`` says when. Must not know: forwarding.
"""

from __future__ import annotations

from typing import Final

from pgcache.errors import ProtocolViolation
from pgcache.errors.reasons import Refusal
from pgcache.policy.key import formats_fit
from pgcache.proxy import serve
from pgcache.proxy.accounts import count_hit
from pgcache.proxy.answers import Answers, Pieces
from pgcache.proxy.decide import ask, find, might_hit
from pgcache.proxy.fast import FastLane
from pgcache.proxy.flow import Peer
from pgcache.proxy.local import LocalRun
from pgcache.proxy.naming import make_prepared
from pgcache.proxy.own import own_entry
from pgcache.proxy.runs import EXTENDED, OWN_SYNC, Gatherer, Message, Run
from pgcache.proxy.state import State
from pgcache.proxy.turns import is_plain_begin
from pgcache.sql.model import Kind, Script
from pgcache.wire import codes
from pgcache.wire.messages import (
    Bind,
    Execute,
    Parse,
    Target,
    build_command_complete,
    parse_query,
)

_ENDS: Final = {Kind.COMMIT: "COMMIT", Kind.ROLLBACK: "ROLLBACK"}
_SAID: Final = {
    codes.PARSE: codes.MSG_PARSE_COMPLETE,
    codes.BIND: codes.MSG_BIND_COMPLETE,
    codes.DESCRIBE: codes.MSG_NO_DATA,
}


class Remnant:
    """Answers one client, until something needs the origin."""

    def __init__(self, state: State, client: Peer) -> None:
        self._client = client
        self._state = state
        state.is_cut_off = True
        self._gatherer = Gatherer()
        fast = FastLane(state, self._gatherer)
        fast.is_enabled = False  # nothing that is answered now is proved for later
        self._answers = Answers(state, client, fast)
        # texts that the origin has parsed, with their parameters' types
        self._accepted = {(p.text, p.types) for p in state.statements.values() if p.at_origin}

    def answer(self, data: bytes) -> bool:
        """Answer what the client sent; False at the first that needs the origin.

        Raises ProtocolViolation.
        """
        return all(map(self._answer, self._gatherer.feed(data)))

    def _answer(self, run: Run) -> bool:
        first = run.messages[0]
        if not first.whole:
            return False
        if first.kind == codes.QUERY:
            return self._query(first)
        if first.kind == codes.TERMINATE:
            self._client.close()
            return True
        return first.kind in EXTENDED and self._extended(run)

    # -- the simple protocol

    def _query(self, message: Message) -> bool:
        state = self._state
        try:
            text = parse_query(message.raw)
        except ProtocolViolation:
            return False  # the origin would say what is wrong with it
        script = state.engine.script(text, state.standard_strings, state.encoding)
        entry = own_entry(state, script)
        if entry is None and might_hit(script):
            question = ask(state, script)
            if isinstance(question, Refusal):
                return False
            entry = find(state, question, 0)
            if entry is not None and entry.row_description is not None:
                count_hit(state, entry, shared=False)
        if entry is None or entry.row_description is None:
            tag = self._transaction(script)
            if tag:
                self._answers.query(message.raw, [build_command_complete(tag)], None)
            return bool(tag)
        self._answers.query(message.raw, serve.simple_reply(entry), None)
        return True

    def _transaction(self, script: Script) -> str:
        """Begin or end a transaction; its command tag, '' where the origin would be needed."""
        state, settings = self._state, self._state.settings
        if not _frames_reads(script) or settings is None:
            return ""
        statement = script.statements[0]
        state.put_portal(b"", None)
        if statement.kind is Kind.BEGIN:
            if state.status != codes.IDLE:
                return ""  # a warning of the origin's
            settings.begin()
            state.status = codes.IN_TRANSACTION
            return statement.verb
        if state.status == codes.IDLE:
            return ""
        settings.rollback()  # nothing was set that could be kept
        state.status = codes.IDLE
        state.end_transaction()
        return _ENDS[statement.kind]

    # -- the extended protocol

    def _extended(self, run: Run) -> bool:
        """Answer a run: each frame by itself, and the questions between two of them together."""
        said: Pieces = []
        questions: list[Message] = []
        messages = run.messages
        while messages:
            count = self._framing(messages, questions) if run.kind == codes.SYNC else 0
            if not count:
                questions.append(messages.pop(0))
                continue
            local = self._attempt(questions)
            tag = "" if local is None else self._transaction(self._take_frame(messages[:count]))
            if local is None or not tag:
                return False
            said += local.pieces
            said += _framed(messages[:count], tag)
            questions = []
            del messages[:count]
        local = self._attempt(questions)
        if local is None:
            return False
        if said:
            self._client.send_all(said)
        return self._answers.run(Run(*questions), local)

    def _attempt(self, messages: list[Message]) -> LocalRun | None:
        """Play ``messages`` as one run; None if that needs the origin."""
        local = LocalRun(self._state, Run(*messages or (OWN_SYNC,)), accepted=self._accepted)
        if not local.attempt():
            return None
        local.commit()
        for entry, shared in local.hits:
            count_hit(self._state, entry, shared=shared)
        for message in messages:
            if isinstance(message.parsed, Parse):
                self._accepted.add((message.parsed.text, message.parsed.types))
        return local

    def _framing(self, messages: list[Message], before: list[Message]) -> int:
        """How many messages at the head do nothing but begin or end a transaction.

        ``before``: what the client sent before them, and is not played yet.
        """
        statements = self._state.statements
        match [message.parsed for message in messages[:4]]:
            case [Parse() as parse, Bind() as bound, *rest] if parse.name == bound.statement:
                is_new = not parse.name or parse.name not in statements
                script = self._script(parse) if is_new else None
                count = 2
            case [Bind() as bound, *rest]:
                is_changed = any(_renames(message, bound.statement) for message in before)
                prepared = None if is_changed else statements.get(bound.statement)
                script = prepared.script if prepared is not None and prepared.trusted else None
                count = 1
            case _:
                return 0
        if script is None or not _frames_reads(script) or not _is_bare(bound):
            return 0
        match rest:
            case [Target(is_statement=False, name=b""), Execute(portal=b""), *_]:
                return count + 2
            case [Execute(portal=b""), *_]:
                return count + 1
        return 0

    def _take_frame(self, messages: list[Message]) -> Script:
        """Bind and execute what ``_framing`` found; its statement."""
        state, parse = self._state, messages[0]
        if isinstance(parse.parsed, Parse):
            prepared = make_prepared(state, parse.parsed, parse.raw)
            prepared.is_virtual = True
            state.statements[prepared.name] = prepared
            return prepared.script
        bound = parse.parsed
        assert isinstance(bound, Bind)
        return state.statements[bound.statement].script

    def _script(self, parse: Parse) -> Script:
        state = self._state
        return state.engine.script(parse.text, state.standard_strings, state.encoding)


def _frames_reads(script: Script) -> bool:
    """Whether it only begins or ends a transaction, of nothing but reads."""
    if len(script.statements) != 1:
        return False
    statement = script.statements[0]
    return is_plain_begin(statement) or (statement.kind in _ENDS and not statement.chain)


def _renames(message: Message, name: bytes) -> bool:
    """Whether the statement of that name is another one after ``message``, or none."""
    parsed = message.parsed
    if isinstance(parsed, Target):
        return message.kind == codes.CLOSE and parsed.is_statement and parsed.name == name
    return isinstance(parsed, Parse) and parsed.name == name


def _is_bare(bind: Bind) -> bool:
    """Whether it binds a statement without parameters or columns as it has to be."""
    plain = formats_fit(bind.parameter_formats, 0) and formats_fit(bind.result_formats, 0)
    return plain and not (bind.portal or bind.parameters)


def _framed(messages: list[Message], tag: str) -> Pieces:
    """What is said to the messages of a frame."""
    return [
        _SAID[message.kind] if message.kind != codes.EXECUTE else build_command_complete(tag)
        for message in messages
    ]
