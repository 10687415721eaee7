"""The ledger of owed replies: what the origin still has to answer, in order.

Completion, errors, pipelining and COPY come from here, never from the look of the bytes (habit 4).
The session pushes an entry for every message it forwards; ``ReplyWalker`` takes them off.

An entry is ``(code, item, internal)``. ``item`` is the session's own object, handed back with the
reply; ``internal`` entries are pgcache's own messages, whose replies the client never sees.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

# What is owed for each forwarded message.
PARSE: Final = 1  # ParseComplete
BIND: Final = 2  # BindComplete
CLOSE: Final = 3  # CloseComplete
DESCRIBE: Final = 4  # [ParameterDescription] RowDescription or NoData
EXECUTE: Final = 5  # rows, then CommandComplete, EmptyQueryResponse or PortalSuspended; or COPY
QUERY: Final = 6  # anything, ended by ReadyForQuery
CALL: Final = 7  # FunctionCall: FunctionCallResponse, ended by ReadyForQuery
SYNC: Final = 8  # ReadyForQuery
COPY_END: Final = 9  # nothing: marks where CopyDone or CopyFail was sent

Owed = tuple[int, Any, bool]


class Ledger:
    """Owed replies of one origin connection.

    ``skipping``: the origin ignores everything until Sync, and no Sync is on its way yet.
    ``copy_in``: the origin takes CopyData and ignores Sync and Flush (W-71).
    """

    __slots__ = ("copy_in", "owed", "skipping")

    def __init__(self) -> None:
        self.owed: deque[Owed] = deque()
        self.skipping = False
        self.copy_in = False

    def __repr__(self) -> str:
        codes = " ".join(str(entry[0]) for entry in self.owed)
        return f"Ledger([{codes}] skipping={self.skipping} copy_in={self.copy_in})"

    @property
    def is_empty(self) -> bool:
        """Whether the origin owes nothing and waits for nothing."""
        return not self.owed and not self.skipping and not self.copy_in

    def push(self, code: int, item: Any = None, internal: bool = False) -> bool:
        """Note a forwarded message; False where the origin will ignore it."""
        if self.skipping:
            if code != SYNC:
                return False
            self.skipping = False
        elif self.copy_in and code == SYNC:
            return False
        self.owed.append((code, item, internal))
        return True

    def copy_ended(self) -> None:
        """Note that CopyDone or CopyFail was forwarded.

        Sent ahead of CopyInResponse it only means something if a copy does begin: the marker
        never stays at the head.
        """
        if self.copy_in:
            self.copy_in = False
        elif self.owed:
            self.owed.append((COPY_END, None, False))

    @property
    def head(self) -> Owed | None:
        """The entry that the next reply belongs to."""
        return self.owed[0] if self.owed else None

    def pop(self) -> None:
        """The head has had its reply."""
        owed = self.owed
        owed.popleft()
        while owed and owed[0][0] == COPY_END:
            owed.popleft()

    def begin_copy_in(self) -> list[Owed]:
        """CopyInResponse came: Syncs sent before the end of the copy are ignored.

        Returns the entries that will never be answered.
        """
        owed = self.owed
        head = owed.popleft()
        dropped: list[Owed] = []
        kept: list[Owed] = []
        ended = False
        while owed and not ended:
            entry = owed.popleft()
            if entry[0] == COPY_END:
                ended = True
            elif entry[0] == SYNC:
                dropped.append(entry)
            else:
                kept.append(entry)
        owed.extendleft(reversed(kept))
        owed.appendleft(head)
        self.copy_in = not ended
        return dropped

    def fail(self) -> list[Owed]:
        """ErrorResponse came: returns the entries that will never be answered.

        In a Query or FunctionCall the origin goes on to ReadyForQuery by itself; in the extended
        protocol it ignores everything up to the next Sync.
        """
        owed = self.owed
        head = self.head
        self.copy_in = False
        if head is None or head[0] in (QUERY, CALL, SYNC):
            return []
        dropped: list[Owed] = []
        while owed and owed[0][0] != SYNC:
            dropped.append(owed.popleft())
        self.skipping = not owed
        return dropped
