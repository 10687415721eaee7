"""docs/semantics.md says for each rule where it lives and what shows it: that has to be true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "semantics.md").read_text()
_ID = re.compile(r"\b([WSCT]-\d\d[a-z]?)\b")
_RULES, _, _PLACES = TEXT.partition("## Where each rule lives")
_WHERE, _, _BUGS = _PLACES.partition("### Bugs")


def _cells(text: str) -> list[list[str]]:
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def _paths(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


PLACES = [
    (rule, _paths(code), _paths(tests))
    for ids, code, tests in _cells(_WHERE)[1:]
    for rule in _ID.findall(ids)
]
BUGS = [(_ID.findall(here), _paths(tests)) for _, _, here, tests in _cells(_BUGS)[1:]]


def _quotes(path: Path, rule: str) -> bool:
    """Whether a test file quotes a rule, in its text or in the name of a test."""
    return bool(re.search(rf"\b{rule}\b|\btest_(\w+_)?{rule.replace('-', '')}_", path.read_text()))


@pytest.mark.parametrize(("rule", "code", "tests"), PLACES, ids=[place[0] for place in PLACES])
def test_a_rule_is_where_it_is_said_to_be(rule: str, code: list[str], tests: list[str]) -> None:
    assert [path for path in code if not (ROOT / "pgcache" / path).is_file()] == []
    assert tests
    assert [path for path in tests if not _quotes(ROOT / "tests" / path, rule)] == []


def test_every_rule_is_somewhere() -> None:
    """But those that are altogether for later."""
    placed = [rule for rule, _, _ in PLACES]
    assert len(placed) == len(set(placed))
    stated = {_ID.findall(cells[0])[0]: cells[1] for cells in _cells(_RULES) if _ID.match(cells[0])}
    later = {rule for rule, text in stated.items() if text.startswith("*Later*")}
    assert set(stated) - set(placed) == later == {"W-22"}


@pytest.mark.parametrize(("rules", "tests"), BUGS)
def test_a_known_bug_has_its_tests(rules: list[str], tests: list[str]) -> None:
    assert rules
    for path in tests:
        assert any(_quotes(ROOT / "tests" / path, rule) for rule in rules), path
