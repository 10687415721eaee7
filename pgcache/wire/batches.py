"""A pipelining client's chunks, cut into the turns that a client without pipelines would have sent.

``Parse Bind Describe Execute`` of several statements before one Sync asks what each of them with a
Sync of its own would ask, as long as each is answered with rows: then the answers differ in their
ReadyForQuery alone. HOT PATH: headers only. Counterpart: ``frames``, which cuts into messages.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pgcache.wire import codes
from pgcache.wire.frames import HEADER, HEADER_SIZE

_BOUNDARIES: Final = frozenset((codes.QUERY, codes.SYNC, codes.FLUSH))


class Question(NamedTuple):
    """``turn``: as it would be sent alone. ``is_ready``: it was; or has a Sync behind it, so that
    its answer ends with ReadyForQuery."""

    turn: bytes
    is_ready: bool


def cut_questions(data: bytes, questions: list[Question]) -> bool:
    """Add the questions in ``data`` to ``questions``, those before it; whether there is no more.

    A question is a Query, or all up to an Execute. A Sync makes the last one ready; a Flush when
    nothing is due changes nothing. After False ``questions`` are of no use.
    """
    size = len(data)
    pos = begin = 0
    while size - pos >= HEADER_SIZE:
        kind, length = HEADER.unpack_from(data, pos)
        end: int = pos + 1 + length
        if length < 4 or end > size:
            return False
        if kind == codes.EXECUTE:
            questions.append(Question(data[begin:end] + codes.MSG_SYNC, False))
            begin = end
        elif kind in _BOUNDARIES:
            is_due = bool(questions) and not questions[-1].is_ready
            if begin != pos or is_due is not (kind == codes.SYNC):
                return False
            if kind == codes.SYNC:
                questions[-1] = Question(questions[-1].turn, True)
            elif kind == codes.QUERY:
                questions.append(Question(data[pos:end], True))
            begin = end
        pos = end
    return begin == size
