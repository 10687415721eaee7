"""Answering a run of the extended protocol here: all of it, or none (W-60).

``LocalRun`` plays the run against the session's statements and portals without touching them;
``commit`` does so once every message has its answer. What it emits is the table of semantics 1.5.
"""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple

from pgcache.cache.entry import Entry
from pgcache.errors.reasons import Reason, Refusal
from pgcache.policy.key import formats_fit
from pgcache.proxy import cursors, serve
from pgcache.proxy.ahead import may_go_ahead
from pgcache.proxy.chores import Chore, find_chore
from pgcache.proxy.decide import Ask, ask, find, fits
from pgcache.proxy.naming import make_prepared
from pgcache.proxy.own import own_entry
from pgcache.proxy.prepared import Portal, Prepared, Step
from pgcache.proxy.prospects import described, limits
from pgcache.proxy.recipe import Proof
from pgcache.proxy.recorder import Asked
from pgcache.proxy.runs import Message, Run
from pgcache.proxy.state import State
from pgcache.sql.model import Script
from pgcache.wire import codes
from pgcache.wire.messages import Bind, Execute, Parse, Target, build, column_count

Pieces = list[bytes | memoryview]

_NO_DATA = build(codes.NO_DATA, b"")
_NO_PARAMETERS = build(codes.PARAMETER_DESCRIPTION, b"\0\0")
_QUESTIONS = frozenset((b"PBDE", b"PBE", b"BDE", b"BE"))


class Answered(NamedTuple):
    """One question of a run, for the fast lane: its bytes without the Sync, its answer's pieces."""

    raw: bytes
    pieces: Pieces
    proof: Proof


class Missing(Exception):
    """This run cannot be answered here."""


