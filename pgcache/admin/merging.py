"""One view from the views of several workers: what is summed, and what is not.

Pure: tables and metric texts in, one of them out. Counterpart: ``together`` asks the workers.
A number that nobody knows here is summed, since nearly all are counts; a table that nobody knows
names the worker of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import Sample

from pgcache.admin.commands import Answer

Number = Callable[[Iterable[float]], float]

# Gauges that are no counts. The rest of the name follows the prefix that all of them have.
_GAUGES: Mapping[str, Number] = {
    "pgcache_info": max,
    "pgcache_paused": max,
    "pgcache_catalog_ready": min,  # as weak as the weakest
    "pgcache_source_up": min,
    "pgcache_source_lag_seconds": max,
    "pgcache_generation_age_seconds": min,
    "process_start_time_seconds": min,
    "process_max_fds": max,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How rows of the same thing become one: numbers are summed, of words the first stays.

    ``order``: the column whose largest come first. ``most``: those of which the largest counts.
    """

    order: str
    most: tuple[str, ...] = ()


# By the first columns of the table, which its rows are told apart by.
_RULES: Mapping[tuple[str, ...], Rule] = {
    ("fingerprint", "database"): Rule(order="saved_ms", most=("longest_ms",)),
    ("database", "table"): Rule(order="entries", most=("ttl_s", "age_bound_s", "moved_s")),
    ("reason", "explanation"): Rule(order="count"),
}
# Tables that are the same everywhere.
_SAME = {
    ("key", "value"),
    ("version",),
    ("command", "what it does"),
    ("option", "effect"),
}
# Quantiles cannot be added: the slowest worker's is the honest one.
_QUANTILE = "_p99_seconds"
_NUMBERS = ("name", "value")


def merge_answers(answers: Mapping[int, Answer], workers: int) -> Answer:
    """The workers' answers to one console command, by their numbers, as one.

    ``workers`` is how many there should be. At least one has answered.
    """
    first = answers[min(answers)]
    if not first.columns:
        return Answer(max((answer.tag for answer in answers.values()), key=_count_of))
    same = {n: answer for n, answer in answers.items() if answer.columns == first.columns}
    if first.columns == _NUMBERS:
        return _sum_stats(list(same.values()), workers)
    if first.columns in _SAME:
        return first
    rule = _RULES.get(first.columns[:2])
    if rule is not None:
        return _merge_rows(first, list(same.values()), rule)
    rows = tuple((str(n), *row) for n, answer in sorted(same.items()) for row in answer.rows)
    return Answer(first.tag, merge_columns(first.columns), rows)


def merge_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of the workers' tables as one."""
    is_one = not columns or columns == _NUMBERS or columns in _SAME or columns[:2] in _RULES
    return columns if is_one else ("worker", *columns)


def _count_of(tag: str) -> int:
    number = tag.rpartition(" ")[2]
    return int(number) if number.isdigit() else -1


def _sum_stats(answers: Sequence[Answer], workers: int) -> Answer:
    values: dict[str, list[str]] = {}
    for answer in answers:
        for name, value in answer.rows:
            values.setdefault(name or "", []).append(value or "")
    rows = {
        name: max(found, key=float) if name.endswith(_QUANTILE) else _combine(found)
        for name, found in values.items()
    }
    if "hit_ratio" in rows:
        hits, followers, misses = (int(rows[name]) for name in ("hits", "followers", "misses"))
        rows["hit_ratio"] = f"{(hits + followers) / (hits + followers + misses or 1):.4f}"
    if "shadow_hit_ratio" in rows:
        hits, misses = (int(rows[name]) for name in ("shadow_hits", "shadow_misses"))
        rows["shadow_hit_ratio"] = f"{hits / (hits + misses or 1):.4f}"
    rows["workers"] = str(workers)
    rows["workers_answering"] = str(len(answers))
    return Answer("SHOW", _NUMBERS, tuple(sorted(rows.items())))


def _combine(values: Sequence[str]) -> str:
    """Counts are added; of flags one true is true; words are shown as they are, each once."""
    if all(value.isdigit() for value in values):
        return str(sum(map(int, values)))
    if all(value.replace(".", "", 1).isdigit() for value in values):
        return f"{sum(map(float, values)):.3f}"
    if set(values) <= {"true", "false"}:
        return "true" if "true" in values else "false"
    return ",".join(dict.fromkeys(values))


def _merge_rows(first: Answer, answers: Sequence[Answer], rule: Rule) -> Answer:
    columns = first.columns
    together: dict[tuple[str | None, ...], list[tuple[str | None, ...]]] = {}
    for answer in answers:
        for row in answer.rows:
            together.setdefault(row[:2], []).append(row)
    rows = [
        (
            *key,
            *(
                _merge_cells(cells, most=name in rule.most)
                for name, cells in zip(columns[2:], list(zip(*found, strict=True))[2:], strict=True)
            ),
        )
        for key, found in together.items()
    ]
    rows.sort(key=lambda row: -float(row[columns.index(rule.order)] or 0))
    return Answer(first.tag, columns, tuple(rows))


def _merge_cells(given: Sequence[str | None], *, most: bool) -> str | None:
    cells = [cell for cell in given if cell is not None]
    if not cells:
        return None
    if most:
        return max(cells, key=float)
    return _combine(cells) if all(cell.isdigit() for cell in cells) else cells[0]


def merge_metrics(texts: Mapping[int, str], workers: int) -> bytes:
    """What ``/metrics`` of all workers says together; 0 is what ended workers had counted."""
    families = _families(texts.values())
    answering = sum(number > 0 for number in texts)
    for name, help_text, value in (
        ("pgcache_workers", "Worker processes that there should be.", workers),
        ("pgcache_workers_answering", "Worker processes whose numbers are in here.", answering),
    ):
        metric = Metric(name, help_text, "gauge")
        metric.add_sample(name, {}, value)
        families.append(metric)
    return _render(families)


def merge_departed(texts: Iterable[str]) -> str:
    """What outlives workers that have ended: their counts, and nothing of their state."""
    counts = [metric for metric in _families(texts) if metric.type in ("counter", "histogram")]
    return _render(counts).decode()


def _families(texts: Iterable[str]) -> list[Metric]:
    """The families of all texts, in the order of their first appearance, samples combined."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[float]]] = {}
    for text in texts:
        for metric in text_string_to_metric_families(text):
            family = families.setdefault(
                metric.name, Metric(metric.name, metric.documentation, metric.type)
            )
            for sample in metric.samples:
                key = sample.name, tuple(sample.labels.items())
                values.setdefault(family.name, {}).setdefault(key, []).append(sample.value)
    for name, family in families.items():
        combine = _GAUGES.get(name, sum)
        family.samples = [
            Sample(sample, dict(labels), combine(found))
            for (sample, labels), found in values.get(name, {}).items()
        ]
    return list(families.values())


class _Given(Collector):
    """Metrics that were collected already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._families


def _render(families: list[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(families))
    return generate_latest(registry)
