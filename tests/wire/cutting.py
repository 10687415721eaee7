"""Cutting byte strings at arbitrary places, as networks do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import strategies as st


def pieces_of(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Return ``data`` cut at these places, taken modulo its length; no piece is empty."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
