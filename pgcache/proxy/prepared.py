"""Statements and portals of one session, with PostgreSQL's lifetimes (W-57).

A *virtual* portal or statement exists only here: a hit answered its Bind or Parse, and the origin
has not heard of it. It is made there late, if something needs it there (W-58).
"""

from __future__ import annotations

from typing import NamedTuple

from pgcache.cache.entry import Entry
from pgcache.proxy.capture import Capture
from pgcache.sql.model import Script, Statement
from pgcache.wire.messages import Bind


class Prepared:
    """A prepared statement as the client made it.

    ``message``: the Parse message, to send it late. ``is_virtual``: it has to be, before use.
    ``fingerprint`` and ``epoch``: session
    settings and definitions under which it was parsed (W-55, W-56). ``row_description`` with
    format codes 0, b'' for NoData. ``trusted``: it was made by a Parse that pgcache saw.
    ``noticed``: the origin may have had something to say as it parsed it.
    ``previous``: what its name meant before, until the origin agrees; ``turn``: the group that its
    Parse is on its way in, None once the origin has agreed.
    """

    __slots__ = (
        "at_origin",
        "epoch",
        "fingerprint",
        "inner",
        "is_virtual",
        "message",
        "name",
        "noticed",
        "parameter_description",
        "previous",
        "row_description",
        "script",
        "temp_epoch",
        "text",
        "trusted",
        "turn",
        "types",
    )

    def __init__(
        self,
        name: bytes,
        text: bytes,
        script: Script,
        *,
        types: tuple[int, ...] = (),
        message: bytes = b"",
        fingerprint: bytes = b"",
        epoch: int = -1,
        temp_epoch: int = -1,
        trusted: bool = True,
    ) -> None:
        self.name = name
        self.text = text
        self.script = script
        self.types = types
        self.message = message
        self.fingerprint = fingerprint
        self.epoch = epoch
        self.temp_epoch = temp_epoch
        self.trusted = trusted
        self.at_origin = False
        self.noticed = False
        self.is_virtual = False
        self.parameter_description: bytes | None = None
        self.row_description: bytes | None = None
        self.previous: Prepared | None = None
        self.turn: object = None
        self.inner: Statement | None = None  # what SQL's PREPARE named


class Step(NamedTuple):
    """One FETCH, MOVE or CLOSE of the portal ``name``. ``rows``: None for all; of CLOSE 0."""

    name: bytes
    verb: bytes
    rows: int | None


class Portal:
    """A portal.

    ``entry``: what a virtual portal plays back, pinned at Bind, from ``position`` (rows) on.
    ``capture``: what records the origin's rows for it. ``level``: savepoints open when it was
    made, so that ROLLBACK TO can take it away. ``previous`` and ``turn`` as of ``Prepared``.
    ``doubtful``: nobody can say which statement it was bound to. ``changes``: the session's when
    it was made here. ``spare``: the entry of one that was made real, as long as no row has come of
    that; ``made``: the savepoints open then. ``step``: the FETCH, MOVE or CLOSE of another such
    portal that it is to run here; ``tag``: what that says at its end, {} being the rows.
    """

    __slots__ = (
        "bind",
        "capture",
        "changes",
        "doubtful",
        "entry",
        "level",
        "made",
        "message",
        "name",
        "position",
        "prepared",
        "previous",
        "row_description",
        "spare",
        "step",
        "tag",
        "turn",
    )

    def __init__(self, name: bytes, prepared: Prepared | None, bind: Bind | None) -> None:
        self.name = name
        self.prepared = prepared
        self.bind = bind
        self.message = b""
        self.entry: Entry | None = None
        self.position = 0
        self.capture: Capture | None = None
        self.row_description: bytes | None = None
        self.level = 0
        self.changes = 0
        self.spare: Entry | None = None
        self.made = 0
        self.step: Step | None = None
        self.tag = ""
        self.previous: Portal | None = None
        self.turn: object = None
        self.doubtful = False

    @property
    def is_here(self) -> bool:
        """Whether only pgcache knows it."""
        return self.entry is not None or self.step is not None

    def copy(self) -> Portal:
        """The same portal of an entry, to be played on without moving this one."""
        copy = Portal(self.name, self.prepared, self.bind)
        copy.entry, copy.position, copy.message = self.entry, self.position, self.message
        copy.level, copy.changes, copy.tag = self.level, self.changes, self.tag
        return copy
