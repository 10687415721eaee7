"""The request rules: each has its reason, its sentence and its place (C-10 to C-16)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pgcache.catalog.model import FunctionVerdict, ReadClosure
from pgcache.errors.reasons import EXPLANATIONS, Reason, Refusal
from pgcache.policy.facts import ReadFacts
from pgcache.policy.rules import REQUEST_RULES, Request, judge
from pgcache.policy.ttl import Lifetime
from pgcache.sql.model import Read

SAFE = ReadFacts(
    read=Read(),
    relations=(),
    unknown=(),
    closure=ReadClosure(frozenset({1})),
    functions=(FunctionVerdict(),),
    attributes=(),
    unsafe_operators=(),
    writing_operators=(),
    unsafe_types=(),
)
REQUEST = Request(SAFE, prepared=True, lifetime=Lifetime(300), clock_bound=None)
STRUCTURE = Refusal(Reason.ROW_LOCK)
VIEW = Refusal(Reason.VIEW_DEFINITION, "public.v")
CALL = Refusal(Reason.VOLATILE_FUNCTION, "random")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (REQUEST, None),
        (replace(REQUEST, facts=replace(SAFE, read=Read(refusal=STRUCTURE))), STRUCTURE),
        (replace(REQUEST, hinted_ttl=0), Refusal(Reason.HINT, "ttl")),
        (replace(REQUEST, hinted_ttl=5), None),
        (
            replace(REQUEST, facts=replace(SAFE, unknown=("s.t",))),
            Refusal(Reason.UNKNOWN_RELATION, "s.t"),
        ),
        (
            replace(REQUEST, facts=replace(SAFE, unknown=("pg_temp_3.t",))),
            Refusal(Reason.TEMPORARY_TABLE, "pg_temp_3.t"),
        ),
        (
            replace(REQUEST, facts=replace(SAFE, closure=ReadClosure(frozenset(), refusal=VIEW))),
            VIEW,
        ),
        (
            replace(
                REQUEST,
                facts=replace(SAFE, functions=(FunctionVerdict(), FunctionVerdict(refusal=CALL))),
            ),
            CALL,
        ),
        (
            replace(REQUEST, facts=replace(SAFE, attributes=("f",))),
            Refusal(Reason.USER_FUNCTION, "f"),
        ),
        (
            replace(REQUEST, facts=replace(SAFE, unsafe_operators=("=~=",))),
            Refusal(Reason.USER_OPERATOR, "=~="),
        ),
        (
            replace(REQUEST, facts=replace(SAFE, unsafe_types=("t",))),
            Refusal(Reason.USER_TYPE, "t"),
        ),
        (
            replace(REQUEST, facts=replace(SAFE, read=Read(magic_literals=True))),
            Refusal(Reason.MAGIC_LITERAL),
        ),
        (
            replace(REQUEST, prepared=False, facts=replace(SAFE, read=Read(magic_literals=True))),
            None,
        ),
        (
            replace(REQUEST, lifetime=Lifetime(0, "public.t")),
            Refusal(Reason.TTL_ZERO, "public.t"),
        ),
        (replace(REQUEST, clock_bound=Lifetime(60)), None),
        (replace(REQUEST, clock_bound=Lifetime(0)), Refusal(Reason.CLOCK_DISABLED)),
    ],
)
def test_each_rule(request_: Request, expected: Refusal | None) -> None:
    assert judge(request_) == expected
    if expected is not None:
        assert expected.reason in EXPLANATIONS


def test_each_rule_says_a_sentence() -> None:
    for rule in REQUEST_RULES:
        assert rule.__doc__ is not None
        sentence = rule.__doc__.strip()
        assert sentence.endswith(".")
        assert "\n" not in sentence


def test_the_first_verdict_wins() -> None:
    facts = replace(SAFE, read=Read(refusal=STRUCTURE), unknown=("s.t",), unsafe_types=("t",))
    assert judge(replace(REQUEST, facts=facts, lifetime=Lifetime(0))) == STRUCTURE
