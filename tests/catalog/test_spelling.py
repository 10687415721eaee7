"""Names that two encodings may read in two ways."""

from __future__ import annotations

import pytest

from pgcache.catalog.spelling import UTF8, Spelling


@pytest.mark.parametrize(
    ("encoding", "name", "is_certain"),
    [
        (UTF8, "É" * 60, True),
        ("LATIN1", "t" * 63, True),
        ("LATIN1", "é", True),
        ("LATIN1", "É", False),  # an unquoted one may be folded, by the locale
        ("LATIN1", "é" * 21, True),
        ("LATIN1", "é" * 22, False),
        ("EUC_JP", "日" * 14, True),
        ("EUC_JP", "日" * 15, False),
        ("EUC_JP", "É", True),
        ("SQL_ASCII", "é", False),
        ("SQL_ASCII", "\udce9", False),
        ("LATIN1", "\udce9" * 22, False),
    ],
)
def test_S12_certain_names(encoding: str, name: str, is_certain: bool) -> None:
    assert Spelling(encoding).is_certain(name) is is_certain


def test_S12_one_uncertain_name_is_enough() -> None:
    assert Spelling("LATIN1").are_certain(("a", None, "é"))
    assert not Spelling("LATIN1").are_certain(("a", None, "É"))
