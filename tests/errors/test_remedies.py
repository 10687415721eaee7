from __future__ import annotations

from pgcache.errors.reasons import Reason
from pgcache.errors.remedies import REMEDIES


def test_every_reason_has_its_remedy() -> None:
    assert [reason for reason in Reason if reason not in REMEDIES] == []
    for text in REMEDIES.values():
        assert text[0].isupper()
        assert text.endswith(".")
