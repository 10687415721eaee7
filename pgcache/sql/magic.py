"""Words that PostgreSQL's date and time input turns into the current time (C-13).

Counterpart: ``src/backend/utils/adt/datetime.c`` (section 8.5.1.4 and Appendix B.1 of its
documentation): input is cut at blanks and punctuation, letters are folded, unknown punctuation is
skipped. Must not know: where a text stands, or whether it is ever read as a date.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_magic_text", "mentions_now"]

_WORDS: Final = ("now", "today", "tomorrow", "yesterday")
_MAGIC: Final = re.compile(rf"(?<![a-z])(?:{'|'.join(_WORDS)})(?![a-z])")
_WORD: Final = re.compile(r"[a-z]+")
_IGNORED: Final = ("at", "on")  # IGNORE_DTF: any number of them may stand there
_CONTAINERS: Final = ("{", "[", "(")  # arrays, ranges, rows, JSON: each value is read by itself
_MAX_OTHER_WORDS: Final = 6  # 'tomorrow at 10 pm America/Argentina/Buenos_Aires' has six


def mentions_now(text: str) -> bool:
    """Tell whether any part of ``text`` could be such a word: if not, no literal in it is one.

    Whoever asks has to look by himself at literals that are put together of several pieces.
    """
    folded = text.lower()
    return any(word in folded for word in _WORDS)


def is_magic_text(text: str) -> bool:
    """Tell whether a date or time type may read ``text`` as the current time or day.

    It says yes in doubt: 'now' among few other words counts, whatever they are, and anywhere in
    what may be an array, a range, a row or JSON, of which a value may become a date.
    """
    if not mentions_now(text):
        return False  # for long texts, in which an expression is slower than this
    folded = text.lower()
    found = _MAGIC.findall(folded)
    if not found or folded.lstrip().startswith(_CONTAINERS):
        return bool(found)
    words = [word for word in _WORD.findall(folded) if word not in _IGNORED]
    return len(words) - len(found) <= _MAX_OTHER_WORDS
