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
TURNS = st.lists(st.sampled_from([SIMPLE, PARSED, BOUND]), min_size=1, max_size=6)


@given(TURNS, st.data())
def test_each_question_is_found_as_it_would_be_sent_alone(
    asked: list[bytes], data: st.DataObject
) -> None:
    chunks, expected, questions = [b""], [], list[Question]()
    for number, raw in enumerate(asked, 1):
        is_due = raw != SIMPLE and (number == len(asked) or asked[number] == SIMPLE)
        is_synced = raw != SIMPLE and (is_due or data.draw(st.booleans()))
        for piece in (raw, SYNC) if is_synced else (raw,):
            if data.draw(st.booleans()):
                chunks.append(b"")
            chunks[-1] += piece
        expected.append(Question(raw if raw == SIMPLE else raw + SYNC, is_synced or raw == SIMPLE))
    chunks.append(FLUSH)
    for chunk in chunks:
        assert cut_questions(chunk, questions)
    assert questions == expected


@pytest.mark.parametrize(
    "data",
    [
        SYNC,
        PARSED + FLUSH,
        PARSED + SYNC + SYNC,
        PARSED + SYNC + b"Q",
        PARSED + SIMPLE,
        PARSED + SYNC + close_request("S", "s") + SYNC,
        parse("s", "select 1") + SYNC + BOUND + SYNC,
        parse("s", "select 1") + FLUSH,
        parse("", "select 1") + SIMPLE,
        SIMPLE + SYNC,
        SIMPLE + SIMPLE[:-1],
        SIMPLE + b"Q\0\0\0\3" + SIMPLE,
        SIMPLE + b"S\0\0\0\0",
    ],
)
def test_anything_else_is_not(data: bytes) -> None:
    assert not cut_questions(data, [])
