"""Names in Redis: one hash tag for each database, one spelling for each tag."""

from __future__ import annotations

import pytest

from pgcache.cache.shared.keys import PROTOCOL, VALUES, build_keys, digest, spell, unspell


def test_names_of_one_database_share_a_hash_tag() -> None:
    keys = build_keys("shop", "7000", "1764098000.5", 16384, 150018)
    names = (keys.state, keys.channel, keys.entry(digest(b"q")), keys.lease(digest(b"q")))
    tags = {name[name.index(b"{") : name.index(b"}")] for name in names}
    assert len(tags) == 1
    assert len(set(names)) == 4
    assert all(name.startswith(f"shop:{PROTOCOL}:".encode()) for name in names)


def test_only_names_of_results_hold_the_number_of_their_format(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys, some = build_keys("shop", "7000"), digest(b"q")
    before = keys.entry(some), keys.lease(some)
    monkeypatch.setattr("pgcache.cache.shared.keys.VALUES", VALUES + 1)
    assert build_keys("shop", "7000") == keys
    assert keys.entry(some) != before[0]
    assert keys.lease(some) != before[1]


def test_another_history_has_other_names() -> None:
    facts = ("7000", "1764098000.5", 16384, 150018)
    known = {build_keys("p", *facts).state}
    for index in range(len(facts)):
        changed = list(map(str, facts))
        changed[index] += "1"
        known.add(build_keys("p", *changed).state)
    assert len(known) == 5


@pytest.mark.parametrize("tag", [0, 16384, "revenue", "r1", "", "ä", "\udcff"])
def test_tags_come_back(tag: int | str) -> None:
    assert unspell(spell(tag)) == tag


def test_a_number_and_a_name_are_not_one() -> None:
    assert spell(1) != spell("1")
    with pytest.raises(ValueError, match="no tag"):
        unspell(b"x1")
    with pytest.raises(TypeError):
        spell(1.5)
