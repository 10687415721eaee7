"""Cutting a pipeline into the questions that it asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.wire.batches import Question, cut_questions
from tests.support.frames import (
    FLUSH,
    SYNC,
    bind,
    close_request,
    describe_request,
    execute,
    parse,
    query,
)

PARSED = parse("", "select 1") + bind("", "") + describe_request("P", "") + execute("")
BOUND = bind("", "s", [b"S\0\0\0\4"]) + execute("")
SIMPLE = query("select 1")
QUESTIONS = st.lists(
    st.tuples(st.sampled_from([PARSED, BOUND]), st.booleans())
    | st.just((SIMPLE, False))
    | st.just((PARSED, True)),
    min_size=1,
    max_size=6,
)


@given(QUESTIONS)
def test_each_question_is_found_as_it_would_be_sent_alone(asked: list[tuple[bytes, bool]]) -> None:
    data, expected = b"", []
    for number, (raw, is_synced) in enumerate(asked, 1):
        follows = number < len(asked) and asked[number][0] != SIMPLE
        is_synced = raw != SIMPLE and (is_synced or not follows)
        data += raw + (SYNC if is_synced else b"")
        turn = raw if raw == SIMPLE else raw + SYNC
        expected.append(Question(turn, is_synced or raw == SIMPLE))
    assert cut_questions(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SYNC,
        PARSED,
        PARSED + FLUSH,
        PARSED + SYNC + SYNC,
        PARSED + SYNC + BOUND,
        PARSED + SYNC + b"Q",
        PARSED + SIMPLE,
        PARSED + SYNC + close_request("S", "s") + SYNC,
        parse("s", "select 1") + SYNC + BOUND + SYNC,
        parse("", "select 1") + SIMPLE,
        SIMPLE + SIMPLE[:-1],
        SIMPLE + b"Q\0\0\0\3" + SIMPLE,
        SIMPLE + b"S\0\0\0\0",
    ],
)
def test_anything_else_is_none(data: bytes) -> None:
    assert cut_questions(data) == []
