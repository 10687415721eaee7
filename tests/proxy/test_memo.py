"""What is remembered of conclusions stays within its bounds, whatever clients send."""

from __future__ import annotations

from pgcache.proxy.memo import Memo


def test_it_remembers() -> None:
    memo: Memo[str, int] = Memo()
    memo.put("a", 1, 10)
    assert memo.get("a") == 1
    assert memo.get("b") is None
    memo.clear()
    assert memo.get("a") is None


def test_it_is_emptied_when_it_holds_so_many() -> None:
    memo: Memo[int, int] = Memo(max_items=3)
    for number in range(4):
        memo.put(number, number, 1)
    assert len(memo) == 1
    assert memo.get(3) == 3


def test_it_is_emptied_when_the_texts_are_long() -> None:
    memo: Memo[int, int] = Memo(max_bytes=100)
    for number in range(100):
        memo.put(number, number, 30)
        assert len(memo) <= 3
    memo.put(100, 100, 1_000)  # the newest stays, however long its text is
    assert memo.get(100) == 100
    memo.put(101, 101, 1)
    assert len(memo) == 1
