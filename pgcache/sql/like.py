"""SQL's LIKE, for patterns over query texts: ``select%from orders%``.

Letter case aside, since a normalised text has its words folded and people write them as they like.
Must not know: what is matched, or why.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["build_like"]

_SPACE = re.compile(r"\s+")


def build_like(pattern: str) -> Callable[[str], bool]:
    r"""Make the function that tells whether a text is LIKE ``pattern``.

    ``%`` is any run of characters, ``_`` any one, ``\`` takes the next one as it is. A run of white
    space matches one blank, as normalised texts have it. Raises ValueError, with PostgreSQL's
    words, where the pattern ends with a backslash.

    Each part between two ``%`` is taken at its first place and never looked for again (an atomic
    group), which is enough for LIKE and keeps long texts from taking time that grows with a power
    of their length.
    """
    first, *rest = _parts(_SPACE.sub(" ", pattern))
    expression = first
    if rest:
        expression += "".join(f"(?>.*?{part})" for part in rest[:-1] if part) + f".*{rest[-1]}"
    match = re.compile(expression, re.DOTALL | re.IGNORECASE).fullmatch
    return lambda text: match(text) is not None


def _parts(pattern: str) -> list[str]:
    """What stands between the ``%``, each as a regular expression of fixed length."""
    parts = [""]
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            parts.append("")
        elif character == "_":
            parts[-1] += "."
        elif character == "\\":
            taken = next(characters, None)
            if taken is None:
                raise ValueError("LIKE pattern must not end with escape character")
            parts[-1] += re.escape(taken)
        else:
            parts[-1] += re.escape(character)
    return parts
