"""The statements in ``corpus/*.sql``: one per block, blocks parted by an empty line."""

from __future__ import annotations

from pathlib import Path

__all__ = ["STATEMENTS", "statements"]


def statements(name: str) -> list[str]:
    """Return the statements of one file, without the comment at its head."""
    text = (Path(__file__).parent / "corpus" / f"{name}.sql").read_text()
    blocks = [block.strip("\n") for block in text.split("\n\n")]
    return [block for block in blocks[1:] if block]


STATEMENTS = [
    statement
    for name in ("queries", "writes", "transactions", "settings", "session", "ddl")
    for statement in statements(name)
]
