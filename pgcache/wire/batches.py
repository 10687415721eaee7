"""A pipelining client's chunk, cut into the turns that a client without pipelines would have sent.

``Parse Bind Describe Execute`` of several statements before one Sync asks what each of them with a
Sync of its own would ask, as long as each is answered with rows: then the answers differ in their
ReadyForQuery alone. HOT PATH: headers only. Counterpart: ``frames``, which cuts into messages.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pgcache.wire import codes
from pgcache.wire.frames import HEADER, HEADER_SIZE

_SYNC: Final = codes.MSG_SYNC


class Question(NamedTuple):
    """``turn``: as it would be sent alone. ``is_ready``: its answer ends with ReadyForQuery."""

    turn: bytes
    is_ready: bool


def cut_questions(data: bytes) -> list[Question]:
    """The questions that ``data`` consists of; none where it is not made of whole ones alone.

    A question is a Query, or all up to an Execute, with the Sync that may follow it.
    """
    questions: list[Question] = []
    size = len(data)
    pos = begin = 0
    is_ready = True
    while size - pos >= HEADER_SIZE:
        kind, length = HEADER.unpack_from(data, pos)
        end: int = pos + 1 + length
        if length < 4 or end > size:
            return []
        if kind == codes.QUERY:
            if begin != pos or not is_ready:
                return []
        elif kind != codes.EXECUTE:
            if kind == codes.SYNC:
                return []
            pos = end
            continue
        is_synced = kind == codes.EXECUTE and data.startswith(_SYNC, end)
        is_ready = is_synced or kind == codes.QUERY
        pos = end + len(_SYNC) if is_synced else end
        turn = data[begin:pos]
        questions.append(Question(turn if is_ready else turn + _SYNC, is_ready))
        begin = pos
    return questions if is_ready and begin == size else []