class LocalRun:
    """One attempt. After ``attempt``: ``pieces`` if it succeeded; else ``misses`` (questions
    without an answer, by the index of their Bind) and ``refusal``, the first reason to pass.

    ``ahead``: how many messages at the head are the origin's whatever the rest is; from the
    beginning those that open a transaction, then also the Parse of a named statement.
    ``accepted``: texts that the origin is known to parse, with their parameters' types; asked
    where the session has no origin any more.
    """

    __slots__ = (
        "_accepted",
        "_described",
        "_landed",
        "_looks",
        "_marks",
        "_opening",
        "_pending",
        "_portals",
        "_proofs",
        "_run",
        "_state",
        "_statements",
        "_steps",
        "ahead",
        "asked",
        "hits",
        "limits",
        "misses",
        "pieces",
        "refusal",
        "refused",
    )

    def __init__(
        self,
        state: State,
        run: Run,
        landed: Entry | None = None,
        opening: int = 0,
        *,
        accepted: Set[tuple[bytes, tuple[int, ...]]] = frozenset(),
    ) -> None:
        self._state = state
        self._landed = landed
        self._accepted = accepted
        self._run = run
        self._opening = self.ahead = opening
        self._statements: dict[bytes, Prepared | None] = {}
        self._portals: dict[bytes, Portal | None] = {}
        self._pending: Prepared | None = None  # a Parse that no Bind has used yet
        self._steps = 0  # FETCHes and the like that are bound and not run
        self.limits = limits(run)
        self._described = described(run)
        self.pieces: Pieces = []
        self.hits: list[tuple[Entry, bool]] = []  # and whether another client's flight brought it
        self._looks: list[tuple[Ask, Entry, Prepared, Bind]] = []  # hits to be looked at again
        self._proofs: dict[int, Proof] = {}  # of what may be answered in the same way again, by
        self._marks = [0]  # ... the index of its Bind; where each message's pieces begin
        self.misses: dict[int, Ask] = {}
        self.asked: dict[int, Asked] = {}  # the misses' own bytes
        self.refusal: Refusal | None = None
        self.refused: Script | None = None  # what it is about

    def attempt(self) -> bool:
        """Whether the run, but for what has to go ahead, has its answer in ``pieces``."""
        possible = True
        for index, message in enumerate(self._run.messages[self._opening :], self._opening):
            try:
                self._message(index, message)
            except Missing:
                possible = False
            self._marks.append(len(self.pieces))
        return possible and self._pending is None and not self._steps

    def commit(self) -> None:
        """Make the statements and portals what the client now believes."""
        state = self._state
        for name, prepared in self._statements.items():
            if prepared is None:
                state.statements.pop(name, None)
            else:
                state.statements[name] = prepared
        for name, portal in self._portals.items():
            state.put_portal(name, portal)

    def chores(self) -> list[Chore | None]:
        """What is to be done about what answered it; to be asked once."""
        state = self._state
        return [
            find_chore(state, question, entry, prepared.text, prepared, bind)
            for question, entry, prepared, bind in self._looks
        ]

    def answered(self) -> list[Answered]:
        """For the fast lane: the questions that this run consists of, where it is no more than
        questions and their Sync, and each may be answered in the same way again."""
        messages, marks = self._run.messages, self._marks
        found: list[Answered] = []
        begin = 0
        for index, message in enumerate(messages, 1):
            if message.kind != codes.EXECUTE:
                continue
            asked = messages[begin:index]
            proof = self._proofs.get(begin + (asked[0].kind == codes.PARSE))
            if proof is None or not _is_question(asked):
                return []
            if asked[0].kind == codes.PARSE:
                proof = proof._replace(parse=asked[0].raw)
            elif proof.bind is None or not proof.bind.statement:
                return []
            raw = b"".join([m.raw for m in asked])
            found.append(Answered(raw, self.pieces[marks[begin] : marks[index]], proof))
            begin = index
        return found if begin == len(messages) - 1 else []

    def _message(self, index: int, message: Message) -> None:
        kind, parsed = message.kind, message.parsed
        if kind == codes.PARSE and isinstance(parsed, Parse):
            self._parse(index, parsed, message.raw)
        elif kind == codes.BIND and isinstance(parsed, Bind):
            self._bind(index, parsed, message.raw)
        elif isinstance(parsed, Execute):
            portal = self._portal(parsed.portal)
            if portal.step is not None:
                self._step(portal, portal.step)
            self.pieces += serve.execute(portal, parsed.maximum)
        elif isinstance(parsed, Target):
            if kind == codes.DESCRIBE:
                self._describe(parsed)
            else:
                self._close(parsed)
        elif kind not in (codes.SYNC, codes.FLUSH):
            raise Missing

    def _parse(self, index: int, parsed: Parse, raw: bytes) -> None:
        prepared = make_prepared(self._state, parsed, raw)
        prepared.is_virtual = True
        own = own_entry(self._state, prepared.script)
        if parsed.name in self._state.statements and parsed.name:
            self._statements[parsed.name] = None  # 42P05, from the origin
            raise Missing
        if parsed.name and own is None and not self._state.is_cut_off:
            # A named statement is always the origin's too (W-58); what it is bound to may be
            # recorded nevertheless.
            self._statements[parsed.name] = prepared
            if index != self._opening or not may_go_ahead(self._state, self._run):
                raise Missing
            self.ahead = index + 1
            return
        self._statements[parsed.name] = prepared
        if own is None and (parsed.text, parsed.types) not in self._accepted:
            if self._pending is not None:
                raise Missing  # whether that can be parsed, nobody here knows
            self._pending = prepared
        self.pieces.append(codes.MSG_PARSE_COMPLETE)

    def _statement(self, name: bytes) -> Prepared:
        prepared = (
            self._statements[name] if name in self._statements else self._state.statements.get(name)
        )
        if prepared is None:
            raise Missing
        return prepared

    def _bind(self, index: int, bind: Bind, raw: bytes) -> None:
        prepared = self._statement(bind.statement)
        if bind.portal and (bind.portal in self._state.portals or bind.portal in self._portals):
            raise Missing
        portal = Portal(bind.portal, prepared, bind)
        portal.step = cursors.read_step(self._state, prepared.script)
        if portal.step is not None:
            if any(bind.result_formats) or bind.parameters:
                raise Missing
            self._steps += 1
        else:
            entry = own_entry(self._state, prepared.script)
            portal.entry = self._find(index, prepared, bind) if entry is None else entry
            portal.message = raw
        if prepared is self._pending:
            self._pending = None
        portal.level = len(self._state.savepoints)
        portal.changes = self._state.changes
        self._portals[bind.portal] = portal
        self.pieces.append(codes.MSG_BIND_COMPLETE)

    def _find(self, index: int, prepared: Prepared, bind: Bind) -> Entry:
        question = ask(self._state, prepared.script, prepared, bind)
        if isinstance(question, Refusal):
            if self.refusal is None:
                self.refusal, self.refused = question, prepared.script
            raise Missing
        limit = self.limits.get(index, 0)
        landed, self._landed = self._landed, None
        shared = landed is not None and landed.key == question.key and landed.holds(limit)
        entry = landed if shared else find(self._state, question, limit)
        if entry is None or (entry.row_description is None and index in self._described):
            # Recorded for a client that did not ask to have it described: this one's replaces it.
            asked = question._replace(described=index in self._described)
            self.misses[index] = asked._replace(limit=limit) if question.shadow else asked
            self.asked[index] = self._asked(index, prepared, limit)
            raise Missing
        if not entry.complete and not self._dies_here():
            # Page two of a prefix would have to come from another snapshot (W-59).
            raise Missing
        if prepared.row_description is not None and not _same_shape(prepared, entry):
            if self.refusal is None:
                self.refusal, self.refused = Refusal(Reason.STALE_STATEMENT), prepared.script
            raise Missing
        if not _formats_fit(bind, entry):
            raise Missing  # the origin will say so itself
        if entry.look_at <= self._state.engine.clock():
            self._looks.append((question, entry, prepared, bind))
        self.hits.append((entry, shared))
        if not (shared or bind.portal) and fits(entry, question.lifetime):
            lifetime, labels = question.lifetime, question.plan.own_labels
            self._proofs[index] = Proof(
                entry, None, prepared, bind, lifetime, labels, question.strict
            )
        return entry

    def _asked(self, index: int, prepared: Prepared, limit: int) -> Asked:
        """The question's own bytes; without those where they alone would not make it (W-56)."""
        settings = self._state.settings
        if settings is None or prepared.fingerprint != settings.fingerprint:
            return Asked(statement=prepared.text)
        raw = self._run.messages[index].raw
        return Asked(parse=prepared.message, bind=raw, limit=limit, statement=prepared.text)

    def _dies_here(self) -> bool:
        """Whether all portals of this run end with it."""
        ends = self._run.kind == codes.SYNC and self._state.status == codes.IDLE
        return ends and not self._opening

    def _portal(self, name: bytes) -> Portal:
        portal = self._portals[name] if name in self._portals else self._state.portals.get(name)
        if portal is None or not portal.is_here:
            raise Missing
        if name not in self._portals:
            # Work on a copy: nothing may change if a later message of the run has no answer.
            self._portals[name] = portal = portal.copy()
        return portal

    def _step(self, portal: Portal, step: Step) -> None:
        """Run a FETCH, MOVE or CLOSE of another portal that is played here (W-73)."""
        source = self._portal(step.name)
        if source.entry is None or (step.verb == b"fetch" and cursors.describe(source) is None):
            raise Missing
        cursors.run(source, step, portal)
        self._steps -= 1
        if step.verb == b"close":
            self._portals[step.name] = None

    def _describe(self, target: Target) -> None:
        if not target.is_statement:
            self._describe_portal(self._portal(target.name))
            return
        prepared = self._statement(target.name)
        own = own_entry(self._state, prepared.script)
        if own is not None and own.row_description is not None:
            self.pieces += [_NO_PARAMETERS, own.row_description]
            return
        step = cursors.read_step(self._state, prepared.script)
        if step is not None:
            self.pieces += [_NO_PARAMETERS, self._description_of(step)]
            return
        if prepared.parameter_description is None or not prepared.row_description:
            raise Missing
        database = self._state.database
        if database is None or prepared.epoch != database.epoch:
            raise Missing
        self.pieces += [prepared.parameter_description, prepared.row_description]

    def _describe_portal(self, portal: Portal) -> None:
        if portal.step is not None:
            self.pieces.append(self._description_of(portal.step))
            return
        if portal.entry is None or portal.entry.row_description is None:
            raise Missing
        self.pieces.append(portal.entry.row_description)

    def _description_of(self, step: Step) -> bytes:
        description = cursors.describe(self._portal(step.name))
        if step.verb != b"fetch":
            return _NO_DATA
        if description is None:
            raise Missing
        return description

    def _close(self, target: Target) -> None:
        state, name = self._state, target.name
        if target.is_statement:
            prepared = self._statements.get(name) or state.statements.get(name)
            is_ours = prepared is not None and prepared.is_virtual
        else:
            portal = self._portals.get(name) or state.portals.get(name)
            is_ours = portal.is_here if portal is not None else not name
        if not (is_ours or state.is_cut_off):
            raise Missing  # the origin has it, or a cursor of that name that SQL declared
        if target.is_statement:
            self._statements[name] = None
        else:
            self._portals[name] = None
        self.pieces.append(codes.MSG_CLOSE_COMPLETE)


