"""Reads the cases in ``cases/*.sql`` (their format is told in ``plain_reads.sql``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["CASES", "FOLDER", "Case"]

FOLDER = Path(__file__).parent
_KEYS = ("path", "cached", "bypass", "changes", "also")


@dataclass(frozen=True, slots=True)
class Case:
    """One statement and what is expected of it. ``also`` holds the flags beside the relations."""

    where: str  # file and line
    title: str
    sql: str
    path: tuple[str, ...]
    cached: frozenset[str] | None = None
    bypass: str | None = None  # reason code, with the detail where given
    changes: frozenset[str] | None = None
    also: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.where} {self.title}"


def _read_file(path: Path) -> list[Case]:
    cases = []
    line = 1
    for block in path.read_text().split("\n\n"):
        case = _read_block(block.strip("\n"), f"{path.stem}:{line}")
        if case is not None:
            cases.append(case)
        line += block.count("\n") + 2
    return cases


def _read_block(block: str, where: str) -> Case | None:
    lines = block.split("\n")
    if all(line.startswith("--") for line in lines):
        return None
    title = lines.pop(0).removeprefix("--").strip()
    expected: dict[str, str] = {}
    while True:
        key, colon, value = lines[0].removeprefix("-- ").partition(": ")
        if not (colon and lines[0].startswith("-- ") and key in _KEYS):
            break
        expected[key] = value.strip()
        lines.pop(0)
    cached = _names(expected.get("cached"))
    flags = _names(expected.get("also")) or frozenset()
    return Case(
        where=where,
        title=title,
        sql="\n".join(lines),
        path=tuple(name.strip() for name in expected.get("path", "public").split(",")),
        cached=None if cached is None else cached - {"clock"},
        bypass=expected.get("bypass"),
        changes=_names(expected.get("changes")),
        also=flags | ((cached or frozenset()) & {"clock"}),
    )


def _names(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(name.strip() for name in text.split(","))


CASES = [case for path in sorted((FOLDER / "cases").glob("*.sql")) for case in _read_file(path)]
