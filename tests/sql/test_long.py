"""Long lists of constants are left out, and nothing else is: the analysis stays what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgcache.sql import script
from pgcache.sql.lexer import TokenKind, tokenize
from pgcache.sql.long import tokenize_long
from pgcache.sql.model import Script
from pgcache.sql.script import read_script

NUMBERS = ", ".join(str(n) for n in range(150))
STRINGS = ",".join(f"'it''s {n}, (really)'" for n in range(150))
PARAMETERS = ", ".join(f"(${n}, $1, Default)" for n in range(150))
ROWS = ",\n".join(f"({n}, 'a''b', NULL, -1.5, TRUE, 'x')" for n in range(150))


def left_out(text: str, *, standard: bool = True) -> int:
    """How many tokens were left out; those that are there have to be the lexer's."""
    whole = tokenize(text, standard_conforming_strings=standard)
    tokens, is_whole = tokenize_long(text, standard_conforming_strings=standard)
    remaining = iter(whole)
    assert all(token in remaining for token in tokens), "in order, and none made up"
    assert is_whole == (len(tokens) == len(whole))
    return len(whole) - len(tokens)


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT a FROM t WHERE id IN ({NUMBERS})",
        f"SELECT a FROM t WHERE name NOT IN ({STRINGS}) AND f(x)",
        f"INSERT INTO t VALUES {ROWS}",
        f"INSERT INTO t VALUES {ROWS} ON CONFLICT DO NOTHING; DELETE FROM u",
        f"SELECT a FROM t WHERE (a, b) IN ({ROWS})",
        f"INSERT INTO t VALUES {PARAMETERS}",
        f"WITH w AS (SELECT 1 WHERE 2 IN ({NUMBERS})) UPDATE t SET a = 1 WHERE b IN ({STRINGS})",
    ],
)
@pytest.mark.parametrize("standard", [True, False])
def test_runs_of_constants_are_left_out(text: str, standard: bool) -> None:
    assert left_out(text, standard=standard) > 200


@pytest.mark.parametrize(
    "text",
    [
        f"SET search_path = {STRINGS}",
        f"SELECT {NUMBERS}",
        f"SELECT f({', '.join(str(n) for n in range(100))})",
        f"SELECT '{NUMBERS.replace(chr(39), '')}' FROM t",
        f"SELECT $x$ ({NUMBERS}) $x$, f(y)",
        f"SELECT a /* ({NUMBERS}) */ FROM t",
        f"SELECT a -- ({NUMBERS})\n FROM t",
        f'SELECT "({NUMBERS})" FROM t',
        f"/* /* nested */ */ SELECT a FROM t WHERE id IN ({NUMBERS})",
        f"SELECT a FROM t WHERE id IN ({', '.join(f'{n} + f({n})' for n in range(150))})",
        f"SELECT a FROM t WHERE id IN ({', '.join(f'{n}::text' for n in range(150))})",
        f"SELECT a FROM t WHERE id IN ({', '.join(f'E{chr(39)}x{chr(39)}' for _ in range(150))})",
    ],
)
def test_anything_else_stays(text: str) -> None:
    assert left_out(text) == 0


def test_the_first_minus_stays() -> None:
    numbers = NUMBERS.replace("120", "-120").replace("130", "-130")
    tokens, _ = tokenize_long(f"SELECT a FROM t WHERE id IN ({numbers})")
    assert [token.value for token in tokens[7:]] == ["(", "0", ",", "-", "120", ")"]


@pytest.mark.parametrize("text", ["now", "Today at noon"])
def test_a_text_that_may_be_the_current_time_is_read(text: str) -> None:
    assert left_out(f"SELECT a FROM t WHERE d IN ({NUMBERS.replace('120', repr(text))})") == 0


def test_the_last_part_of_an_expression_is_no_constant() -> None:
    text = f"SELECT a FROM t WHERE id IN ({NUMBERS} + f(1))"
    tokens, is_whole = tokenize_long(text)
    assert not is_whole
    assert [token.value for token in tokens[-8:]] == [",", "149", "+", "f", "(", "1", ")", ")"]


def test_an_unterminated_literal_is_an_error_as_ever() -> None:
    tokens, _ = tokenize_long(f"SELECT a FROM t WHERE id IN ({NUMBERS}) AND b = 'x")
    assert tokens[-1].kind is TokenKind.ERROR


def test_time_is_linear_in_lists_that_are_just_too_short() -> None:
    part = ", ".join(str(n) for n in range(100))
    text = f"SELECT a FROM t WHERE id IN ({', f(x), '.join([part] * 50)})"
    assert left_out(text) == 0


def read(text: str, *, long: int) -> Script:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "LONG", long)
        return read_script(text.encode())


def test_long_texts_are_keyed_as_they_are() -> None:
    text = f"SELECT a  FROM t WHERE id IN ({NUMBERS})"
    assert read(text, long=0).key_text == b"\0" + text.encode()
    assert read(text, long=1 << 20).key_text == text.lower().replace("  ", " ").encode()


def test_a_directive_is_never_overlooked() -> None:
    text = f"SELECT a FROM t WHERE id IN ({NUMBERS}) /* pgcache: off */"
    found = read(text, long=0)
    assert found.hints.off
    assert found.key_text.startswith(b"SELECT".lower())


def test_a_constant_is_no_directive() -> None:
    names = NUMBERS.replace("17", "'/* PgCache: off */'")
    assert not read(f"SELECT a FROM t WHERE id IN ({names})", long=0).hints.off


CONSTANTS = st.sampled_from(
    ["1", "-2.5", "'a'", "''", "'it''s'", "'(,'", "'--'", "'/*'", "null", "TRUE", "'\\'", "$1"]
)
LISTS = st.builds(
    lambda parts, count, joint: joint.join((parts * 160)[:count]),
    st.lists(CONSTANTS, min_size=1, max_size=4),
    st.integers(95, 160),
    st.sampled_from([",", ", ", ",\n", " , "]),
)
ITEMS = st.one_of(
    LISTS,
    LISTS.map(lambda items: ", ".join(f"({items[:9].count(',')}, 'x')" for _ in range(120))),
    st.sampled_from(
        ["f(x)", "now()", "(SELECT b FROM u)", "1 + g(2)", "E'\\''", "$$,1$$", "c", "'"]
    ),
)
FRAMES = st.sampled_from(
    [
        "SELECT a FROM t WHERE id IN ({0}, {1})",
        "INSERT INTO t VALUES ({0}), ({1})",
        "INSERT INTO t (a, b) VALUES {0}, {1} RETURNING h(a)",
        "SELECT {0} FROM v WHERE w = ANY (ARRAY[{1}])",
        "SELECT * FROM (VALUES ({0}), ({1})) AS s, t",
        "DELETE FROM t WHERE a IN ({0}); SET search_path = {1}",
        "SELECT /* {0} */ k(ARRAY[{1}]) FROM t -- {0}\n, u",
        "SELECT '{0}', \"{1}\" FROM t",
        "EXECUTE p ({0}, {1})",
        "SET LOCAL x.y = {0}, {1}",
    ]
)


@given(FRAMES, ITEMS, ITEMS)
def test_what_is_known_of_a_statement_is_the_same(frame: str, first: str, second: str) -> None:
    text = frame.format(first, second)
    short, whole = read(text, long=0), read(text, long=1 << 30)
    assert short.statements == whole.statements
    assert short.hints == whole.hints
    assert short.well_formed == whole.well_formed
