"""A model of the origin's side of the protocol, and random conversations with it.

The model answers message by message, as PostgreSQL's main loop does: it skips up to Sync after an
error in the extended protocol, and ignores Sync while it copies in (W-71). What a message gets is
drawn at random with the message.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from pgcache.wire import ledger
from tests.support.frames import build_row, message

CODES = {
    "P": ledger.PARSE,
    "B": ledger.BIND,
    "C": ledger.CLOSE,
    "D": ledger.DESCRIBE,
    "E": ledger.EXECUTE,
    "Q": ledger.QUERY,
    "F": ledger.CALL,
    "S": ledger.SYNC,
}
DESCRIPTION = message("T", b"\0\1name\0" + b"\0" * 18)
READY = {status: message("Z", status.encode()) for status in "ITE"}
ERROR = message("E", b"SERROR\0VERROR\0C22012\0Mno\0\0")
ASIDES = (
    message("N", b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
    message("S", b"TimeZone\0Asia/Tokyo\0"),
    message("A", b"\0\0\0\7channel\0\0"),
)
LONG_NOTICE = message("N", b"M" + b"x" * 5_000 + b"\0\0")
_SIMPLE = {"P": message("1"), "B": message("2"), "C": message("3")}


@dataclass(slots=True)
class Sent:
    """One client message, what it will get, and what the walker must make of it.

    ``number`` is the ledger's item. ``reply``: whole messages of the origin. ``for_client``: what
    of them the client sees. ``events``: what the listener hears; ``rows``: what it is shown.
    """

    number: int
    kind: str
    internal: bool = False
    reply: list[bytes] = field(default_factory=list)
    for_client: list[bytes] = field(default_factory=list)
    events: list[tuple[object, ...]] = field(default_factory=list)
    rows: bytes = b""
    is_ignored: bool = False


class Talk:
    """A conversation being made up; ``draw`` is hypothesis's."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.sent: list[Sent] = []
        self.skipping = False
        self.copying = ""  # the kind of message that copies in
        self.broken = False  # the copy has failed at the origin: only its end may follow
        self._copy_owner: Sent | None = None

    def extend(self) -> None:
        """Add one message of a kind that a client may send now."""
        one = Sent(len(self.sent), self._draw(st.sampled_from(self._kinds())))
        one.internal = one.kind in "PBE" and not self.copying and self._chance(6)
        if one.kind == "Q" and not (self.copying or self.skipping or self._is_open()):
            one.internal = self._chance(3)
        self.sent.append(one)
        if one.kind in "dcf":
            self._copy(one)
        elif self.skipping and one.kind != "S":
            one.is_ignored = True
        elif self.copying and one.kind in "SH":
            one.is_ignored = one.kind == "S"
        elif one.kind != "H":
            self._answer(one)

    def _kinds(self) -> str:
        if self.broken:
            return "dcf"
        if self.copying:
            return "ddHScf"
        return "PBDEEEQQSSSSCFHd"

    def _is_open(self) -> bool:
        for one in reversed(self.sent):
            if one.kind in "SQF":
                return False
            if one.kind in "PBDECH":
                return True
        return False

    def _chance(self, one_in: int) -> bool:
        return self._draw(st.integers(1, one_in)) == 1

    # -- what each message gets

    def _answer(self, one: Sent) -> None:
        self._asides(one)
        if one.kind == "S":
            self.skipping = False
            self._ready(one)
        elif one.kind == "F":
            if self._chance(4):
                self._error(one)
            else:
                self._say(one, message("V", b"\0\0\0\3abc"))
            self._ready(one)
        elif one.kind == "Q":
            self._query(one)
        elif self._chance(8):
            self._fail(one)
        elif one.kind == "D":
            if self._chance(2):
                self._say(one, message("t", b"\0\0"), ("description", one.number, "t"))
            said = DESCRIPTION if self._chance(2) else message("n")
            self._say(one, said, ("description", one.number, chr(said[0])))
        elif one.kind == "E":
            self._run(one)
        else:
            self._say(one, _SIMPLE[one.kind], ("done", CODES[one.kind], one.number))

    def _query(self, one: Sent) -> None:
        for _ in range(self._draw(st.integers(0, 3))):
            if self._chance(6):
                self._error(one)
                break
            if self._chance(2):
                self._say(one, DESCRIPTION, ("description", one.number, "T"))
            self._run(one)
            if self.copying:
                return
        self._ready(one)

    def _run(self, one: Sent) -> None:
        """One statement's rows and its end, or a COPY."""
        what = self._draw(st.sampled_from(["rows"] * 5 + ["copy in", "copy out", "error"]))
        if what == "copy in" and not one.internal:
            self.copying, self._copy_owner = one.kind, one
            self._say(one, message("G", b"\0\0\0"), ("aside", "G"))
            return
        if what == "copy out" and not one.internal:
            self._say(one, message("H", b"\0\0\0"), ("aside", "H"))
            for _ in range(self._draw(st.integers(0, 3))):
                self._say(one, message("d", self._draw(st.binary(max_size=60))))
            self._say(one, message("c"), ("aside", "c"))
        for _ in range(self._draw(st.integers(0, 4))):
            self._row(one)
            self._asides(one)
        if what == "error" and one.kind == "E":
            self._fail(one)
            return
        end = self._draw(st.sampled_from([message("C", b"SELECT 1\0"), message("I")]))
        if one.kind == "E" and self._chance(3):
            end = message("s")
        self._say(one, end, ("complete", one.number, chr(end[0])))

    def _row(self, one: Sent) -> None:
        size = self._draw(st.sampled_from([0, 3, 30, 3_000]))
        row = message("D", build_row([b"D\0\0\0" + b"v" * size, None]))
        one.reply.append(row)
        if one.internal:
            one.events.append(("row", one.number, row))
        else:
            one.rows += row
            one.for_client.append(row)

    def _copy(self, one: Sent) -> None:
        owner = self._copy_owner
        if owner is None or (not self.copying and not self.broken):
            return
        if one.kind == "d":
            if self.broken or not self._chance(5):
                return
            self.broken = True
            self._end_copy(one, owner, failed=True)
        else:
            if not self.broken:
                self._end_copy(one, owner, failed=one.kind == "f")
            self.broken = False

    def _end_copy(self, one: Sent, owner: Sent, *, failed: bool) -> None:
        """The origin answers on behalf of the message that began the copy."""
        kind, self.copying = self.copying, ""
        proxy = Sent(owner.number, owner.kind)
        if failed and kind == "E":
            self._fail(proxy)
        elif failed:
            self._error(proxy)
        else:
            said = message("C", b"COPY 1\0")
            self._say(proxy, said, ("complete", owner.number, "C"))
        if kind == "Q":
            self._ready(proxy)
        one.reply, one.for_client, one.events = proxy.reply, proxy.for_client, proxy.events

    def _fail(self, one: Sent) -> None:
        self._error(one)
        self.skipping = True

    def _error(self, one: Sent) -> None:
        one.reply.append(ERROR)
        one.events.append(("error", one.number))
        if not (one.internal and one.kind == "Q"):
            one.for_client.append(ERROR)

    def _ready(self, one: Sent) -> None:
        status = self._draw(st.sampled_from("ITE"))
        one.reply.append(READY[status])
        one.events.append(("ready", one.number, status, one.internal))
        if not one.internal:
            one.for_client += [notice_before(one.number), READY[status]]

    def _say(self, one: Sent, said: bytes, event: tuple[object, ...] | None = None) -> None:
        one.reply.append(said)
        if event is not None:
            one.events.append(event)
        if not one.internal:
            one.for_client.append(said)

    def _asides(self, one: Sent) -> None:
        if self._chance(6):
            said = self._draw(st.sampled_from([*ASIDES, LONG_NOTICE]))
            one.reply.append(said)
            one.for_client.append(said)
            one.events.append(("aside", chr(said[0])))


def notice_before(number: int) -> bytes:
    """What the listener of the tests says before some ReadyForQuery messages."""
    return message("N", b"M%d\0\0" % number) if number % 3 == 0 else b""


@st.composite
def conversations(draw: st.DrawFn) -> list[Sent]:
    """Draw a conversation."""
    talk = Talk(draw)
    for _ in range(draw(st.integers(1, 14))):
        talk.extend()
    return talk.sent
