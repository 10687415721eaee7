"""How a number describes itself, so that every surface can show it without knowing it.

A dataclass of numbers declares each with ``counter``, ``gauge``, ``by`` or ``histogram``; that one
line gives it a name, a help text and a type in ``/metrics``, in ``SHOW STATS`` and in
``docs/operations.md``. Knows nothing of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields
from enum import Enum
from typing import Any

from pgcache.metrics.histogram import Histogram

_META = "pgcache"


@dataclass(frozen=True, slots=True)
class About:
    """What one number is. ``kind``: counter, gauge or histogram. ``label``: what its parts are
    told apart by, '' where it has none. ``metric``: its name outside, without prefix."""

    kind: str
    help: str
    label: str = ""
    metric: str = ""


def counter(help_text: str, *, metric: str = "", start: float = 0) -> Any:
    """A number that only grows."""
    return field(default=start, metadata={_META: About("counter", help_text, metric=metric)})


def gauge(help_text: str, *, metric: str = "") -> Any:
    """A number that goes up and down."""
    return field(default=0, metadata={_META: About("gauge", help_text, metric=metric)})


def by(label: str, parts: type[Enum], help_text: str, *, metric: str = "") -> Any:
    """Numbers that only grow, one for each member of ``parts``."""
    return field(
        default_factory=lambda: dict.fromkeys(parts, 0),
        metadata={_META: About("counter", help_text, label, metric)},
    )


def histogram(help_text: str, *bounds: float, metric: str = "") -> Any:
    """How often something took how long; ``bounds`` in seconds."""
    return field(
        default_factory=lambda: Histogram(*bounds),
        metadata={_META: About("histogram", help_text, metric=metric)},
    )


def described(numbers: Any) -> Iterator[tuple[str, About, Any]]:
    """Each number of a dataclass (or of its type): its metric's name, what it is, its value.

    The value is a number, a dict by enum member, or a Histogram; None where a type was given.
    """
    for part in fields(numbers):
        about = _about(part)
        value = None if isinstance(numbers, type) else getattr(numbers, part.name)
        yield about.metric or part.name, about, value


def _about(part: Field[Any]) -> About:
    about = part.metadata.get(_META)
    return about if isinstance(about, About) else About("gauge", part.name.replace("_", " "))
