"""The SQL of the loader: nothing in it depends on a search_path or on privileges (W-11)."""

from __future__ import annotations

import re

import pytest

from pgcache.catalog import queries

TEXTS = {name: text for name, text in vars(queries).items() if name.isupper() and name[0] != "_"}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_W11_every_relation_and_function_is_qualified(name: str) -> None:
    text = re.sub(r"'[^']*'|--[^\n]*", "''", TEXTS[name])
    sources = re.findall(r"\b(?:FROM|JOIN|LATERAL)\s+([a-z_.]+)", text)
    assert all(source.startswith("pg_catalog.") for source in sources), sources
    calls = set(re.findall(r"(?<![.\w])([a-z_]+)\(", text)) - KEYWORDS
    assert not calls


# Syntax, not functions: no search_path is asked for them.
KEYWORDS = {"coalesce", "extract", "bit"}


def test_there_is_a_query_for_every_kind_of_row() -> None:
    assert len(TEXTS) >= 18


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_query_only_reads(name: str) -> None:
    text = TEXTS[name].upper()
    assert text.split()[0] == "SELECT"
    assert not re.search(r"\b(?:INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|SET|CALL)\b", text)
