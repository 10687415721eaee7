from __future__ import annotations

import re

from pgcache.errors.reasons import EXPLANATIONS, Reason


def test_every_reason_has_one_sentence_to_read() -> None:
    assert set(EXPLANATIONS) == set(Reason)
    for text in EXPLANATIONS.values():
        assert text[0].isupper() or text[0] == "'" or text.startswith("pgcache")
        assert text.endswith(".")


def test_codes_are_words_that_fit_everywhere() -> None:
    for reason in Reason:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.value)
