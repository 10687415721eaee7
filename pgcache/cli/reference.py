"""The tables of ``docs/operations.md``: every metric and every reason code, from the code itself.

``python -m pgcache.cli.reference docs/operations.md`` puts them into the file, between the marks.
A test holds that what is committed is what is made. Starts nothing, asks nobody.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path

from pgcache.config import Config
from pgcache.errors.reasons import EXPLANATIONS, Reason
from pgcache.errors.remedies import REMEDIES

_URL = "postgresql://nobody@127.0.0.1/nowhere"


def build_metrics() -> str:
    """Every metric of one process."""
    return asyncio.run(_build_metrics())


async def _build_metrics() -> str:
    from pgcache.runtime import Runtime  # imported late: it brings everything

    runtime = Runtime(Config.model_validate({"upstream": {"url": _URL}}))
    rows = [
        (
            f"`{metric.name}{'_total' if metric.type == 'counter' else ''}`",
            metric.type,
            ", ".join(sorted(labels)),
            metric.documentation,
        )
        for metric, labels in runtime.exposition.described()
    ]
    return _table(("metric", "type", "labels", "meaning"), sorted(rows))


def build_reasons() -> str:
    """Every reason code with what to do about it."""
    rows = [(f"`{r.value}`", EXPLANATIONS[r], REMEDIES.get(r, "")) for r in Reason]
    return _table(("reason", "what happened", "what to do"), rows)


def insert(text: str) -> str:
    """A document with its tables made anew, between the marks that name them."""
    for name, table in (("metrics", build_metrics()), ("reasons", build_reasons())):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, _, rest = text.partition(begin)
        _, found, tail = rest.partition(end)
        if not found:
            raise ValueError(f"the document has no marks {begin} and {end}")
        text = f"{head}{begin}\n{table}{end}{tail}"
    return text


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(insert(path.read_text()))
