"""Keys: one for each question, and the same one however it was put."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.policy.key import build_key, canonical_formats, digest, formats_fit, read_key

DATABASE, SESSION, TEXT = b"cluster/5", b"f" * 16, b"select a from t"


class Question(NamedTuple):
    database: bytes
    fingerprint: bytes
    key_text: bytes
    parse_fingerprint: bytes
    labels: list[str]
    parameter_types: list[int]
    parameter_formats: list[int]
    parameters: list[bytes | None]
    result_formats: list[int]

    def key(self) -> bytes:
        return build_key(*self[:3], **dict(list(self._asdict().items())[3:]))

    def meaning(self) -> tuple[object, ...]:
        """What PostgreSQL would make of it, written down without any encoding."""
        types = list(self.parameter_types)
        while types and types[-1] == 0 and len(types) <= len(self.parameters):
            types.pop()
        formats = self.parameter_formats
        if len(formats) == 1:
            formats = formats * len(self.parameters)
        formats = (formats + [0] * len(self.parameters))[: len(self.parameters)]
        results: object = list(self.result_formats)
        if not any(self.result_formats):
            results = "text"
        elif set(self.result_formats) == {1}:
            results = "binary"
        parsed = self.parse_fingerprint
        return (
            *self[:3],
            b"" if parsed == self.fingerprint else parsed,
            sorted(set(self.labels)),
            types,
            formats,
            self.parameters,
            results,
        )


SHORT = st.binary(max_size=3)
FORMATS = st.lists(st.integers(0, 1), max_size=3)
QUESTIONS = st.builds(
    Question,
    SHORT,
    SHORT,
    SHORT,
    SHORT,
    st.lists(st.text("ab", max_size=2), max_size=2),
    st.lists(st.sampled_from([0, 23, 25]), max_size=3),
    FORMATS,
    st.lists(st.none() | SHORT, max_size=3),
    FORMATS,
)


@given(QUESTIONS, QUESTIONS)
def test_keys_are_equal_exactly_where_meanings_are(one: Question, other: Question) -> None:
    assert (one.key() == other.key()) == (one.meaning() == other.meaning())


@given(QUESTIONS, st.data())
def test_one_change_is_seen(question: Question, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(Question._fields))
    other = question._replace(**{field: getattr(data.draw(QUESTIONS), field)})
    assert (question.key() == other.key()) == (question.meaning() == other.meaning())


@pytest.mark.parametrize("formats", [[], [0], [0, 0, 0]])
def test_text_without_parameters_shares_with_the_simple_protocol(formats: list[int]) -> None:
    simple = build_key(DATABASE, SESSION, TEXT)
    assert build_key(DATABASE, SESSION, TEXT, result_formats=formats) == simple
    assert build_key(DATABASE, SESSION, TEXT, parse_fingerprint=SESSION) == simple


def test_a_type_that_is_not_declared_is_none() -> None:
    """psqlodbc declares [0], pgjdbc nothing. One too many is an error (42P18), not a hit."""

    def key(types: list[int], *parameters: bytes) -> bytes:
        return build_key(DATABASE, SESSION, TEXT, parameter_types=types, parameters=parameters)

    assert key([0], b"1") == key([], b"1")
    assert key([23, 0], b"1", b"2") == key([23], b"1", b"2")
    assert key([23, 0], b"1") != key([23], b"1")
    assert key([0]) != key([])


def test_formats_split_entries() -> None:
    """W-53: pgjdbc goes from text to mixed binary at the sixth execution."""
    keys = {
        build_key(DATABASE, SESSION, TEXT, result_formats=formats)
        for formats in ([0, 0], [1], [1, 0], [0, 1])
    }
    assert len(keys) == 4


def test_parameters_split_entries() -> None:
    """W-54: types, formats, NULL and the empty string."""
    keys = {
        build_key(
            DATABASE,
            SESSION,
            TEXT,
            parameter_types=types,
            parameter_formats=formats,
            parameters=values,
        )
        for types, formats, values in (
            ([23], [0], [b"1"]),
            ([25], [0], [b"1"]),
            ([23], [1], [b"1"]),
            ([23], [0], [b""]),
            ([23], [0], [None]),
            ([23], [0], [b"1", None]),
        )
    }
    assert len(keys) == 6


def test_one_format_for_all_parameters_is_the_same_as_one_each() -> None:
    parameters = [b"a", b"b"]
    one = build_key(DATABASE, SESSION, TEXT, parameter_formats=[1], parameters=parameters)
    each = build_key(DATABASE, SESSION, TEXT, parameter_formats=[1, 1], parameters=parameters)
    assert one == each


def test_another_context_at_parse_is_another_key() -> None:
    """W-56."""
    assert build_key(DATABASE, SESSION, TEXT, parse_fingerprint=b"g" * 16) != build_key(
        DATABASE, SESSION, TEXT
    )


@pytest.mark.parametrize(
    ("formats", "written"),
    [
        ([], b""),
        ([0], b""),
        ([0, 0], b""),
        ([1], b"\1"),
        ([1, 1], b"\1"),
        ([1, 0], b"\0\1\0\0"),
        ([2], b"\0\2"),
    ],
)
def test_canonical_formats(formats: list[int], written: bytes) -> None:
    assert canonical_formats(formats) == written


@pytest.mark.parametrize(
    ("formats", "columns", "fits"),
    [([], 3, True), ([1], 3, True), ([0, 1, 0], 3, True), ([0, 0], 3, False), ([2], 1, False)],
)
def test_what_postgresql_refuses_does_not_fit(formats: list[int], columns: int, fits: bool) -> None:
    assert formats_fit(formats, columns) is fits


def test_a_digest_has_128_bits() -> None:
    assert len(digest(TEXT)) == 16
    assert digest(TEXT) != digest(SESSION)


@given(database=st.binary(max_size=9), text=st.binary(), formats=st.lists(st.integers(0, 1)))
def test_a_key_tells_its_database_and_text(
    database: bytes, text: bytes, formats: list[int]
) -> None:
    key = build_key(database, SESSION, text, result_formats=formats, parameters=[b"x"])
    assert read_key(key) == (database, text)
