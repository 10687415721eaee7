"""One session's use of the fast lane: when it may be asked, and what it has proved there.

``session`` asks it first with every chunk of the client's bytes, tells it of every turn that the
slow lane has answered from an entry (``prove``), and of everything else that happens
(``doubt``). Counterparts: ``lane``, which keeps the turns of all sessions; ``recipe``, for
parameters not seen before; ``express``, for what is only sent on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pgcache.cache.entry import Entry
from pgcache.cache.generations import Generations
from pgcache.proxy.decide import might_hit, refuse_prepared
from pgcache.proxy.express import Express
from pgcache.proxy.lane import UNKNOWN, Lane, LongTurn, Piece, Turn, make_turn
from pgcache.proxy.naming import make_prepared
from pgcache.proxy.prepared import Portal
from pgcache.proxy.recipe import STATEMENT_NAME, Proof, Shape, find_shape, make_recipe
from pgcache.proxy.runs import Gatherer, Run
from pgcache.proxy.state import State
from pgcache.proxy.verdicts import Outcome, Verdict
from pgcache.sql.model import Script
from pgcache.wire import codes
from pgcache.wire.batches import Question, cut_questions
from pgcache.wire.messages import Bind, Execute, Parse, parse_parse

_NO_GENERATIONS = Generations()
_NO_LANE: Final = Lane()  # of contexts in which nothing is answered here; never written to
# Named statements of one session whose lanes are at hand.
_MAX_NAMED = 256
_PORTAL_NAME = STATEMENT_NAME - 1
_READY_SIZE: Final = len(codes.MSG_READY[codes.IDLE])
# Bytes of answers to one chunk.
_MAX_BATCH: Final = 256 * 1024
# Bytes of questions whose Sync is to come.
_MAX_KEPT: Final = 64 * 1024


class FastLane:
    """The fast lane of one session. ``express`` is the other half of it, for what is sent on."""

    __slots__ = (
        "_clock",
        "_context",
        "_counters",
        "_data",
        "_epoch",
        "_gatherer",
        "_generations",
        "_lane",
        "_named",
        "_owing",
        "_parsed",
        "_played",
        "_questions",
        "_state",
        "_unnamed",
        "_version",
        "answers",
        "express",
        "is_enabled",
        "is_open",
        "is_pipelined",
    )

    def __init__(self, state: State, gatherer: Gatherer) -> None:
        self._state = state
        self._gatherer = gatherer
        self._questions: list[Question] = []  # of a pipeline, in what the gatherer has kept
        self._clock = state.engine.clock
        self._counters = state.engine.counters
        self._owing = state.engine.owing
        self.express = Express(state)
        self.is_pipelined = False  # the client has sent several turns in one chunk
        self.is_enabled = True  # tests compare with what is said where it is not
        self.is_open = False  # the session is quiet, and its context is the lane's
        self.answers = False  # and in that context anything at all may be answered here
        self._context: tuple[object, ...] = ()
        self._lane = _NO_LANE
        # Lanes of statements by this session's names for them; their turns begin after the name.
        self._named: dict[bytes, Lane] = {}
        self._version = -1  # of the generations when the session was found as it should be
        self._generations = _NO_GENERATIONS
        self._played: Turn | None = None  # the last turn answered here, and its bytes
        self._data = b""
        self._unnamed: bytes | None = None  # the Parse that the turns answered here have left
        self._epoch = self._parsed = -1  # of the definitions: now, and when that was answered

    def open(self) -> bool:
        """Find the lanes of the session's context; False where there are none.

        Only while nothing is underway between the client, here and the origin.
        """
        state = self._state
        settings, database = state.settings, state.database
        if not self.is_enabled or state.groups or state.local or state.unflushed or state.opaque:
            return False
        if state.is_ended:
            return False  # a direct client would hear no more (W-42)
        refusal = None if settings is None else state.gate()
        if settings is None or database is None or refusal is not None:
            self._lane, self._generations = _NO_LANE, _NO_GENERATIONS
            self._version = _NO_GENERATIONS.version
            self._context = ()
        else:
            options = settings.options
            if options.notices or options.ttl is not None or state.mode != "on":
                return False
            self._generations, self._epoch = database.generations, database.epoch
            # The fingerprint tells all but what the operator's rules ask for.
            context = (database.name, settings.fingerprint, state.status, state.rules)
            if context != self._context or self._version != self._generations.version:
                self._context, self._version = context, self._generations.version
                self._named.clear()
            self._lane = state.engine.lanes.lane(context)
        self.answers = self._lane is not _NO_LANE
        self.is_open = self.express.open(refusal)
        return self.is_open

    def answer(self, data: bytes) -> bytes | None:
        """The whole answer to ``data``, None where it has to take another lane.

        A long one is b'' here, and in ``pieces``. HOT PATH, guarded by ``make bench-quick``. Only
        while ``is_open``; None unless ``answers``.
        """
        if self._version != self._generations.version and not self.open():
            return None
        turn = None if self._questions else self._find(data)
        if turn is None:
            return self._answer_pipeline(data) if self.is_pipelined else None
        self._count(turn)
        self._played = turn
        self._data = data
        return turn.answer

    def _answer_pipeline(self, data: bytes) -> bytes | None:
        """The same for several turns, in one chunk or in some: all of them, or none.

        b'' while the Sync is to come. Until then nothing is looked up, because nothing is due.
        """
        questions, gatherer = self._questions, self._gatherer
        found = None
        if cut_questions(data, questions):
            if questions and not questions[-1].is_ready:
                if len(gatherer.kept) + len(data) <= _MAX_KEPT:
                    gatherer.kept += data
                    return b""
            elif gatherer.kept or len(questions) != 1:
                found = self._find_all(questions)
        if found is None:
            if not gatherer.kept:
                questions.clear()
            return None
        if not found and isinstance(self._played, LongTurn):
            self.close()  # a Flush alone: what was answered before it has been said
        gatherer.kept = b""
        questions.clear()
        pieces = []
        for turn, question in found:
            self._count(turn)
            self._played, self._data = turn, question.turn
            pieces.append(turn.answer if question.is_ready else turn.answer[:-_READY_SIZE])
        return b"".join(pieces)

    def _count(self, turn: Turn) -> None:
        entry = turn.entry
        entry.hits += 1
        if entry.hits == entry.credited + 1:
            if turn.version == UNKNOWN:
                entry.credit()  # it is at hand now, and may not come again
            else:
                self._owing.append(entry.key)
        counters = self._counters
        counters.hits += 1
        counters.hit_rows += turn.rows
        counters.hit_bytes += turn.size
        if turn.parse is not None:
            self._unnamed = turn.parse
            self._parsed = self._epoch

    @property
    def pieces(self) -> Sequence[Piece]:
        """Those of the last answer, where that was a long one."""
        turn = self._played
        return turn.pieces if isinstance(turn, LongTurn) and not self._questions else ()

    def _find_all(self, questions: list[Question]) -> list[tuple[Turn, Question]] | None:
        """The turns that the questions are, None where one of them may not be answered now."""
        found = []
        room = _MAX_BATCH
        for question in questions:
            turn = self._find(question.turn)
            if turn is None or not turn.answer:
                return None
            room -= len(turn.answer)
            if room < 0:
                return None  # whether the client reads it all is for the slow lane to see
            found.append((turn, question))
        return found

    def _find(self, data: bytes) -> Turn | None:
        """The turn that ``data`` is, if it may be answered now. HOT PATH."""
        lane = self._lane
        key = data
        at = 0
        if data[0] == codes.BIND:
            at = data.find(0, STATEMENT_NAME)
            name = data[STATEMENT_NAME:at]
            named = self._named.get(name)
            if named is None:
                named = self._resolve(name)
                if named is None:
                    return None
            if data[_PORTAL_NAME]:
                return None
            lane = named
            key = data[at:]
        turn = lane.get(key)
        if turn is not None:
            is_as_it_was = turn.version == self._version and turn.entry.look_at > self._clock()
            if is_as_it_was or self._renew(lane, key, turn):
                return turn
            if key in lane:
                return None
        turn = self._follow(lane, key, data, at) if lane.shapes else None
        if turn is not None and turn.strict and not self._renew(lane, key, turn):
            return None
        return turn

    def _renew(self, lane: Lane, key: bytes, turn: Turn) -> bool:
        """Whether a turn may still be answered, though something has moved or it has expired."""
        entry, now = turn.entry, self._clock()
        generations = self._generations
        is_as_it_was = turn.touches == generations.touches and now < entry.look_at
        if is_as_it_was and entry.is_live(generations, now):
            turn.version = generations.version
            return True
        if turn.touches != generations.touches or entry.is_dead(generations, now):
            self._state.engine.lanes.forget(lane, key)
        return False

    def passes(self, data: bytes) -> bool:
        """Whether ``data`` is a whole turn that may go to the origin at once; it then does.

        HOT PATH. Only while ``is_open``, and only what ``answer`` has no answer to.
        """
        if self._questions:
            return False
        if self._played is not None or self._unnamed is not None:
            self.close()
        if not self.express.takes(data):
            return False
        self.is_open = False
        return True

    def hears(self, data: bytes) -> bool:
        """Whether ``data`` is the whole answer to what was sent on; the lane is open again then."""
        express = self.express
        sent = express.underway
        if sent is None or not express.hears(data, sent):
            return False
        self.is_open = not sent.ends  # a transaction's begin and end change the context
        return True

    def learn(self, raw: bytes, script: Script) -> None:
        """The slow lane is about to send on ``raw``, a whole Query or unnamed Parse."""
        if len(script.statements) == 1 and self.open():
            self.express.learn(raw, script)

    def learn_run(self, run: Run) -> None:
        """The same of a run of the extended protocol, which may begin with such a Parse."""
        parsed = run.messages[0].parsed
        if isinstance(parsed, Parse) and not parsed.name:
            state = self._state
            script = state.engine.script(parsed.text, state.standard_strings, state.encoding)
            self.learn(run.messages[0].raw, script)

    def _resolve(self, name: bytes) -> Lane | None:
        """The lane of the statement that this session calls ``name``."""
        state = self._state
        prepared = state.statements.get(name)
        if prepared is None or not name:
            return None
        if prepared.turn is not None or not might_hit(prepared.script):
            return None
        if refuse_prepared(state, prepared) is not None:
            return None
        if len(self._named) >= _MAX_NAMED:
            self._named.clear()
        script = prepared.script
        # Sessions that were told of other columns do not share (W-55).
        told = prepared.row_description
        meaning = (script.key_text, script.hints, prepared.types, prepared.fingerprint, told)
        lane = self._named[name] = state.engine.lanes.lane((*self._context, *meaning))
        return lane

    def _follow(self, lane: Lane, key: bytes, data: bytes, at: int) -> Turn | None:
        """Look up a turn whose shape is known, if it is not remembered itself."""
        found = find_shape(lane.shapes, key, data, at)
        state, database = self._state, self._state.database
        if found is None or database is None or found[0].epoch != database.epoch:
            return None
        shape, at = found
        # Where something was touched it has to be decided anew.
        is_settled = shape.touches == self._generations.touches
        question = shape.follow(data, at) if is_settled else None
        if question is None:
            return None
        engine, now = state.engine, self._clock()
        entry = engine.store.get(question, self._generations, now) or self._seek(
            shape, question, now
        )
        if entry is None or entry.look_at <= now or not shape.takes(entry):
            return None
        pieces, strict = shape.answer(entry), shape.strict
        turn = make_turn(entry, pieces, self._generations, shape.leaves, strict=strict)
        if entry.hits:
            engine.lanes.remember(lane, key, turn)
        else:
            turn.version = UNKNOWN  # what is asked once is seldom worth being kept
        return turn

    def _seek(self, shape: Shape, question: bytes, now: float) -> Entry | None:
        """The entry for the key ``question`` that memory does not have: here there is none."""
        return None

    def close(self) -> None:
        """The slow lane takes over: bring the state to where the last turn left the client."""
        self.is_open = False
        self._questions.clear()
        state = self._state
        parse, self._unnamed = self._unnamed, None
        if parse is not None:
            state.statements.pop(b"", None)
            if parse:
                prepared = make_prepared(state, parse_parse(parse), parse)
                prepared.is_virtual, prepared.epoch = True, self._parsed
                state.statements[b""] = prepared
        turn, self._played = self._played, None
        if turn is None:
            return
        if state.status != codes.IDLE:
            state.has_read = True
            self._leave_portal(turn.entry)
        self._data = b""
        entry = turn.entry
        state.judge(Verdict(Outcome.HIT, None, entry.expires_at, entry.key))
        state.verdict = None

    def _leave_portal(self, entry: Entry) -> None:
        """Inside a transaction the unnamed portal of the last turn is there still (W-57)."""
        state, portal = self._state, None
        if self._data[0] == codes.QUERY:
            state.put_portal(b"", None)
            return
        for run in Gatherer().feed(self._data):
            for message in run.messages:
                body = message.parsed
                if isinstance(body, Bind):
                    portal = Portal(b"", state.statements.get(body.statement), body)
                    portal.entry, portal.message = entry, message.raw
                    portal.level, portal.changes = len(state.savepoints), state.changes
                elif isinstance(body, Execute) and portal is not None:
                    rows = entry.row_count
                    portal.position = min(body.maximum, rows) if body.maximum else rows
        state.put_portal(b"", portal)

    def doubt(self) -> None:
        """Something went to or came from the origin: statements and context may be others."""
        self.is_open = False
        self._named.clear()
        self.express.doubt()

    def prove(self, raw: bytes, answer: Sequence[Piece], proof: Proof) -> None:
        """The slow lane has just answered ``raw``, a whole turn, with ``answer``."""
        if not self.open() or self._lane is _NO_LANE:
            return
        entry, lanes, version = proof.entry, self._state.engine.lanes, self._version
        if not entry.is_current_at(version):
            return
        place, parse = self._place(raw, proof), proof.parse or b""
        if place is None:
            return
        lane, key = place
        recipe = make_recipe(self._state, proof, raw, parse=parse)
        if recipe is not None:
            lanes.remember_shape(lane, parse, recipe)
        turn = make_turn(entry, answer, self._generations, proof.parse, strict=proof.strict)
        lanes.remember(lane, key, turn)

    def _place(self, raw: bytes, proof: Proof) -> tuple[Lane, bytes] | None:
        """The lane of ``raw``, which ``proof`` is about, and its key there."""
        if proof.parse is not None or proof.bind is None:
            return self._lane, raw
        name = proof.bind.statement
        lane = self._named.get(name) or self._resolve(name)
        return None if lane is None else (lane, raw[STATEMENT_NAME + len(name) :])