def _is_question(messages: list[Message]) -> bool:
    """Whether they bind the unnamed portal and execute that, not what another run has left."""
    if bytes([message.kind for message in messages]) not in _QUESTIONS:
        return False
    execute, before = messages[-1].parsed, messages[-2].parsed
    if not isinstance(execute, Execute) or execute.portal:
        return False
    return not isinstance(before, Target) or before.is_statement or not before.name


def _formats_fit(bind: Bind, entry: Entry) -> bool:
    if not formats_fit(bind.parameter_formats, len(bind.parameters)):
        return False
    formats, described = bind.result_formats, entry.row_description
    if described is not None:
        return formats_fit(formats, column_count(described))
    if entry.rows:  # never described: a row counts its columns as a description does
        return formats_fit(formats, column_count(entry.rows))
    return len(formats) <= 1


def _same_shape(prepared: Prepared, entry: Entry) -> bool:
    """Whether the entry has the columns that this session was told of (W-55).

    Only the format codes may differ: they are the Bind's.
    """
    told, now = prepared.row_description, entry.row_description
    if now is None:
        return True  # the definitions' epoch is the same, and so are the key's text and settings
    if not told or len(told) != len(now):
        return False
    return _without_formats(told) == _without_formats(now)


def _without_formats(description: bytes) -> bytes:
    out = bytearray(description)
    pos = 7
    for _ in range(int.from_bytes(description[5:7], "big")):
        pos = description.index(0, pos) + 19
        out[pos - 2 : pos] = b"\0\0"
    return bytes(out)
